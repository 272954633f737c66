"""Clicks in the viewer of a notebook, whose kernel is the widget itself and whose model is a stand-in."""

import base64

import numpy as np
import pytest

from helpers.core.vocabulary import BeganFrom
from helpers.review.corrections.clicking import Clicking
from helpers.review.corrections.reviewed import ReviewedCorrections
from helpers.review.corrections.store import CorrectionStore
from helpers.review.session import ReviewSession
from helpers.review.verdicts import VerdictStore
from helpers.review.viewer_facts import viewer_module
from helpers.review.widget import ReviewWidget
from tests.review.corrections.test_carrying import Carrier, row
from tests.support.correcting import set_size, stroke
from tests.support.opened_page import Opened
from tests.support.review_runs import GRIDDED, HEIGHT, SAME, WIDTH
from tests.support.stand_in_clicks import RowsForPoints
from tests.support.viewer_controls import TELL_WHAT_IS_DRAWN

SIZE = (WIDTH, HEIGHT)
PANEL = 4
SAID = ".vk-card [role=status]"
_RENDER = """async ([source, facts]) => {
    const { default: widget } = await import(`data:text/javascript;base64,${source}`);
    let heard;
    const model = {
        get: (name) => ({ facts, reviewer: "ann" })[name],
        on: (name, act) => { heard = act; },
        off: () => {},
        send: (message) => globalThis.kernel(message).then((answer) => heard(answer)),
    };
    const el = document.createElement("div");
    document.body.append(el);
    widget.render({ model, el });
}"""


@pytest.fixture
def show(browser, made, tmp_path):
    """`show(model)`: the viewer of a kernel with that model, and the store of its corrections."""
    source, contexts = made[0], []

    def shown(model, carrier=None, drawn_first=frozenset()):
        session = ReviewSession(source.cases, VerdictStore(tmp_path / "v"), "ann", source.run, source.prompt)
        corrections = ReviewedCorrections(source, CorrectionStore(tmp_path / "c"))
        clicking = None if model is None else Clicking(source, model)
        widget = ReviewWidget(source, session, corrections, clicking, carrier, drawn_first)
        contexts.append(browser.new_context(viewport={"width": 1500, "height": 950}))
        page = contexts[-1].new_page()
        page.evaluate(TELL_WHAT_IS_DRAWN)
        page.expose_function("kernel", widget.answer)
        page.evaluate(_RENDER, [base64.b64encode(viewer_module().encode()).decode(), widget.facts])
        one = Opened(page)
        one.wait(lambda: one.text(".vk-id") == GRIDDED)
        page.focus(".vesselkit-review")
        return one, corrections.store

    yield shown
    for context in contexts:
        context.close()


def rows(count):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[:count] = True
    return mask


def shows(one, mask):
    one.wait(lambda: np.array_equal(one.coloured(PANEL), mask))
    one.press("0")


def test_points_and_boxes_become_strokes_of_the_record(show, made):
    model = RowsForPoints()
    one, store = show(model)
    predicted = made[0].scored_runs[0].run.mask(GRIDDED, "p1")
    one.press("E", "P")
    one.wait(lambda: model.opened == [SIZE])  # read ahead
    stroke(one.page, SIZE, (20, 50))
    shows(one, rows(1))
    assert model.asked[0]["points"] == pytest.approx(np.array([[20, 50]]), abs=0.1) and model.asked[0]["labels"] == [1]
    np.testing.assert_array_equal(model.asked[0]["mask"], predicted)
    one.press("N")
    stroke(one.page, SIZE, (30, 10))
    shows(one, rows(2))
    assert model.asked[1]["labels"] == [1, 0] and model.asked[1]["logits"] is not None
    one.press("P")
    stroke(one.page, SIZE, (60, 60), (40, 30))
    one.wait(lambda: len(model.asked) == 3)
    assert model.asked[2]["box"] == pytest.approx([40, 30, 60, 60], abs=0.1) and len(model.asked[2]["points"]) == 2
    one.press("z", "z")
    shows(one, rows(1))
    stroke(one.page, SIZE, (10, 10))  # what was undone plays no part
    one.wait(lambda: len(model.asked) == 4)
    assert model.asked[3]["labels"] == [1, 1] and model.asked[3]["box"] is None
    shows(one, rows(2))
    one.press("s")
    one.wait(lambda: "the correction is saved" in one.text(SAID))
    (record,) = store.records()
    assert [str(tool) for tool in record.tools] == ["clicks"] and record.click_weights == ("a" * 64,)
    assert np.array_equal(store.mask(record), rows(2))


