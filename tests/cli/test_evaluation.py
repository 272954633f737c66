"""`evaluate` on a tiny run."""

from tests.evaluation.runs import SIDE, write_data, write_run


def test_a_run_is_scored_and_its_headline_shown(call, tmp_path):
    data = write_data(tmp_path / "data")
    run = write_run(tmp_path / "run", {case.case_id: case.truth.mask(SIDE, SIDE) for case in data.cases})
    arguments = ("--predictions", "run", "--data", "data")
    ended = call("evaluate", *arguments, "--output", "m", "--processes", "1")
    assert ended.code == 0 and "| Dice | 1.000 [1.000, 1.000]" in ended.out and "Second table" not in ended.out
    assert (tmp_path / "m/summary.md").is_file()
    assert call("evaluate", *arguments, "--output", "n", "--processes", "0").code == 2
    (run / "manifest.json").unlink()
    ended = call("evaluate", *arguments, "--output", "n")
    assert ended.code == 3 and "the run is not finished" in ended.err and not (tmp_path / "n").exists()
