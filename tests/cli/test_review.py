"""`visualize`, `report` and `review` on a tiny run."""

import json
import re

import pytest
from PIL import Image

from helpers.core.watermark import VARIABLE
from helpers.data.dataset import open_dataset
from helpers.notebook import serve
from helpers.review.review_source import open_source
from helpers.review.session import ReviewSession
from helpers.review.verdicts import Verdict, VerdictStore
from helpers.runs.run_folder import open_run
from tests.review.corrections.test_reviewed import drawn, sent_line
from tests.review.test_verdicts import record
from tests.support.review_runs import CASES, FAILED, GRIDDED, SAME, predict_again, verdict_lines, write_data, write_run
from tests.support.shipped_notebooks import ROOT


@pytest.fixture
def run(tmp_path):
    write_data(tmp_path / "data")
    return write_run(tmp_path / "run")


def test_a_report_of_some_cases_with_verdicts(call, run, tmp_path):
    (tmp_path / "v").mkdir()
    (tmp_path / "v/ann.jsonl").write_text(verdict_lines(run, record(1, SAME, note="<b>")))
    arguments = ("review-page", "run", "--data", "data", "--cases", SAME, "--verdicts", "v", "--language", "zh")
    ended = call(*arguments)
    assert ended.code == 0 and ended.out.startswith("1 case, without scores (--metrics adds them)")
    assert ended.out.splitlines()[-1] == "next: vesselkit review run --data data --verdicts v --import FILE"
    text = (tmp_path / "review.html").read_text()
    assert "vesselkit-case-0" in text and "vesselkit-case-1" not in text and GRIDDED not in text
    assert '"note": "\\u003cb\\u003e"' in text and '<html lang="zh">' in text and '"language": "zh"' in text
    assert call(*arguments, "--output", "x.txt").code == 2
    assert call("review-page", "run", "--data", "data", "--verdicts", "none").code == 2


def test_a_report_needs_the_runs_own_data_and_scores(call, run, tmp_path):
    (tmp_path / "data/images" / f"{SAME}.png").unlink()
    (tmp_path / "data/masks" / f"{SAME}.png").unlink()
    ended = call("review-page", "run", "--data", "data")
    assert ended.code == 3 and f"without 1 of its cases, the first {SAME}" in ended.err
    assert not (tmp_path / "review.html").exists()


@pytest.mark.slow
def test_verdicts_in_and_out(call, run, tmp_path):
    (tmp_path / "sent.jsonl").write_text(
        verdict_lines(run, record(1, SAME), record(2, GRIDDED, "reject")) + record(3, SAME).to_line()
    )
    arguments = ("review", "run", "--data", "data", "--verdicts", "v", "--import", "sent.jsonl")
    ended = call(*arguments, "--export", "out")
    assert ended.code == 0 and ended.out.splitlines()[:2] == [
        "2 records imported, 1 of another run skipped",
        "ann: 2 of 6 reviewed: 1 accept, 0 fix, 1 reject",
    ]
    assert (tmp_path / "out/rejected.txt").read_text() == f"{GRIDDED}\n"
    ended = call("predict", "--model", "frangi", "--data", "out/to_correct/images", "--output", "again")
    assert ended.code == 0 and open_run(tmp_path / "again").cases() == (GRIDDED,)
    ended = call(
        "predict", "--model", "frangi", "--data", "data", "--case-list", "out/rejected.txt", "--output", "some"
    )
    assert ended.code == 0 and open_run(tmp_path / "some").cases() == (GRIDDED,)
    ended = call("evaluate", "--predictions", "some", "--data", "data", "--output", "scores")
    assert ended.code == 0 and "1 scored, 0 failed, 0 missing" in ended.out
    ended = call(*arguments)
    assert ended.out.startswith("0 records imported, 1 of another run")
    assert call(*arguments, "--export", "out").code == 3
    ended = call("review", "run", "--data", "data", "--verdicts", "empty")
    assert ended.code == 2 and "--verdicts empty: expected a folder of verdicts, found none at" in ended.err


