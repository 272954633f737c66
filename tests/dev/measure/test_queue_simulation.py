"""What mending the head of a queue gains over chance."""

import numpy as np
import pytest

from helpers.dev.measure.queue_simulation import gain, main
from helpers.stages.evaluate_stage import evaluate


def test_gain_by_hand():
    """Losses 0.8 and 0.2: mending the worse half gives 0.4, at random 0.25."""
    dice = np.array([0.2, 0.8])
    assert gain(np.array([1.0, 0.0]), dice, 0.5) == pytest.approx(0.4 - 0.25)
    assert gain(np.array([0.5, 0.5]), dice, 0.5) == pytest.approx(0.0)
    assert gain(np.array([1.0, 1.0]), dice, 1.0) == pytest.approx(0.0)


def test_the_command_tells_each_order_and_what_it_rests_on(material, tmp_path, capsys):
    evaluate(material / "demo-run", material / "demo-data", tmp_path / "scores", processes=1, draws=100)
    main([str(tmp_path / "scores")])
    said = capsys.readouterr().out
    assert "4 cases of 2 patients; mean Dice" in said
    rows = [line.split(" | ")[0] for line in said.splitlines() if line.startswith("| ")]
    assert rows == ["| order", "| ---", "| map", "| queue of the review"]
