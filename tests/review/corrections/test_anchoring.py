"""Corrections of the prediction beside masks that were drawn before it was seen."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import BeganFrom
from helpers.data.groups.name_parts import Spellings
from helpers.metrics.case_scores import mask_digest
from helpers.metrics.overlap import count_pixels, dice
from helpers.review.corrections.anchoring import (
    CLICKED,
    OTHER,
    _closeness,
    anchoring,
    drawn_first,
    hidden_prediction,
)
from helpers.review.corrections.beginnings import beginning
from helpers.review.corrections.record import CorrectionRecord, CorrectionTool
from helpers.review.corrections.reviewed import ReviewedCorrections
from helpers.review.corrections.store import CorrectionStore
from helpers.review.review_source import open_source
from tests.review.corrections.test_reviewed import drawn
from tests.support.review_runs import GRIDDED, NO_TRUTH, SAME, SEVERAL, predict_again, write_data, write_run


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("anchoring")
    return open_source(write_run(folder / "run"), write_data(folder / "data"))


def test_cases_are_drawn_by_reader_and_run_among_those_with_a_mask(source, tmp_path):
    masked = {GRIDDED, SAME, SEVERAL, NO_TRUTH}
    assert drawn_first(source, 0, "ann") == frozenset() and drawn_first(source, 1, "ann") == masked
    (one,) = drawn_first(source, 0.1, "ann")
    assert drawn_first(source, 0.25, "ann") == {one} and one in drawn_first(source, 0.5, "ann")
    assert {*drawn_first(source, 0.1, "ann"), *drawn_first(source, 0.1, "bob"), *drawn_first(source, 0.1, "cy")} != {
        one
    }
    again = predict_again(write_run(tmp_path / "run"), GRIDDED)  # the same settings, another table
    assert drawn_first(open_source(again, source.dataset), 0.5, "ann") == drawn_first(source, 0.5, "ann")


def unseen(source, case_id=GRIDDED, **change):
    """A correction that was drawn while the prediction of this run was withheld."""
    one = drawn(source, case_id, prediction_seen=False, **change)
    return replace(one, record=replace(one.record, hidden=hidden_prediction(source, case_id, one.mask)))


def measured(source, store, *given):
    for one in given:
        store.save(one.record, one.mask)
    return anchoring(source, store, store.standing(), store.records())


def test_both_groups_are_compared_with_the_prediction(source, tmp_path):
    store = CorrectionStore(tmp_path / "corrections")
    begun = drawn(source, SAME, BeganFrom.PREDICTION)
    seen = drawn(source, SEVERAL, BeganFrom.EMPTY)  # of a reader who chose to begin from empty
    assert measured(source, store, begun, seen) is None
    reviewed = ReviewedCorrections(source, store)
    assert reviewed.measured_anchoring() is None
    one = unseen(source)
    found = measured(source, store, one)
    for part, each in ((found.of_prediction, begun), (found.of_empty, one)):
        predicted = source.scored_runs[0].run.mask(each.record.case_id, "p1")
        assert part.cases == 1 and part.dice.estimate == dice(count_pixels(predicted, each.mask))
        assert part.dice.low is None
    reviewed.reload()
    told = reviewed.to_text(reviewed.measured_anchoring()).splitlines()[-1]
    assert "anchoring" not in reviewed.to_text()
    assert told.startswith("anchoring, correction against prediction: begun from it Dice 0.")
    assert "(no interval below 5 known patients), 1 case of" in found.to_text() and "left out" not in told
    (store.folder / "ann/masks" / f"{SAME}.png").unlink()
    found = measured(source, store)
    assert found.of_prediction.to_text() == "no case" and "left out: 1 whose mask is lost" in found.to_text()


def test_a_case_of_three_readers_is_one_case(source, tmp_path):
    given = [drawn(source, SAME, BeganFrom.PREDICTION, reviewer=name) for name in ("bob", "cy", "dee")]
    found = measured(source, CorrectionStore(tmp_path / "c"), unseen(source), *given)
    assert (found.of_prediction.cases, found.of_prediction.readers) == (1, 3)
    assert "1 case of 1 patient by 3 readers" in found.of_prediction.to_text()


def test_a_mask_that_was_changed_since_counts_as_it_was_first_drawn(source, tmp_path):
    store, one = CorrectionStore(tmp_path / "c"), unseen(source)
    first = measured(source, store, one).of_empty
    later = drawn(source, GRIDDED, row=9, after=[one.record])  # in sight of the prediction
    found = measured(source, store, later)
    assert found.of_empty == first and "1 changed since, counted as first drawn" in found.to_text()
    store.save(beginning(source, GRIDDED, BeganFrom.EMPTY).record("ann", None, after=[later.record]), None)
    assert measured(source, store).left_out == {"taken back": 1}


def test_masks_with_clicks_and_of_another_run_were_not_drawn_before_this_prediction(source, tmp_path):
    clicked = unseen(source, click_weights=("v",))
    other = unseen(source, SAME)
    hidden = replace(other.record.hidden, config="another")
    unnamed = drawn(source, SEVERAL, prediction_seen=False)  # of before records named the run
    other = replace(other, record=replace(other.record, hidden=hidden))
    found = measured(source, CorrectionStore(tmp_path / "c"), clicked, other, unnamed)
    assert found.left_out == {CLICKED: 1, OTHER: 2} and found.of_empty.cases == 0
    assert f"left out: 1 {CLICKED}; left out: 2 {OTHER}" in found.to_text()


def test_an_empty_mask_without_a_stroke_is_no_drawing(source, tmp_path):
    reviewed, one = ReviewedCorrections(source, CorrectionStore(tmp_path / "c")), drawn(source, prediction_seen=False)
    nothing = np.zeros_like(one.mask)
    record = replace(one.record, mask_sha256=mask_digest(nothing))
    with pytest.raises(UsageProblem, match="nothing was drawn"):
        reviewed.keep(replace(one, record=record, mask=nothing), "ann", unseen=True)
    erased = replace(record, tools=(CorrectionTool.BRUSH, CorrectionTool.ERASER))
    kept = reviewed.keep(replace(one, record=erased, mask=nothing), "ann", unseen=True)
    assert kept.hidden.tp == 0 and kept.hidden.fp > 0 and kept == reviewed.store.records()[0]
    assert "hidden" not in reviewed.facts()[0]


def test_a_correction_of_a_prediction_that_is_another_one_now_plays_no_part(tmp_path):
    dataset, run = write_data(tmp_path / "data"), write_run(tmp_path / "run")
    store, before = CorrectionStore(tmp_path / "c"), open_source(run, dataset)
    measured(before, store, drawn(before, began_from=BeganFrom.PREDICTION), unseen(before, SAME))
    found = measured(open_source(predict_again(run, GRIDDED), dataset), store)
    assert (found.of_prediction.cases, found.of_empty.cases, found.left_out) == (0, 1, {OTHER: 1})


def test_patients_count_alike_and_have_an_interval_from_five_on():
    def of(*patients):
        frames = {
            str(n): SimpleNamespace(frame=SimpleNamespace(patient=one, sequence=None)) for n, one in enumerate(patients)
        }
        values = {("ann", str(n)): float(one in ("P1", None)) for n, one in enumerate(patients)}
        people = SimpleNamespace(spellings=Spellings({"p1": "P1", "P1": "P1"}))
        return _closeness(SimpleNamespace(data_cases=frames, dataset=SimpleNamespace(people=people)), values)

    few = of("P1", "P1", "P1", "P2")
    assert few.dice.estimate == 0.5 and few.patients == 2 and few.dice.low is None
    assert of("P1", "p1", "P2").patients == 2  # spellings of one patient
    five = of("P1", "P2", "P3", "P4", "P5")
    assert five.dice.estimate == pytest.approx(0.2) and five.dice.low > 0 and "[0.008, 0.889]" in five.to_text()
    unknown = of("P2", "P3", "P4", "P5", "P6", None)
    assert unknown.patients is None and unknown.dice.low is None and "unknown patients" in unknown.to_text()


def test_a_record_says_whether_the_prediction_was_seen_and_lines_without_it_are_read(source):
    record = drawn(source, prediction_seen=False).record
    assert CorrectionRecord.from_json(_values(record)).prediction_seen is False
    plain = drawn(source).record
    assert "prediction_seen" not in plain.to_line() and CorrectionRecord.from_json(_values(plain)) == plain
    with pytest.raises(ValueError, match="prediction_seen as true"):
        CorrectionRecord.from_json({**_values(record), "prediction_seen": "no"})
    hidden = unseen(source).record
    assert "hidden" not in plain.to_line() and CorrectionRecord.from_json(_values(hidden)) == hidden
    for damaged in ("no", {}, {**_values(hidden)["hidden"], "tp": -1}):
        with pytest.raises(ValueError, match="hidden|expected texts"):
            CorrectionRecord.from_json({**_values(hidden), "hidden": damaged})


def _values(record):
    return json.loads(record.to_line())
