"""Masks corrected on the page from the disk: with each tool, without the ground truth, and found again."""

import json

import numpy as np
import pytest
from scipy.ndimage import label

from helpers.core.vocabulary import Combine
from helpers.review.corrections.drawn import read_drawn
from helpers.review.corrections.reviewed import HandedIn, ReviewedCorrections
from helpers.review.corrections.store import CorrectionStore
from helpers.review.logit_coding import coded_map
from helpers.review.page import write_page
from helpers.review.verdicts import read_taken
from tests.support.correcting import set_size, stroke
from tests.support.opened_page import Opened, open_page
from tests.support.review_runs import BROKEN, FAILED, GRIDDED, HEIGHT, NO_TRUTH, SAME, WIDTH
from tests.support.viewer_controls import TELL_WHAT_IS_DRAWN

SIZE = (WIDTH, HEIGHT)
PANEL = 4
SAID = ".vk-card [role=status]"


@pytest.fixture
def ann(opened):
    opened.page.fill("[data-control=reviewer]", "ann")
    opened.press("Escape", "Home")
    opened.wait(lambda: opened.text(".vk-id") == GRIDDED)
    return opened


def save(one):
    one.press("s")
    one.wait(lambda: "the correction is saved" in one.text(SAID))


def downloaded(one, path):
    with one.page.expect_download() as waiting:
        one.page.click("button:has-text('Download')")
    waiting.value.save_as(path)
    return read_drawn(path)


def test_a_mask_is_corrected_saved_found_again_and_taken_over(ann, made, browser, tmp_path):
    source, page = made[0], ann.page
    predicted = source.scored_runs[0].run.mask(GRIDDED, "p1")
    ann.press("E", "b")
    assert np.array_equal(ann.coloured(PANEL), predicted)
    ann.press("0")
    set_size(page, 3)
    stroke(page, SIZE, (10, 5), (30, 5))
    drawn = predicted.copy()
    drawn[4:7, 9:32] = True
    assert np.array_equal(ann.coloured(PANEL), drawn)
    ann.press("0", "e")
    stroke(page, SIZE, (20, 0), (20, 12))
    drawn[0:14, 19:22] = predicted[0:14, 19:22]
    assert np.array_equal(ann.coloured(PANEL), drawn) and label(drawn, np.ones((3, 3)))[1] == 3
    ann.press("0", "x")
    stroke(page, SIZE, (28, 5))
    less = drawn.copy()
    less[4:7, 22:32] = False
    assert np.array_equal(ann.coloured(PANEL), less)
    page.keyboard.down("v")
    ann.settle()
    assert "before: prediction" in ann.text("figure:has([data-panel='4']) .vk-legend")
    before = ann.coloured(PANEL)
    page.keyboard.up("v")
    assert np.array_equal(before, predicted)
    ann.press("z")
    assert np.array_equal(ann.coloured(PANEL), drawn)
    ann.press("Z", "c")  # contours too
    outline = ann.coloured(PANEL)
    assert outline.any() and not (outline & less).any()
    ann.press("c")
    ann.press("a")
    assert "leave with E" in ann.text(SAID) and ann.text(".vk-corrected") == "correcting · unsaved"
    save(ann)
    assert ann.text(".vk-progress") == "0 of 6 reviewed, 0 rejected, 1 corrected"
    ann.press("E")
    assert np.array_equal(ann.coloured(2), predicted) and np.array_equal(ann.coloured(PANEL), less)

    page.reload()
    page.fill("[data-control=reviewer]", "ann")
    ann.press("Escape")
    ann.wait(lambda: page.is_visible("canvas[data-panel='4']"))
    assert np.array_equal(ann.coloured(PANEL), less) and ann.text(".vk-corrected") == "corrected"
    ann.press("G")
    assert page.locator(".vk-tile em:text-is('corrected')").count() == 1
    ann.press("G")
    (found,) = downloaded(ann, tmp_path / "f.jsonl")
    assert np.array_equal(found.mask, less) and found.record.base == source.view(GRIDDED).bases["prediction"]
    assert set(found.record.tools) == {"brush", "eraser", "piece"} and 0 < found.record.seconds < 600
    reviewed = ReviewedCorrections(source, CorrectionStore(tmp_path / "corrections"))
    assert reviewed.hand_in([found]) == HandedIn(kept=1)
    path = write_page(source, tmp_path / "again.html", case_ids=[GRIDDED], corrections=reviewed.store)
    for again in open_page(browser, path):
        again.page.evaluate("localStorage.clear()")
        again.page.reload()
        assert not again.page.is_visible("canvas[data-panel='4']")  # another reader's is nobody's business
        again.page.fill("[data-control=reviewer]", "ann")
        again.press("Escape")
        again.wait(lambda one=again: one.page.is_visible("canvas[data-panel='4']"))
        assert np.array_equal(again.coloured(PANEL), less)
        again.press("E", "0")
        assert again.page.input_value("[data-control=beginning]") == "correction"
        stroke(again.page, SIZE, (60, 70), (64, 70))
        save(again)
        again.press("X")
        again.wait(lambda one=again: "was taken back" in one.text(SAID))
        assert np.array_equal(again.coloured(PANEL), predicted)
        given = reviewed.hand_in(downloaded(again, tmp_path / "g.jsonl"))
        assert given == HandedIn(kept=2, known=0) and not reviewed.standing


