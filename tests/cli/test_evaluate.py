"""`evaluate` on a tiny run."""

from PIL import Image

from tests.support.vessel_runs import SIDE, write_data, write_run


def test_a_run_is_scored_and_its_headline_shown(call, tmp_path):
    data = write_data(tmp_path / "data")
    run = write_run(tmp_path / "run", {case.case_id: case.truth.mask(SIDE, SIDE) for case in data.cases})
    arguments = ("--predictions", "run", "--data", "data")
    ended = call("evaluate", *arguments, "--output", "m", "--processes", "1")
    assert ended.code == 0 and "| Dice | 1.000 (all units equal" in ended.out and "Second table" not in ended.out
    assert (tmp_path / "m/summary.md").is_file()
    assert call("evaluate", *arguments, "--output", "n", "--processes", "0").code == 2
    ended = call("evaluate", *arguments, "--output", "n", "--groups", "lost")
    assert ended.code == 2 and "--groups lost: expected view or vendor" in ended.err
    (run / "manifest.json").unlink()
    ended = call("evaluate", *arguments, "--output", "n")
    assert ended.code == 3 and "the run is not finished" in ended.err and not (tmp_path / "n").exists()


def test_a_threshold_from_an_earlier_evaluation_and_post_processing(call, tmp_path):
    data = write_data(tmp_path / "data")
    for part, cases in (("dev", data.cases[:6]), ("test", data.cases[6:])):
        masks = {case.case_id: case.truth.mask(SIDE, SIDE) for case in cases}
        write_run(tmp_path / part, masks, limit=6)
        asked = ["--predictions", part, "--data", "data", "--processes", "1", "--output", f"{part}-scores"]
        if part == "test":
            asked += ["--development", "dev-scores", "--remove-small", "2"]
        assert call("evaluate", *asked).code == 0
    text = (tmp_path / "test-scores/summary.md").read_text(encoding="utf-8")
    assert "| chosen on | 6 development cases |" in text and "pieces of fewer than 2 px removed" in text
    assert "## Post-processing" not in (tmp_path / "dev-scores/summary.md").read_text(encoding="utf-8")
    asked = ["--predictions", "test", "--data", "data", "--output", "x"]
    ended = call("evaluate", *asked, "--remove-small", "-1")
    assert ended.code == 2 and "remove_small: expected 0 or more" in ended.err
    ended = call("evaluate", *asked, "--development", "test-scores")
    assert ended.code == 3 and "6 cases in both" in ended.err and not (tmp_path / "x").exists()


def test_the_last_words_are_what_the_check_found(call, tmp_path):
    data = write_data(tmp_path / "data")
    Image.new("L", (SIDE, SIDE)).save(tmp_path / "data/masks/P01_S01_001.png")
    write_run(tmp_path / "run", {case.case_id: case.truth.mask(SIDE, SIDE) for case in data.cases})
    ended = call("evaluate", "--predictions", "run", "--data", "data", "--output", "m", "--processes", "1")
    *_, written, following, last = ended.out.strip().splitlines()
    assert ended.code == 0 and written == f"written to {tmp_path / 'm'}"
    assert following == (
        f"next: vesselkit review-page {tmp_path / 'run'} --data data --metrics {tmp_path / 'm'} "
        f"--output {tmp_path / 'm'}-review.html"
    )
    assert last.startswith("warning: data check, empty_truth: P01_S01_001: the ground truth is empty; check")
    checked = call("data", "check", "data")
    assert "empty_truth" in checked.out and checked.code == 0
