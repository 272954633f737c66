"""The page from the disk: what it shows, that it asks the network for nothing, and where it is written."""

import json

import numpy as np
import pytest

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.vocabulary import Combine
from helpers.core.watermark import VARIABLE
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.metrics_folder import open_metrics
from helpers.review import page as page_module
from helpers.review.logit_coding import coded_map
from helpers.review.page import write_page
from helpers.review.review_source import open_source
from helpers.review.viewer_facts import review_facts
from tests.support.opened_page import open_page
from tests.support.review_runs import (
    BROKEN,
    CASES,
    FAILED,
    GRIDDED,
    MARKUP,
    NO_TRUTH,
    SAME,
    SEVERAL,
    write_data,
    write_run,
)


def test_the_threshold_moves_the_mask_and_its_scores(opened, made):
    source, _ = made
    opened.case(GRIDDED)
    run = source.scored_runs[0].run
    coded = coded_map(run.logits(GRIDDED, "p1"), Combine.UNION, [None])
    truth = source.view(GRIDDED).truth.mask
    assert np.array_equal(opened.coloured(2), run.mask(GRIDDED, "p1"))
    seen = set()
    for threshold in (0.05, 0.3, 0.9):
        opened.move("threshold", threshold)
        mask = coded.mask(threshold)
        assert np.array_equal(opened.coloured(2), mask) and np.array_equal(opened.coloured(3), mask | truth)
        dice = 2 * (mask & truth).sum() / (mask.sum() + truth.sum())
        assert opened.text("[data-score=dice]") == f"{dice:.3f}"
        assert opened.text("[data-score=recall]") == f"{(mask & truth).sum() / truth.sum():.3f}"
        seen.add(opened.text("[data-score=precision]"))
        assert "not the run's mask" in opened.text(".vk-hint")
    assert len(seen) == 3
    opened.press("t")
    assert np.array_equal(opened.coloured(2), run.mask(GRIDDED, "p1"))


def test_panels_keep_to_their_colours(opened, made):
    opened.case(GRIDDED)
    view = made[0].view(GRIDDED)
    truth, mask = view.truth.mask, view.predictions[0].mask.mask
    opened.move("opacity", 1)
    original, truths, predictions, overlay = (opened.frame(panel) for panel in range(4))
    assert np.array_equal(original[:, :, 0], np.asarray(view.image.convert("L")))
    assert (truths[truth] == (255, 0, 0)).all() and (predictions[mask] == (0, 217, 0)).all()
    assert (overlay[truth & mask] == (240, 227, 66)).all()
    assert (overlay[truth & ~mask] == (214, 94, 0)).all() and (overlay[mask & ~truth] == (87, 181, 232)).all()
    opened.press("v")
    assert (opened.frame(3)[truth & ~mask] == (255, 0, 0)).all()
    opened.press("m")
    assert (opened.frame(3)[~(truth | mask)] == 0).all()


def test_what_is_missing_is_said_and_no_mask_stands_there(opened):
    opened.case(FAILED)
    notes = opened.notes()
    assert "no prediction: no_seg" in notes[2] and notes[0] == notes[1] == notes[3] == ""
    assert opened.coloured(1).any() and not opened.coloured(2).any()
    assert opened.text("[data-score=dice]") == "–"
    opened.case(NO_TRUTH)
    assert opened.notes()[:4] == ["", "no ground truth", "", ""] and opened.coloured(2).any()
    opened.case(BROKEN)
    assert opened.notes()[0] == "the frame cannot be read" and "read_error" in opened.notes()[2]
    opened.case(SAME)
    assert "identical to the ground truth" in opened.text(".vk-warning:not([hidden])")


def test_markup_is_text(opened):
    opened.case(FAILED)
    assert MARKUP in opened.notes()[2] and MARKUP in opened.text(".vk-run")
    assert opened.page.locator("img").count() == 0