def test_corrections_of_the_page_come_in_with_its_verdicts(call, run, tmp_path):
    source = open_source(run, open_dataset(tmp_path / "data"))
    (tmp_path / "sent.jsonl").write_text(
        verdict_lines(run, record(1, SAME)) + json.dumps(sent_line(drawn(source))) + "\n"
    )
    arguments = ("review", "run", "--data", "data", "--verdicts", "run-verdicts", "--import", "sent.jsonl")
    ended = call(*arguments)
    assert ended.code == 0 and ended.out.splitlines() == [
        "1 record imported, 0 of another run skipped",
        f"1 correction imported: {tmp_path / 'run-corrections'}",
        "ann: 1 of 6 reviewed: 1 accept, 0 fix, 0 reject",
        "ann: 1 corrected",
        "next: vesselkit export run --data data --what corrections "
        f"--corrections {tmp_path / 'run-corrections'} --output DATASET",
    ]
    (tmp_path / "alone.jsonl").write_text(json.dumps(sent_line(drawn(source, SAME))) + "\n")
    ended = call(*arguments[:-3], "alone-verdicts", "--import", "alone.jsonl")
    assert ended.code == 0 and ended.out.splitlines() == [
        f"1 correction imported: {tmp_path / 'alone-corrections'}",
        "ann: 1 corrected",
        "no verdicts on this run and prompt, and corrections need none",
        "next: vesselkit export run --data data --what corrections "
        f"--corrections {tmp_path / 'alone-corrections'} --output DATASET",
    ]
    ended = call(*arguments[:-3], "w", "--import", "alone-corrections/ann/record.jsonl")
    assert ended.code == 3 and "line 1: expected a file that was downloaded from the page, found a reader" in ended.err
    assert "0 corrections imported, 1 there already" in call(*arguments).out
    ended = call("review-page", "run", "--data", "data", "--cases", GRIDDED, "--verdicts", "run-verdicts")
    assert ended.code == 0 and '"began_from": "empty"' in (tmp_path / "review.html").read_text()


def test_verdicts_on_two_runs_are_compared(call, run, tmp_path):
    other = write_run(tmp_path / "other", seed=7)
    sent = verdict_lines(run, record(1, SAME), record(2, GRIDDED)) + verdict_lines(other, record(3, SAME, "reject"))
    (tmp_path / "sent.jsonl").write_text(sent)
    arguments = ("review", "run", "--data", "data", "--verdicts", "v", "--import", "sent.jsonl")
    ended = call(*arguments, "--against", "other")
    assert ended.code == 0 and ended.out.splitlines() == [
        "3 records imported, 0 of another run skipped",
        "ann: 2 of 6 reviewed: 2 accept, 0 fix, 0 reject",
        "ann: run better on 1, other better on 0, the same on 0 of 1 case",
    ]


def test_a_page_with_runs_beside(call, run, tmp_path):
    for name, seed in (("track", 5), ("fused", 9)):
        write_run(tmp_path / name, seed=seed)
    given = ("review-page", "run", "--data", "data", "--output", "page.html", "--beside", "track", "--beside")
    assert call(*given, "fused").code == 0
    assert '"beside": [{"name": "track", "threshold": 0.5}, {"name": "fused"' in (tmp_path / "page.html").read_text()
    assert call(*given, "absent").code == 2


@pytest.mark.slow
def test_a_run_of_a_demonstration_keeps_its_stamp_and_ones_own_has_none(call, run, tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "synthetic")
    write_run(tmp_path / "demo")
    monkeypatch.delenv(VARIABLE)
    for name, stamp in (("run", None), ("demo", "synthetic")):
        assert call("review-page", name, "--data", "data", "--output", f"{name}.html").code == 0
        assert f'"stamp": {json.dumps(stamp)}' in (tmp_path / f"{name}.html").read_text()
        assert call("visualize", name, "--data", "data", "--output", f"{name}-pictures", "--n", "1").code == 0
        assert call("visualize", name, "--data", "data", "--output", f"{name}-films", "--films").code == 0
        for kind in ("pictures", "films"):
            page = (tmp_path / f"{name}-{kind}/index.html").read_text()
            stamped = re.search("<strong[^>]*>synthetic</strong>", page)
            assert (stamped is not None) is (stamp is not None)
    for picture in (f"pictures/{CASES[0]}.png", "films/P1-S1.png"):
        assert (tmp_path / f"run-{picture}").read_bytes() != (tmp_path / f"demo-{picture}").read_bytes()
    assert call("review-page", "run", "--data", "data", "--beside", "demo", "--output", "both.html").code == 0
    assert '"stamp": "synthetic"' in (tmp_path / "both.html").read_text()


