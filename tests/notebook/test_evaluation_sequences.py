"""Sequences in notebook 03."""

import pytest

from helpers.data.dataset import open_dataset
from helpers.notebook.evaluation import choose_runs, evaluate_runs
from helpers.notebook.evaluation_sequences import restless_figure, sequence_tables
from helpers.notebook.parameters import validate
from helpers.notebook.settings import EvaluateSettings
from tests.notebook.scored_runs import write_data, write_run


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
    assert worst in restless_figure(results).get_suptitle()


def test_single_frames_are_said_to_be_such(evaluated):
    first = {}
    results = evaluated(lambda path: first.setdefault((path.parent.name, path.name.rpartition("_")[0]), path) == path)
    (table,) = sequence_tables(results)
    assert "no two neighbouring frames" in table.iloc[0, 0] and restless_figure(results) is None
