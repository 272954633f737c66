"""A review by the words of Python: the viewer in a notebook, the page elsewhere, verdicts beside the run."""

import IPython.display
import pytest

from helpers.core.errors import UsageProblem
from helpers.prediction.engine.model_loading import check_folder
from helpers.review.pictures import worst_median_best
from helpers.review.verdicts import Verdict
from helpers.review.widget import ReviewWidget
from helpers.runs.run_folder import open_run
from helpers.stages.evaluate_stage import evaluate
from helpers.stages.review_stage import open_review


def test_a_notebook_shows_the_viewer(material, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda one, raw=False: shown.append(one))
    open_review(material / "demo-run", material / "demo-data", verdicts=tmp_path / "verdicts")._ipython_display_()
    place, viewer = shown
    assert "Every verdict is kept" in place["text/plain"] and isinstance(viewer, ReviewWidget)
    assert [case["case_id"] for case in viewer.facts["cases"]] == list(open_run(material / "demo-run").cases())


def test_the_page_has_the_worst_first_and_the_verdicts(material, tmp_path):
    scores = evaluate(material / "demo-run", material / "demo-data", tmp_path / "scores", processes=1, draws=200)
    review = open_review(
        open_run(material / "demo-run"), material / "demo-data", metrics=scores, verdicts=tmp_path / "v", reviewer="ab"
    )
    worst = min(review.source.scores, key=lambda case_id: review.source.scores[case_id]["dice"])
    review.session.give(Verdict.REJECT, note="too thin", case_id=worst)
    page = review.page(tmp_path / "review.html", most=1).read_text(encoding="utf-8")
    assert "too thin" in page and worst in page and review.session.queue[0] == worst
    others = set(review.session.queue[1:])
    assert others and not any(f'"case_id": "{case_id}"' in page for case_id in others)
    again = open_review(material / "demo-run", material / "demo-data", verdicts=tmp_path / "v", reviewer="ab")
    assert again.session.verdicts[worst].verdict is Verdict.REJECT


def test_cases_to_be_drawn_first_are_in_no_page_and_no_contact_sheet(material, tmp_path):
    given = {"verdicts": tmp_path / "v", "reviewer": "ab", "from_empty": 0.5}
    review = open_review(material / "demo-run", material / "demo-data", **given)
    hidden = review.to_draw_first
    shown = {case.case_id for case in review.source.cases} - hidden
    assert hidden and shown
    page = review.page(tmp_path / "review.html").read_text(encoding="utf-8")
    assert {one for one in hidden | shown if f'"case_id": "{one}"' in page} == shown
    groups = worst_median_best(review.source, count=9, without=hidden)
    assert {case_id for case_ids in groups.values() for case_id in case_ids} <= shown
    with pytest.raises(UsageProblem, match="from_empty: expected a share"):  # before anything is opened
        open_review("no-run", "no-data", from_empty=2)


def test_verdicts_lie_beside_the_run_where_no_folder_is_named(material, monkeypatch):
    monkeypatch.chdir(material)
    review = open_review("demo-run", "demo-data")
    assert review.session.store.folder == material / "demo-run-verdicts"


def test_a_model_folder_answers_clicks(material, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(IPython.display, "display", lambda one, raw=False: shown.append(one))
    model, run = material / "my-model", open_run(material / "demo-run")
    review = open_review(run, material / "demo-data", verdicts=tmp_path / "v", model=model)
    review.show()
    # As of a run of the model, which has no headline on what such clicks drew.
    assert shown[1].facts["clicks"] == review.clicking.weights == check_folder(model).tensors_sha256
    assert open_review(run, material / "demo-data", verdicts=tmp_path / "v").clicking is None


def test_what_cannot_work_is_refused(material, tmp_path):
    with pytest.raises(UsageProblem, match="run lost: expected an existing file or folder"):
        open_review("lost", material / "demo-data")
    with pytest.raises(UsageProblem, match="model lost: expected"):
        open_review(material / "demo-run", material / "demo-data", verdicts=tmp_path / "v", model="lost")
    with pytest.raises(UsageProblem, match="prompt: expected one of p1"):
        open_review(material / "demo-run", material / "demo-data", prompt="p7")
    with pytest.raises(UsageProblem, match="review.htm: expected a name that ends in .html"):
        open_review(material / "demo-run", material / "demo-data").page(tmp_path / "review.htm")