def names(folder):
    return {path.stem for path in folder.glob("*.png")}


def test_pictures_of_a_run_and_of_ground_truth_alone(call, run, tmp_path):
    ended = call("visualize", "run", "--data", "data", "--output", "a", "--n", "2")
    assert ended.code == 0 and ended.out.startswith("2 pictures, 0 frames") and names(tmp_path / "a") == set(CASES[:2])
    assert ended.out.splitlines()[-1] == "next: vesselkit review-page run --data data --output run-review.html"
    ended = call("visualize", "--data", "data", "--output", "b", "--cases", SAME)
    assert ended.code == 0 and "next:" not in ended.out
    assert names(tmp_path / "b") == {SAME} and "Ground truth" in (tmp_path / "b/index.html").read_text()
    for wrong, words in (
        (("--sort", "worst"), "--metrics"),
        (("--n", "0"), "at least 1"),
        (("--cases", "x"), "got 'x'"),
        (("--dpi", "5"), "dpi: expected 10 to 1200, got 5"),
        (("--films", "--mask", "fill"), "--mask, --dpi: go with pictures"),
    ):
        ended = call("visualize", "run", "--data", "data", "--output", "c", *wrong)
        assert ended.code == 2 and words in ended.err and not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("visualize", "run", "--output"),
        ("visualize", "run", "--films", "--output"),
        ("review", "run", "--verdicts", "v", "--export"),
    ],
)
def test_a_folder_of_other_files_is_refused_before_any_work(call, run, tmp_path, words):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/index.html").write_text("mine")
    (tmp_path / "data/dataset.json").write_text("no JSON")  # which opening the data set would tell
    ended = call(*words, "taken", "--data", "data")
    assert ended.code == 3 and f"{tmp_path / 'taken'}: exists already; name a new folder" in ended.err
    assert [path.read_text() for path in (tmp_path / "taken").iterdir()] == ["mine"]


def test_the_scale_and_the_style_of_pictures(call, run, tmp_path):
    pictures = {}
    for name, options in {"plain": (), "large": ("--dpi", "200"), "filled": ("--mask", "fill")}.items():
        assert call("visualize", "run", "--data", "data", "--output", name, "--cases", GRIDDED, *options).code == 0
        pictures[name] = Image.open(tmp_path / name / f"{GRIDDED}.png")
    plain, large, filled = pictures.values()
    assert large.size == (2 * plain.width, 2 * plain.height) and filled.size == plain.size
    assert filled.tobytes() != plain.tobytes()


@pytest.fixture
def mended(run, tmp_path):
    """Two reviewers rejected three cases, of which the last was then predicted again."""
    source = open_source(run, open_dataset(tmp_path / "data"))
    for reviewer in ("ann", "bob"):
        session = ReviewSession(source.cases, VerdictStore(tmp_path / "v"), reviewer, source.run, source.prompt)
        for case_id in (GRIDDED, SAME, FAILED):
            session.give(Verdict.REJECT, case_id=case_id)
    predict_again(run, FAILED)


def test_the_command_tells_exports_and_imports_those_that_stand(mended, call, tmp_path):
    ended = call("review", "run", "--data", "data", "--verdicts", "v", "--export", "out")
    assert ended.code == 0 and "ann: 2 of 6 reviewed" in ended.out and "ann and bob: 2 of 2" in ended.out
    assert "2 verdicts kept without a part here" in ended.out
    assert (tmp_path / "out/rejected.txt").read_text().split() == [GRIDDED, SAME]
    ended = call("review", "run", "--data", "data", "--verdicts", "w", "--import", "v/ann.jsonl")
    assert ended.out.startswith("2 records imported, 1 of another run skipped")