def test_it_says_whose_scores_it_shows(opened, browser, tmp_path):
    assert not opened.page.is_visible(".vk-standing")
    data, run = write_data(tmp_path / "data"), write_run(tmp_path / "run")
    (tmp_path / "list.txt").write_text("P1_S9_001.png")  # another frame of P1
    evaluate([run], data, tmp_path / "scores", training=tmp_path / "list.txt", draws=10, processes=1)
    source = open_source(run, data, metrics=open_metrics(tmp_path / "scores"))
    document = source.document()
    assert document["title"] == "3 patients, 1 of them TRAINING patients"
    assert {case["training"] for case in document["cases"] if case["patient"] == "P1"} == {"training"}
    assert {case["case_id"]: case["training"] for case in document["cases"]}[NO_TRUTH] is None  # not scored
    for one in open_page(browser, write_page(source, tmp_path / "review.html")):
        one.page.select_option("[data-control=sort]", label="by case id")  # scores put the worst first
        one.case(GRIDDED)
        assert one.text(".vk-standing") == "3 patients, 1 of them TRAINING patients"
        assert one.page.is_visible("strong.vk-warning")
        one.case(SEVERAL)
        assert not one.page.is_visible("strong.vk-warning")


def test_a_run_of_ones_own_has_no_stamp(opened):
    assert opened.page.locator(".vk-stamp").count() == 1 and not opened.page.is_visible(".vk-stamp")


def test_the_stamp_of_a_demonstration_stands_by_the_title_and_in_every_picture(browser, tmp_path, monkeypatch):
    data = write_data(tmp_path / "data")
    monkeypatch.setenv(VARIABLE, f"synthetic {MARKUP}")
    write_run(tmp_path / "run")
    monkeypatch.delenv(VARIABLE)
    source = open_source(tmp_path / "run", data)
    corner = (
        "(canvas) => Array.from(canvas.getContext('2d').getImageData(0, canvas.height - 18, canvas.width, 18).data)"
    )
    for one in open_page(browser, write_page(source, tmp_path / "review.html")):
        one.case(GRIDDED)
        assert one.text(".vk-stamp") == f"synthetic {MARKUP}" and one.page.locator("img").count() == 0
        title, stamp = (one.page.locator(name).bounding_box() for name in (".vk-id", ".vk-stamp"))
        assert abs(title["y"] + title["height"] / 2 - stamp["y"] - stamp["height"] / 2) < 12
        for panel in range(4):
            canvas = one.page.locator(f"canvas[data-panel='{panel}']")
            pixels = np.array(canvas.evaluate(corner), int).reshape(-1, 4)
            assert (np.abs(pixels[:, :3] - (230, 180, 34)).max(axis=1) < 20).sum() > 20, panel


def test_many_cases_lie_in_a_folder_beside_the_page(made, browser, tmp_path, monkeypatch):
    monkeypatch.setattr(page_module, "MAX_IN_ONE_FILE", 2)
    path = write_page(made[0], tmp_path / "r.html")
    assert len(list((tmp_path / "r-cases").iterdir())) == len(CASES)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["r-cases", "r.html"]
    for one in open_page(browser, path):
        one.case(SAME)
        assert one.coloured(2).any()
    (tmp_path / "r-cases" / f"{CASES.index(NO_TRUTH)}.html").unlink()
    page = browser.new_page()
    page.goto(path.as_uri())
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("text=is missing. Copy it back")
    page.close()
    write_page(made[0], tmp_path / "r.html", case_ids=[SAME])
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.html"]


def test_a_folder_of_something_else_is_never_replaced(made, tmp_path):
    notes = tmp_path / "r-cases" / "notes.txt"
    notes.parent.mkdir()
    notes.write_text("mine")
    with pytest.raises(RefusedInput, match="choose another name for the page"):
        write_page(made[0], tmp_path / "r.html", case_ids=[SAME])
    assert notes.read_text() == "mine" and not (tmp_path / "r.html").exists()


def test_what_cannot_be_written_is_refused_first(made, tmp_path):
    with pytest.raises(UsageProblem, match="ends in .html"):
        write_page(made[0], tmp_path / "r.htm")
    with pytest.raises(UsageProblem, match="got 'nobody'"):
        write_page(made[0], tmp_path / "r.html", case_ids=["nobody"])
    assert not list(tmp_path.iterdir())


def test_no_path_is_in_the_page(made):
    source, path = made
    text = path.read_text(encoding="utf-8")
    assert str(path.parent) not in text and ".png" not in text.replace("image/png", "")
    assert json.dumps(review_facts(source))
