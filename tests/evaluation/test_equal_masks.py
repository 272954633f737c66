"""Which masks equal the ground truth to the pixel."""

import numpy as np
import pandas as pd
import pytest

from helpers.core.errors import RefusedInput
from helpers.evaluation.equal_masks import equal_mask_warnings
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.metrics_folder import open_metrics
from helpers.evaluation.regression_gate import scores_of
from tests.support.vessel_runs import SIDE, write_data, write_run


def scores(*rows):
    return pd.DataFrame(rows, columns=["tp", "fp", "fn"])


EQUAL, CLOSE, SMALL, EMPTY = (900, 0, 0), (900, 1, 0), (20, 0, 0), (0, 0, 0)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((EQUAL, CLOSE, SMALL, EMPTY), "a: 1 of 2 masks with vessels equals"),
        ((EQUAL, EQUAL), "a: 2 of 2 masks with vessels equal"),
        ((EQUAL,), "a: 1 of 1 mask with vessels equals"),
        ((CLOSE, SMALL, EMPTY, (0, 900, 0)), None),
    ],
)
def test_only_masks_that_no_chance_makes_equal_are_told(rows, said):
    warnings = equal_mask_warnings({"a": scores(*rows), "b": scores(CLOSE)}, ())
    assert [text.startswith(said) for text in warnings] == ([] if said is None else [True])


def test_a_run_that_the_truth_is_known_to_have_begun_from_says_so_already():
    assert equal_mask_warnings({"a": scores(EQUAL)}, {"a"}) == []


def evaluated(tmp_path, copies):
    """A run of which so many masks are the ground truth itself, compared with one that has none of it."""
    data = write_data(tmp_path / "data")
    truths = {case.case_id: case.truth.mask(SIDE, SIDE) for case in data.cases}
    moved = {case_id: np.roll(mask, 1) for case_id, mask in truths.items()}
    own = write_run(tmp_path / "own", {**moved, **dict(list(truths.items())[:copies])})
    other = write_run(tmp_path / "other", moved)
    return data, own, other


def test_truth_given_as_prediction_has_no_headline(tmp_path):
    data, own, other = evaluated(tmp_path, 11)
    found = evaluate([own, other], data, tmp_path / "m", processes=1, draws=50)
    assert [run["equal_masks"] for run in found.summary["runs"]] == [{"equal": 11, "masks": 12}, None]
    said = "11 of 12 masks with vessels equal the ground truth to the pixel"
    assert found.text.splitlines()[2].startswith(f"**own: no headline: {said}, so that one was made from the other. ")
    assert found.score("dice").standing.startswith(f"{said}; ") and said in str(found.score("dice"))
    assert not found.score("dice", "other").standing.startswith(said)
    with pytest.raises(RefusedInput, match=f"expected scores .* of run own {said}. Check"):
        scores_of(open_metrics(tmp_path / "m"))
    turned = evaluate([other, own], data, tmp_path / "turned", processes=1, draws=50)
    assert f"Not compared with own: {said}.**" in turned.text


def test_a_headline_tells_of_some_masks_that_are_the_truth(tmp_path):
    data, own, other = evaluated(tmp_path, 1)
    found = evaluate([own, other], data, tmp_path / "m", processes=1, draws=50)
    first = found.text.splitlines()[2]
    assert first.startswith("**own: mean Dice 0.")
    assert "; 1 of 12 masks with vessels equals the ground truth to the pixel, so that each of these was made" in first
    assert scores_of(open_metrics(tmp_path / "m")).title == found.summary["standing"]["title"]