def test_two_windows_of_a_reader_show_and_never_replace_each_other_s_correction(ann):
    other = Opened(ann.page.context.new_page())
    other.page.add_init_script(TELL_WHAT_IS_DRAWN)
    other.page.goto(ann.page.url)
    other.page.fill("[data-control=reviewer]", "ann")
    other.press("Escape", "Home")
    for one, row in ((ann, 5), (other, 60)):
        one.page.bring_to_front()
        one.press("E", "f", "f", "b")  # from empty
        set_size(one.page, 1)
        stroke(one.page, SIZE, (10, row), (12, row))
    save(ann)
    other.press("s")
    other.wait(lambda: "another window of yours kept" in other.text(SAID))
    assert other.text(".vk-corrected") == "correcting · unsaved"
    other.press("s")  # it has not been looked at
    other.wait(lambda: "another window of yours kept" in other.text(SAID))
    other.press("E")
    other.wait(lambda: np.array_equal(np.flatnonzero(other.coloured(PANEL).any(axis=1)), [5]))
    other.press("0", "E")
    save(other)  # that it takes its place is known
    ann.page.bring_to_front()
    ann.press("E")
    ann.case(SAME)
    ann.case(GRIDDED)
    ann.wait(lambda: np.array_equal(np.flatnonzero(ann.coloured(PANEL).any(axis=1)), [60]))
    ann.page.select_option("[data-control=correctionFilter]", "corrected")
    assert ann.text("nav output >> nth=0") == "1 / 1" and "corrected" in ann.page.inner_text(".vk-order")


def test_strokes_stay_with_the_name_under_which_they_were_drawn(ann, tmp_path):
    ann.press("E", "f", "f")
    stroke(ann.page, SIZE, (10, 5), (12, 5))
    ann.page.fill("[data-control=reviewer]", "bob")
    assert "The mask that ann did not save stays aside" in ann.text(SAID) and not ann.page.is_visible(".vk-editing")
    ann.press("Escape", "E")
    assert (
        ann.text(".vk-corrected") == "correcting" and ann.page.input_value("[data-control=beginning]") == "prediction"
    )
    ann.press("E")
    ann.page.fill("[data-control=reviewer]", "ann")
    ann.wait(lambda: ann.text(".vk-corrected") == "correcting · unsaved")
    ann.press("Escape")
    save(ann)
    ann.page.fill("[data-control=reviewer]", "bob")  # nor does another go on with what is saved
    assert not ann.page.is_visible(".vk-editing") and ann.text(".vk-corrected") == ""
    (found,) = downloaded(ann, tmp_path / "f.jsonl")
    assert found.record.reviewer == "ann"
    # A file of another window, which did not know this correction, leaves it where it is.
    for number, continues, said in ((1, [], "1 correction left out"), (2, [found.record.id], "1 record imported")):
        line = json.loads((tmp_path / "f.jsonl").read_text())
        line |= {"id": f"{number:032x}", "continues": continues, "time": "2999-01-01T00:00:00.000Z"}
        (tmp_path / "g.jsonl").write_text(json.dumps(line))
        ann.page.set_input_files("[data-control=import]", tmp_path / "g.jsonl")
        ann.wait(lambda said=said: said in ann.text(SAID))