def test_the_page_has_those_that_stand(mended, call, tmp_path):
    assert call("review-page", "run", "--data", "data", "--verdicts", "v").code == 0
    text = (tmp_path / "review.html").read_text()
    facts = json.loads(text.split('id="vesselkit-facts">')[1].split("</script>")[0])
    assert {one["case_id"] for one in facts["verdicts"]} == {GRIDDED, SAME}


@pytest.fixture
def served(monkeypatch):
    """What the viewer was opened with."""
    asked = []
    monkeypatch.setattr(serve, "serve", lambda values, **where: asked.append((values, where)))
    return asked


def test_a_review_opens_the_viewer_of_a_run(call, tmp_path, monkeypatch, served):
    write_data(tmp_path / "data")
    write_run(tmp_path / "run")
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    ended = call(
        "review", "run", "--data", "data", "--reviewer", "ann", "--language", "zh", "--port", "9000", "--no-browser"
    )
    kept = tmp_path / "run-review/review/run/verdicts"
    assert ended.code == 0 and f"kept in {kept}, corrections in {kept.with_name('corrections')};" in ended.out
    assert ended.out.splitlines()[-1] == f"next: vesselkit review run --data data --verdicts {kept}"
    assert "--model" in call("review", "run", "--data", "no-data", "--model", "no-model").err  # before data is opened
    ((values, where),) = served
    assert where == {"port": 9000, "browser": False}
    assert values == {
        "project": str(tmp_path / "run-review"),
        "predictions": str(tmp_path / "run"),
        "data": str(tmp_path / "data"),
        "against": [],
        "beside": [],
        "reviewer": "ann",
        "language": "zh",
    }


def test_the_run_of_a_project_is_reviewed_in_its_project(call, tmp_path, served):
    write_data(tmp_path / "data")
    write_run(tmp_path / "outputs/p/predict/run")
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    ended = call("review", "outputs/p/predict/run", "--data", "data", "--from-empty", "10")
    assert ended.code == 2
    assert "--from-empty: expected a share of the cases from 0 to 1, got 10. 0.1 means 10 %" in ended.err
    assert call("review", "outputs/p/predict/run", "--data", "data", "--from-empty", "0.1").code == 0
    assert served[0][0]["from_empty"] == 0.1
    assert served[0][0]["project"] == str(tmp_path / "outputs/p") and served[0][1] == {"port": 8866, "browser": True}


def test_what_counts_verdicts_opens_nothing(call, tmp_path, served):
    write_data(tmp_path / "data")
    write_run(tmp_path / "run")
    (tmp_path / "notebooks").symlink_to(ROOT / "notebooks")
    asked = ("review", "run", "--data", "data")
    (tmp_path / "v").mkdir()
    assert call(*asked, "--verdicts", "v").out == "no verdicts on this run and prompt\n"
    for wrong, said in (
        (("--export", "o"), "--verdicts: expected the folder of the verdicts"),
        (("--import", "data"), "--verdicts: expected the folder of the verdicts"),
        (("--verdicts", "run"), "expected a folder of reviewers' verdicts, found a run"),
        (("--verdicts", "none"), "--verdicts none: expected a folder of verdicts, found none at"),
        (("--verdicts", "v", "--reviewer", "ann"), "--reviewer: goes with the viewer"),
        (("--verdicts", "v", "--language", "en"), "--language: goes with the viewer"),
        (("--verdicts", "v", "--no-browser"), "--no-browser: goes with the viewer"),
        (("--rescale",), "--rescale: the viewer fits no ground truths"),
        (("--reviewer", "a b"), "reviewer: "),
        (("--prompt-id", "p9"), "p9"),
    ):
        ended = call(*asked, *wrong)
        assert ended.code == 2 and said in ended.err, wrong
    assert served == []
