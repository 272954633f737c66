"""Sequences in notebook 03."""

import pytest
from PIL import Image

from helpers.data.dataset import open_dataset
from helpers.notebook.evaluate_notebook import choose_runs, evaluate_runs
from helpers.notebook.evaluation_tables import restless_figures, sequence_tables
from helpers.notebook.parameters import validate
from helpers.notebook.settings import EvaluateSettings
from tests.support.scored_runs import write_data, write_run

pytestmark = pytest.mark.slow


@pytest.fixture
def evaluated(tmp_path, monkeypatch):
    """Results of two runs on the cases that `kept` keeps."""
    monkeypatch.setenv("VESSELKIT_ROOT", str(tmp_path))
    write_data(tmp_path / "data")

    def results(kept=lambda path: True):
        for path in (tmp_path / "data").rglob("*.png"):
            if not kept(path):
                path.unlink()
        dataset = open_dataset(tmp_path / "data")
        for name, noise in (("calm", 0.1), ("noisy", 3.0)):
            write_run(tmp_path / "outputs/demo/predict" / name, dataset, noise=noise)
        settings = validate(
            EvaluateSettings,
            {"project": "demo", "data": "data", "predictions": "noisy", "against": ["calm"], "draws": 200},
        )
        return evaluate_runs(settings, choose_runs(settings), dataset, tmp_path / "scores")

    return results


def test_tables_and_the_most_restless_sequence(evaluated):
    results = evaluated()
    means, differences = sequence_tables(results)
    assert list(means.columns[1:]) == ["noisy", "calm"] and list(differences.columns) == ["paired", "calm less noisy"]
    assert means.iloc[:, 0].tolist() == differences["paired"].tolist() and "Flicker" in means.iloc[:, 0].tolist()
    sequences = results.metrics.sequences()
    own = sequences[sequences["run"] == "noisy"]
    worst = own.sort_values("flicker").iloc[-1]["sequence"]
    assert worst in restless_figures(results)["sequence"].get_suptitle()


def test_frames_of_mixed_sizes_have_no_steps_and_it_is_said(evaluated, tmp_path):
    """Each sequence has two frames, the second of them larger: nothing flickers, and nothing fails."""

    def grown(path):
        if path.stem.endswith("002"):
            image = Image.open(path)
            image.resize((image.width * 2, image.height * 2), Image.Resampling.NEAREST).save(path)
        return True

    results = evaluated(grown)
    *tables, note = sequence_tables(results)
    assert note.iloc[0, 0].startswith("6 of 6 sequences have no two neighbouring frames of one size")
    means = tables[0].set_index(tables[0].columns[0])
    assert means.loc["Flicker", "noisy"] == "" and means.loc["Dice", "noisy"] != ""
    assert restless_figures(results) == {}
    assert "6 of 6 sequences have" in (tmp_path / "scores/summary.md").read_text(encoding="utf-8")


def test_one_sequence_of_one_size_is_the_most_restless(evaluated):
    def grown(path):
        if path.stem.endswith("002") and not path.stem.startswith("P03"):
            image = Image.open(path)
            image.resize((image.width * 2, image.height * 2), Image.Resampling.NEAREST).save(path)
        return True

    results = evaluated(grown)
    assert "P03_S01" in restless_figures(results)["sequence"].get_suptitle().replace("-", "_")
    assert sequence_tables(results)[-1].iloc[0, 0].startswith("5 of 6 sequences")


def test_single_frames_are_said_to_be_such(evaluated):
    first = {}
    results = evaluated(lambda path: first.setdefault((path.parent.name, path.name.rpartition("_")[0]), path) == path)
    (table,) = sequence_tables(results)
    assert "no two neighbouring frames" in table.iloc[0, 0] and restless_figures(results) == {}