def test_a_browser_without_room_says_so_and_the_download_has_everything(ann, tmp_path):
    ann.page.evaluate("""() => {
        globalThis.room = Storage.prototype.setItem;
        Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); };
    }""")
    ann.press("a")
    ann.wait(lambda: "Not kept: the browser has no room" in ann.text(SAID))
    ann.press("Home", "E")
    stroke(ann.page, SIZE, (10, 5), (12, 5))
    ann.press("s")
    ann.wait(lambda: "Not kept: the browser has no room" in ann.text(SAID))
    assert ann.text(".vk-corrected") == "correcting · corrected, to be downloaded"
    assert len(downloaded(ann, tmp_path / "f.jsonl")) == 1 and len(read_taken(tmp_path / "f.jsonl")) == 1
    ann.page.evaluate("() => { Storage.prototype.setItem = globalThis.room; }")
    stroke(ann.page, SIZE, (10, 9), (12, 9))
    save(ann)
    ann.press("E", "r")
    ann.wait(lambda: "reject" in ann.text(SAID))
    ann.page.reload()  # what waited was kept with what came after
    ann.page.fill("[data-control=reviewer]", "ann")
    assert ann.text(".vk-progress") == "1 of 6 reviewed, 1 rejected, 1 corrected"


def test_the_record_says_whether_the_ground_truth_was_seen(ann, tmp_path):
    page, truth = ann.page, "canvas[data-panel='1']"
    ann.press("Shift+Digit2", "Shift+Digit4")
    ann.case(SAME)  # whose ground truth was never on the screen
    ann.press("E")
    stroke(page, SIZE, (10, 10), (12, 10))
    save(ann)
    ann.press("T")
    assert page.is_visible(truth) and ann.text("[data-score=dice]") != "–"
    ann.press("T")
    assert not page.is_visible(truth) and ann.text("[data-score=dice]") == "–"
    stroke(page, SIZE, (10, 14), (12, 14))
    save(ann)
    ann.press("E")
    assert page.is_visible(truth) and page.is_visible(".vk-warning:text('identical')")
    ann.case(GRIDDED)  # whose ground truth was there at the beginning
    ann.press("E")
    assert not page.is_visible(truth) and "in the truth" not in ann.text(".vk-pixel")
    stroke(page, SIZE, (10, 10), (12, 10))
    ann.case(SAME)
    ann.case(GRIDDED)
    assert not page.is_visible(truth) and ann.text(".vk-corrected") == "correcting · unsaved"  # as it was left
    save(ann)
    seen = [(one.record.case_id, one.record.truth_seen) for one in downloaded(ann, tmp_path / "f.jsonl")]
    assert seen == [(SAME, False), (SAME, True), (GRIDDED, True)]


def test_where_a_case_can_begin_and_pixels_of_a_lower_threshold(ann, made):
    run, page = made[0].scored_runs[0].run, ann.page
    ann.case(BROKEN)
    ann.press("E")
    assert "cannot be read" in ann.text(SAID)
    ann.case(FAILED)
    ann.press("E", "t")
    assert page.input_value("[data-control=beginning]") == "truth" and "no logits" in ann.text(SAID)
    ann.press("f")
    assert page.input_value("[data-control=beginning]") == "empty" and not ann.coloured(PANEL).any()
    ann.case(NO_TRUTH)
    ann.press("E", "t")
    for _ in range(30):
        page.keyboard.press("ArrowDown")
    assert ann.text("[data-edit=level]") == "0.005"
    set_size(page, 9)
    ann.press("1")  # one pixel of the frame to one of the screen
    stroke(page, SIZE, (30, 0), (30, 79), zoom=1)
    lower, brushed = (
        coded_map(run.logits(NO_TRUTH, "p1"), Combine.UNION, [None]).mask(0.005),
        np.zeros((HEIGHT, WIDTH), bool),
    )
    brushed[:, 26:35] = True
    wanted = run.mask(NO_TRUTH, "p1") | (lower & brushed)
    assert wanted.sum() > run.mask(NO_TRUTH, "p1").sum() and np.array_equal(ann.coloured(PANEL), wanted)
    ann.press("k", "0")
    stroke(page, SIZE, (30, int(np.flatnonzero(wanted[:, 30])[0])))
    pieces, _ = label(wanted, np.ones((3, 3)))
    kept = pieces == pieces[np.flatnonzero(wanted[:, 30])[0], 30]
    assert np.array_equal(ann.coloured(PANEL), kept)