def test_a_first_point_has_three_masks(show):
    one, _ = show(RowsForPoints())
    one.press("E", "f", "f", "P")  # from an empty mask
    stroke(one.page, SIZE, (20, 50))
    shows(one, rows(2))  # the one of the highest estimate
    assert "mask 1 of 3" in one.text(SAID) and one.page.is_visible("text=Next mask (M)")
    for count in (3, 1, 2):
        one.press("M")
        shows(one, rows(count))
    one.press("z")
    shows(one, rows(0))


def test_a_correction_is_carried_and_looked_at(show):
    one, store = show(RowsForPoints(), Carrier())
    one.press("E", "f", "f", "F")
    assert "Save the correction" in one.text(SAID)
    one.press("P")
    stroke(one.page, SIZE, (20, 50))
    shows(one, rows(2))
    one.press("s")
    one.wait(lambda: "the correction is saved" in one.text(SAID))
    one.press("F")
    one.wait(lambda: "1 mask carried" in one.text(SAID))
    one.press("E", "ArrowRight")
    one.wait(lambda: one.text(".vk-id") == SAME)
    assert one.text(".vk-corrected") == "carried: look" and set(store.standing()["ann"]) == {GRIDDED}
    one.press("E")
    shows(one, row(1))  # begins from what was carried
    one.press("s")  # as it is
    one.wait(lambda: "the correction is saved" in one.text(SAID))
    found = store.standing()["ann"]
    assert found[SAME].base.began_from is BeganFrom.CARRIED and found[SAME].tools == ()
    assert found[SAME].base.carried_from == (found[GRIDDED].id,) and np.array_equal(store.mask(found[SAME]), row(1))
    assert one.text(".vk-corrected").startswith("correct")


def test_strokes_outlive_the_carried_mask_that_they_began_from_and_one_of_no_use_is_dismissed(show, monkeypatch):
    one, store = show(RowsForPoints(), Carrier())

    def save():
        one.press("s")
        one.wait(lambda: "the correction is saved" in one.text(SAID))

    def carry():
        one.press("F")
        one.wait(lambda: "1 mask carried" in one.text(SAID))

    def go(key, case_id):
        one.press(key)
        one.wait(lambda: one.text(".vk-id") == case_id and one.page.is_enabled(".vk-tile, .vk-verdict"))
        one.settle()

    one.press("E", "f", "f", "P")
    stroke(one.page, SIZE, (20, 50))
    shows(one, rows(2))
    save()
    carry()
    go("ArrowRight", SAME)
    one.press("E", "b")
    shows(one, row(1))
    set_size(one.page, 1)
    stroke(one.page, SIZE, (10, 60), (12, 60))
    go("ArrowLeft", GRIDDED)
    one.press("E", "b")
    stroke(one.page, SIZE, (10, 70), (12, 70))
    save()
    monkeypatch.setattr("tests.review.corrections.test_carrying.row", lambda place: rows(place + 4))
    carry()
    go("ArrowRight", SAME)
    one.wait(lambda: "The carried mask is another one now." in one.text(".vk-editing"))
    one.press("D")
    assert "Undo (z) or save (s)" in one.text(SAID)
    drawn = row(1)
    drawn[60, 10:13] = True
    shows(one, drawn)
    save()
    (first, second), kept = [one for one in store.records() if one.case_id == GRIDDED], store.standing()["ann"][SAME]
    assert kept.base.carried_from == (first.id,) and np.array_equal(store.mask(kept), drawn)
    one.press("X")
    one.wait(lambda: "was taken back" in one.text(SAID))
    one.press("E")
    go("ArrowLeft", GRIDDED)
    go("ArrowRight", SAME)
    assert one.text(".vk-corrected") == "carried: look"
    one.page.select_option("[data-control=correctionFilter]", "carried")
    assert one.text("nav output >> nth=0") == "1 / 1"
    one.press("Escape", "E", "D")
    one.wait(lambda: "the carried mask was dismissed" in one.text(SAID))
    assert one.page.input_value("[data-control=beginning]") == "prediction"
    assert one.text(".vk-corrected") == "correcting" and not one.page.is_visible("text=Dismiss (D)")
    assert second.id in {one.id for one in store.standing()["ann"].values()}


