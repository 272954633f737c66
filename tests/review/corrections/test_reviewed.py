"""Corrections of a run's cases, as the viewer shows them and hands them in."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import BeganFrom, Exchange
from helpers.data.exported_masks import read_exported
from helpers.review.corrections.beginnings import beginning
from helpers.review.corrections.drawn import DrawnCorrection
from helpers.review.corrections.record import Base, CorrectionTool
from helpers.review.corrections.reviewed import HandedIn, ReviewedCorrections, corrections_beside
from helpers.review.corrections.store import CorrectionStore
from helpers.review.exports import export_corrections
from helpers.review.payload import packed
from helpers.review.review_source import open_source
from tests.support.review_runs import BROKEN, FAILED, GRIDDED, NO_TRUTH, SAME, predict_again, write_data, write_run


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reviewed")
    return open_source(write_run(folder / "run"), write_data(folder / "data"))


@pytest.fixture
def reviewed(source, tmp_path):
    return ReviewedCorrections(source, CorrectionStore(tmp_path / "corrections"))


def drawn(source, case_id=GRIDDED, began_from=BeganFrom.EMPTY, reviewer="ann", after=(), row=3, **change):
    """A correction with one row of pixels."""
    start = beginning(source, case_id, began_from)
    mask = start.mask.copy()
    mask[row] = True
    record = start.record(reviewer, mask, seconds=1.0, truth_seen=False, after=after)
    return DrawnCorrection(replace(record, **change), mask)


def sent_line(one):
    """A correction as the viewer sends it, an object."""
    values = json.loads(one.record.to_line()) | {"schema": "vesselkit.drawn-correction", "mask": packed(one.mask)}
    return {name: value for name, value in values.items() if name != "mask_sha256"}


def test_a_case_tells_what_it_can_begin_from(source):
    assert list(source.view(GRIDDED).to_json()["bases"]) == ["prediction", "truth", "empty"]
    assert list(source.view(FAILED).to_json()["bases"]) == ["truth", "empty"]
    assert list(source.view(NO_TRUTH).to_json()["bases"]) == ["prediction", "empty"]
    broken = source.view(BROKEN).to_json()
    assert broken["bases"] == {} and broken["image_sha256"] is None


def test_what_is_kept_is_there_again(source, reviewed):
    one = drawn(source)
    assert reviewed.keep(one, "ann") == one.record
    again = ReviewedCorrections(source, reviewed.store)
    (fact,) = again.facts()
    assert fact["id"] == one.record.id and fact["base"]["began_from"] == "empty" and "mask" not in fact
    assert again.masks(GRIDDED) == {one.record.id: packed(one.mask)} and again.masks(SAME) == {}
    assert again.to_text() == "ann: 1 corrected"
    back = beginning(source, GRIDDED, BeganFrom.EMPTY).record("ann", None, after=[one.record])
    again.keep(DrawnCorrection(back, None, (one.record.id,)), "ann")
    assert [one["mask"] for one in again.facts()] == [None] and again.masks(GRIDDED) == {} and again.to_text() == ""


def test_a_damaged_mask_is_told_and_the_case_is_shown(source, reviewed, caplog):
    one = drawn(source)
    reviewed.keep(one, "ann")
    (reviewed.store.folder / "ann/masks" / f"{GRIDDED}.png").write_bytes(b"damaged")
    assert reviewed.masks(GRIDDED) == {one.record.id: None} and "damaged" in caplog.text


@pytest.mark.parametrize(
    "change", [{"reviewer": "bob"}, {"case_id": "nobody"}, {"image_sha256": "0" * 64}], ids=["reader", "case", "frame"]
)
def test_what_is_not_of_this_reader_and_frame_is_refused(source, reviewed, change):
    one = drawn(source)
    with pytest.raises(UsageProblem, match="expected a correction of"):
        reviewed.keep(replace(one, record=replace(one.record, **change)), "ann")
    assert reviewed.store.records() == ()


def test_a_prediction_that_is_another_one_now_is_no_base_but_for_who_goes_on_with_a_correction(tmp_path):
    dataset, run = write_data(tmp_path / "data"), write_run(tmp_path / "run")
    before = open_source(run, dataset)
    first = drawn(before, began_from=BeganFrom.PREDICTION)
    second = drawn(before, began_from=BeganFrom.PREDICTION, after=[first.record], row=4)
    now = open_source(predict_again(run, GRIDDED), dataset)
    reviewed = ReviewedCorrections(now, CorrectionStore(tmp_path / "corrections"))
    with pytest.raises(UsageProblem, match="changed meanwhile"):
        reviewed.keep(first, "ann")
    reviewed.store.save(first.record, first.mask)
    reviewed.keep(replace(second, continues=(first.record.id,)), "ann")
    assert reviewed.facts()[0]["id"] == second.record.id


def test_strokes_on_a_prediction_that_was_shown_are_kept_though_it_is_another_one_now(tmp_path):
    dataset, run = write_data(tmp_path / "data"), write_run(tmp_path / "run")
    before = open_source(run, dataset)
    shown, one = before.view(GRIDDED).bases, drawn(before, began_from=BeganFrom.PREDICTION)
    reviewed = ReviewedCorrections(open_source(predict_again(run, GRIDDED), dataset), CorrectionStore(tmp_path / "c"))
    reviewed.handed_out(GRIDDED, shown.values())
    now = reviewed.source.view(GRIDDED).bases[BeganFrom.PREDICTION]
    assert reviewed.keep(one, "ann").base == shown[BeganFrom.PREDICTION] != now


def test_two_windows_of_a_reader_do_not_replace_each_other_s_correction_unseen(source, reviewed):
    first = drawn(source)
    reviewed.keep(first, "ann")
    second = replace(drawn(source, after=[first.record], row=4), continues=(first.record.id,))
    other = replace(drawn(source, after=[second.record], row=5), continues=(first.record.id,))
    window = ReviewedCorrections(source, reviewed.store)  # of another kernel, which has read the folder before
    reviewed.keep(second, "ann")
    for unseen in (other, replace(other, continues=None), replace(other, continues=())):
        with pytest.raises(UsageProblem, match="another window of yours kept a correction .* E and s then save yours"):
            window.keep(unseen, "ann")
    assert np.array_equal(window.store.mask(window.standing["ann"][GRIDDED]), second.mask)
    assert reviewed.hand_in([other]) == HandedIn(conflicting=1)
    assert "take that one back in the viewer (X)" in HandedIn(conflicting=1).to_text()
    assert reviewed.hand_in([replace(other, continues=None)]).kept == 1  # of a page that does not say it
    back = beginning(source, GRIDDED, BeganFrom.EMPTY).record("ann", None, after=[other.record])
    reviewed.store.save(back, None)
    third = replace(drawn(source, after=[back], row=6), continues=(first.record.id,))
    assert reviewed.hand_in([third]).kept == 1  # nothing stands that it would replace


def test_the_page_s_correction_stands_where_the_reader_took_the_kernel_s_back_as_the_import_advises(source, reviewed):
    hours = {name: f"2026-11-30T{hour}:00:00Z" for name, hour in (("own", 10), ("page", 11), ("page_back", 12))}
    own = drawn(source, time=hours["own"])
    page = replace(drawn(source, time=hours["page"], row=5), continues=())
    reviewed.keep(own, "ann")
    assert reviewed.hand_in([page]) == HandedIn(conflicting=1)
    back = replace(beginning(source, GRIDDED, BeganFrom.EMPTY).record("ann", None), time="2998-01-01T00:00:00Z")
    reviewed.keep(DrawnCorrection(back, None, (own.record.id,)), "ann")
    assert reviewed.hand_in([page]) == HandedIn(kept=1)
    standing = reviewed.standing["ann"][GRIDDED]
    assert standing.id == page.record.id and standing.moment > back.moment
    assert np.array_equal(reviewed.store.mask(standing), page.mask)
    assert reviewed.hand_in([page, own]) == HandedIn(known=2) and reviewed.standing["ann"][GRIDDED] == standing
    # What the page took back after it drew it is taken back, too, whatever moment its correction has now.
    page_back = replace(back, id="b" * 32, time=hours["page_back"])
    assert reviewed.hand_in([page, DrawnCorrection(page_back, None, (page.record.id,))]) == HandedIn(kept=1, known=1)
    assert reviewed.standing == {}
    earlier = replace(drawn(source, time="2026-11-30T09:00:00Z", row=7), continues=())
    assert reviewed.hand_in([earlier]) == HandedIn(older=1)  # than what the reader drew


def test_a_correction_of_other_pixels_is_in_no_page_s_way(source, reviewed, monkeypatch):
    old = drawn(source)
    hashes = property(lambda run: {GRIDDED: old.record.image_sha256})
    monkeypatch.setattr(type(source.scored_runs[0].run), "image_hashes", hashes)
    reviewed.store.save(replace(old.record, image_sha256="0" * 64), old.mask)
    assert reviewed.keep(drawn(source, after=[old.record], row=4), "ann")
    reviewed.store.save(replace(old.record, image_sha256="0" * 64, time="2998-01-01T00:00:00Z", id="9" * 32), old.mask)
    late = drawn(source, time="2999-01-01T00:00:00Z", row=7)
    assert reviewed.hand_in([replace(late, continues=())]).kept == 1


def test_a_file_of_the_page_is_handed_in_once(source, reviewed):
    first = drawn(source)
    second = drawn(source, after=[first.record], row=5)
    other, bob = drawn(source, SAME, BeganFrom.PREDICTION), drawn(source, reviewer="bob")
    foreign = drawn(source, SAME, base=replace(other.record.base, config="other"), reviewer="eve")
    assert reviewed.hand_in([second, other, bob, foreign, first]) == HandedIn(kept=4, elsewhere=1)
    assert reviewed.hand_in([first, second]) == HandedIn(known=2)
    assert np.array_equal(reviewed.store.mask(reviewed.standing["ann"][GRIDDED]), second.mask)
    late = drawn(source, time="2026-01-01T00:00:00Z", row=7)
    told = reviewed.hand_in([late])
    assert told == HandedIn(older=1)
    assert told.to_text() == "0 corrections imported, 1 older than what is kept"
    lost, repainted = (drawn(source, reviewer="dan") for _ in range(2))
    lost = replace(lost, record=replace(lost.record, case_id="stranger"))
    repainted = replace(repainted, record=replace(repainted.record, image_sha256="0" * 64))
    told = reviewed.hand_in([lost, repainted])
    assert told == HandedIn(strangers=1, changed=1)
    assert told.to_text() == "0 corrections imported, 1 of no case of this run, 1 of frames with other pixels now"
    with pytest.raises(UsageProblem, match="reviewer"):
        reviewed.hand_in([drawn(source, reviewer="../eve")])


@pytest.mark.parametrize("began_from", [BeganFrom.EMPTY, BeganFrom.TRUTH])
@pytest.mark.parametrize("handed_in", [False, True])
def test_pixels_of_a_lower_threshold_name_the_run(source, reviewed, tmp_path, began_from, handed_in):
    def kept(one, *knew):
        one = replace(one, continues=tuple(each.id for each in knew))
        if handed_in:
            assert reviewed.hand_in([one]).kept == 1
        else:
            reviewed.keep(one, "ann")
        return reviewed.standing["ann"][GRIDDED]

    config = source.scored_runs[0].run.config.first_sha256
    brushed = kept(drawn(source, began_from=began_from, tools=(CorrectionTool.BRUSH,)))
    assert brushed.further_configs == brushed.further_weights == ()
    tools = (CorrectionTool.BRUSH, CorrectionTool.THRESHOLD)
    one = drawn(source, began_from=began_from, after=[brushed], tools=tools, further_configs=("another",))
    first = kept(one, brushed)
    assert first.further_configs == ("another",)  # the page was that of another run, and says so
    # A page of an earlier version does not say which run it showed.
    second = kept(drawn(source, began_from=began_from, after=[first], row=4, tools=tools), first)
    assert set(second.further_configs) == {"another", config}
    export_corrections(source, tmp_path / "out", Exchange.PNG, reviewed.store)
    assert read_exported(tmp_path / "out").masks[GRIDDED].began_from(config, None)


def test_a_carried_mask_saw_the_truth_that_its_origin_saw(source, reviewed):
    origin = drawn(source, SAME, truth_seen=True)
    reviewed.keep(origin, "ann")
    base = Base(BeganFrom.CARRIED, "1" * 64, weights="w", carried_from=(origin.record.id,))
    assert reviewed.hand_in([drawn(source, base=base)]).kept == 1
    assert reviewed.standing["ann"][GRIDDED].truth_seen is True


def test_corrections_lie_beside_the_verdicts():
    assert corrections_beside(Path("review/run/verdicts")) == Path("review/run/corrections")
    assert corrections_beside(Path("my-run-verdicts")) == Path("my-run-corrections")
    assert corrections_beside(Path("said")) == Path("said-corrections")
