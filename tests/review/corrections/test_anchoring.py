"""Corrections of the prediction beside masks that were drawn before it was seen."""

import json
from types import SimpleNamespace

import pytest

from helpers.core.vocabulary import BeganFrom
from helpers.metrics.overlap import count_pixels, dice
from helpers.review.corrections.anchoring import _closeness, anchoring, drawn_first
from helpers.review.corrections.record import CorrectionRecord
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


def test_both_groups_are_compared_with_the_prediction(source, tmp_path):
    store = CorrectionStore(tmp_path / "corrections")
    begun = drawn(source, SAME, BeganFrom.PREDICTION)
    store.save(begun.record, begun.mask)
    seen = drawn(source, SEVERAL, BeganFrom.EMPTY)  # of a reader who chose to begin from empty
    store.save(seen.record, seen.mask)
    reviewed = ReviewedCorrections(source, store)
    assert anchoring(source, store, reviewed.standing) is None and "anchoring" not in reviewed.to_text()
    unseen = drawn(source, GRIDDED, BeganFrom.EMPTY, prediction_seen=False)
    store.save(unseen.record, unseen.mask)
    reviewed.reload()
    found = anchoring(source, store, reviewed.standing)
    for part, one in ((found.of_prediction, begun), (found.of_empty, unseen)):
        predicted = source.scored_runs[0].run.mask(one.record.case_id, "p1")
        assert part.cases == 1 and part.dice.estimate == dice(count_pixels(predicted, one.mask))
        assert part.dice.low is None
    assert (
        reviewed.to_text()
        .splitlines()[-1]
        .startswith("anchoring, correction against prediction: begun from it Dice 0.")
    )
    assert "(no interval below 5 known patients), 1 cases of" in found.to_text()
    (store.folder / "ann/masks" / f"{GRIDDED}.png").unlink()
    assert anchoring(source, store, reviewed.standing).of_empty.to_text() == "no case"


def test_a_mask_that_the_run_s_own_model_answered_was_not_drawn(source, tmp_path, monkeypatch):
    monkeypatch.setattr("helpers.review.corrections.anchoring.weights_of", lambda model: "w")
    store = CorrectionStore(tmp_path / "corrections")
    answered = drawn(source, GRIDDED, prediction_seen=False, click_weights=("w",))
    store.save(answered.record, answered.mask)
    assert anchoring(source, store, ReviewedCorrections(source, store).standing) is None
    other = drawn(source, SAME, prediction_seen=False, click_weights=("v",))
    store.save(other.record, other.mask)
    assert anchoring(source, store, ReviewedCorrections(source, store).standing).of_empty.cases == 1


def test_a_correction_of_a_prediction_that_is_another_one_now_plays_no_part(tmp_path):
    dataset, run = write_data(tmp_path / "data"), write_run(tmp_path / "run")
    store, before = CorrectionStore(tmp_path / "c"), open_source(run, dataset)
    begun, unseen = drawn(before, began_from=BeganFrom.PREDICTION), drawn(before, SAME, prediction_seen=False)
    for one in (begun, unseen):
        store.save(one.record, one.mask)
    now = open_source(predict_again(run, GRIDDED), dataset)
    found = anchoring(now, store, ReviewedCorrections(now, store).standing)
    assert (found.of_prediction.cases, found.of_empty.cases) == (0, 1)


def test_patients_count_alike_and_have_an_interval_from_five_on():
    def of(*patients):
        frames = {str(n): SimpleNamespace(frame=SimpleNamespace(patient=one)) for n, one in enumerate(patients)}
        records = [SimpleNamespace(id=f"r{name}", case_id=name) for name in frames]
        values = {f"r{n}": float(one in ("P1", None)) for n, one in enumerate(patients)}
        return _closeness(SimpleNamespace(data_cases=frames), records, values)

    few = of("P1", "P1", "P1", "P2")
    assert few.dice.estimate == 0.5 and few.patients == 2 and few.dice.low is None
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


def _values(record):
    return json.loads(record.to_line())