def not_on_the_screen(one, *places):
    return all(one.page.is_hidden(f"canvas[data-panel='{place}']") for place in places)


def test_a_case_that_is_drawn_first_shows_its_prediction_after_that(show, made):
    one, store = show(None, drawn_first=frozenset({GRIDDED}))
    note = ".vk-note >> nth=2"
    assert one.text(".vk-progress").endswith(", 1 to draw from empty") and not_on_the_screen(one, 1, 3)
    assert one.text(".vk-corrected") == "draw from empty first" and "Draw this case from empty first" in one.text(note)
    assert one.text("[data-score=dice]") == "–" and not one.coloured(2).any()
    one.press("a")
    assert "draw this case from empty first" in one.text(SAID)
    one.press("E", "t")
    assert "not shown yet" in one.text(SAID)
    assert one.page.locator("[data-control=beginning] option").all_inner_texts() == ["empty mask"]
    one.press("s")
    assert "nothing is drawn" in one.text(SAID) and not store.records()
    one.press("b", "0")
    stroke(one.page, SIZE, (10, 60), (12, 60))
    for row_of in (60, 66):  # both before it is left
        stroke(one.page, SIZE, (10, row_of), (12, row_of))
        one.press("s")
        one.wait(lambda: "the correction is saved" in one.text(SAID))
    assert not one.coloured(2).any()
    one.press("0", "E")
    one.wait(lambda: one.page.is_hidden(note))
    assert np.array_equal(one.coloured(2), made[0].scored_runs[0].run.mask(GRIDDED, "p1"))
    assert one.text("[data-score=dice]") != "–" and one.text(".vk-corrected") == "corrected"
    assert "to draw" not in one.text(".vk-progress") and not any(not_on_the_screen(one, place) for place in (1, 3))
    assert [each.prediction_seen for each in store.records()] == [False, False]
    one.press("0", "E")
    stroke(one.page, SIZE, (10, 70), (12, 70))
    one.press("s")
    one.wait(lambda: "the correction is saved" in one.text(SAID))
    assert store.standing()["ann"][GRIDDED].prediction_seen is None  # it went on with the prediction in sight


def test_without_a_model_the_tools_are_not_there_and_the_viewer_says_why(show, opened):
    one, _ = show(None)
    one.press("E", "P")
    assert "Clicks need a model" in one.text(SAID) and "Clicks need a model" in one.text(".vk-editing")
    assert not one.page.is_visible("[data-tool=point]") and one.page.is_visible("[data-tool=brush]")
    opened.page.fill("[data-control=reviewer]", "ann")
    opened.press("Escape", "Home", "E", "P")
    assert "need its kernel" in opened.text(SAID) and not opened.page.is_visible("[data-tool=beside]")


def test_what_the_model_refuses_is_told(show):
    class Full(RowsForPoints):
        def answer(self, image, **asked):
            raise ValueError("no room on the card")

    one, store = show(Full())
    one.press("E", "f", "f", "P")
    stroke(one.page, SIZE, (20, 50))
    one.wait(lambda: "no room on the card" in one.text(SAID))
    shows(one, rows(0))  # nothing of the mask in hand is another one
    assert one.text(".vk-corrected") == "correcting" and store.records() == ()
    one.press("s")
    one.wait(lambda: "nothing is drawn" in one.text(SAID))
    stroke(one.page, SIZE, (20, 50))
    one.wait(lambda: "no room on the card" in one.text(SAID))  # and it can be asked again
