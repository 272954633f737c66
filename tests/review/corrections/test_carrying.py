"""A correction carried to the other frames of its sequence, and what a reader makes of it."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.vocabulary import BeganFrom, Exchange
from helpers.data.dataset import open_dataset
from helpers.data.exported_masks import read_exported
from helpers.prediction.sequences.mask_carrying import MaskCarrier
from helpers.review.corrections.beginnings import beginning
from helpers.review.corrections.carrying import CarriedMasks
from helpers.review.corrections.record import CorrectionTool
from helpers.review.corrections.store import CorrectionStore
from helpers.review.exports import export_corrections
from helpers.review.review_source import open_source
from tests.review.corrections.test_record import DIGEST
from tests.support.review_runs import HEIGHT, WIDTH, write_many
from tests.support.tiny_sam2 import random_part

FIRST, SECOND, THIRD, LAST = (f"P000_S0_00{number}" for number in range(4))


class Carrier:
    """Marks the row of a frame's position on every frame that it is given no mask of."""

    identity = {"tensors_sha256": "f" * 64}

    def __init__(self, remembers=8):
        self.anchors, self.remembers = [], remembers

    def nearest_anchors(self, positions):
        return positions[: self.remembers]

    def carry(self, read, count, anchors):
        self.anchors.append(anchors)
        for place in range(count):
            if place not in anchors and read(place) is not None:
                yield place, row(place)


def row(number):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[number] = True
    return mask


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sequence")
    write_many(folder / "data", folder / "run", 4)
    for number, name in enumerate((FIRST, SECOND, THIRD, LAST)):
        Image.new("L", (WIDTH, HEIGHT), 100 + number).save(folder / "data/images" / f"{name}.png")
    return folder


@pytest.fixture
def source(folder):
    return open_source(folder / "run", open_dataset(folder / "data"))


@pytest.fixture
def store(tmp_path):
    return CorrectionStore(tmp_path / "corrections")


@pytest.fixture
def carried(source, store):
    return CarriedMasks(source, store, "ann")


def correct(carried, case_id, mask, reviewer="ann", began_from=BeganFrom.PREDICTION, **more):
    record = beginning(carried.source, case_id, began_from).record(
        reviewer, mask, **more, after=carried.store.records()
    )
    carried.store.save(record, mask)
    return record


def test_a_correction_goes_to_all_other_frames_and_waits_there(carried, store):
    origin, carrier = correct(carried, SECOND, row(50)), Carrier()
    done = carried.carry(SECOND, carrier)
    assert (done.case_ids, done.anchors) == ((FIRST, THIRD, LAST), (SECOND,))
    assert "3 masks carried" in done.to_text() and "none is a correction yet" in done.to_text()
    assert list(carrier.anchors[0]) == [1] and np.array_equal(carrier.anchors[0][1], row(50))
    waiting = carried.waiting()
    assert set(waiting) == {FIRST, THIRD, LAST} and np.array_equal(carried.mask(THIRD), row(2))
    base = waiting[THIRD].base
    assert (base.began_from, base.carried_from, base.weights) == (BeganFrom.CARRIED, (origin.id,), "f" * 64)
    assert base.mask_sha256 == waiting[THIRD].mask_sha256 and base.run is None


def test_carried_masks_are_no_corrections_and_in_no_export(carried, store, source, tmp_path):
    correct(carried, SECOND, row(50))
    carried.carry(SECOND, Carrier())
    assert set(store.standing()) == {"ann"} and set(store.standing()["ann"]) == {SECOND}
    assert export_corrections(source, tmp_path / "out", Exchange.PNG, store).masks == 1
    assert set(read_exported(tmp_path / "out").masks) == {SECOND}


def test_a_mask_that_was_looked_at_becomes_the_reader_s_own(carried, store, source, tmp_path):
    origin = correct(carried, SECOND, row(50), truth_seen=False)
    carried.carry(SECOND, Carrier())
    as_it_is = carried.accept(FIRST, seconds=2.5, truth_seen=False)
    changed = carried.accept(LAST, row(70), tools=[CorrectionTool.BRUSH])
    assert set(carried.waiting()) == {THIRD}
    assert store.standing()["ann"] == {SECOND: origin, FIRST: as_it_is, LAST: changed}
    assert (as_it_is.reviewer, as_it_is.seconds, as_it_is.truth_seen) == ("ann", 2.5, False)
    assert np.array_equal(store.mask(as_it_is), row(0)) and np.array_equal(store.mask(changed), row(70))
    assert changed.base.carried_from == (origin.id,) and changed.mask_sha256 != changed.base.mask_sha256
    export_corrections(source, tmp_path / "out", Exchange.PNG, store)
    exported = read_exported(tmp_path / "out").masks
    assert set(exported) == {FIRST, SECOND, LAST}
    # It began from what carried it, and from what its origin began from.
    assert exported[FIRST].began_from(None, "f" * 64) and exported[FIRST].began_from(origin.base.config, None)
    assert not exported[SECOND].began_from(None, "f" * 64) and not exported[FIRST].began_from("other", "other")


def test_a_correction_is_never_replaced_and_guides_what_is_carried(carried, store):
    first, third, carrier = correct(carried, FIRST, row(50)), correct(carried, THIRD, row(60)), Carrier()
    done = carried.carry(THIRD, carrier)
    assert done.anchors == (THIRD, FIRST) and set(carried.waiting()) == {SECOND, LAST}
    assert list(carrier.anchors[0]) == [2, 0] and np.array_equal(carrier.anchors[0][0], row(50))
    assert carried.waiting()[SECOND].base.carried_from == (third.id, first.id)
    done = carried.carry(THIRD, Carrier(remembers=1))  # of many corrections a model remembers those nearest
    assert done.anchors == (THIRD,) and carried.waiting()[LAST].base.carried_from == (third.id,)
    correct(carried, SECOND, row(7))
    assert set(carried.waiting()) == {LAST}
    assert np.array_equal(store.mask(store.standing()["ann"][SECOND]), row(7))


def test_other_readers_stay_independent(carried, store):
    correct(carried, FIRST, row(50), "bob")
    correct(carried, SECOND, row(50))
    carrier = Carrier()
    carried.carry(SECOND, carrier)
    assert list(carrier.anchors[0]) == [1] and FIRST in carried.waiting()
    assert set(store.standing()["bob"]) == {FIRST} and CarriedMasks(carried.source, store, "bob").waiting() == {}


def test_masks_of_a_correction_that_was_replaced_wait_no_more(carried):
    correct(carried, SECOND, row(50))
    carried.carry(SECOND, Carrier())
    correct(carried, SECOND, row(51))
    assert carried.waiting() == {}
    with pytest.raises(UsageProblem, match="waits to be looked at"):
        carried.accept(FIRST)
    carried.carry(SECOND, Carrier())
    assert set(carried.waiting()) == {FIRST, THIRD, LAST}


def test_a_mask_that_is_of_no_use_is_dismissed(carried):
    correct(carried, SECOND, row(50))
    carried.carry(SECOND, Carrier())
    carried.dismiss(THIRD)
    assert set(carried.waiting()) == {FIRST, LAST}
    with pytest.raises(UsageProblem, match=f"{THIRD}: expected a carried mask"):
        carried.mask(THIRD)


def test_a_correction_that_is_not_there_is_not_carried(carried, store):
    with pytest.raises(UsageProblem, match="expected a correction of ann to carry"):
        carried.carry(FIRST, Carrier())
    record = correct(carried, FIRST, row(50))
    store.save(replace(record, id="0" * 32, time="2999-01-01T00:00:00.000Z", image_sha256=DIGEST), row(50))
    with pytest.raises(RefusedInput, match="found other pixels"):
        carried.carry(FIRST, Carrier())


def test_corrections_of_other_pixels_guide_nothing(carried, store):
    record = correct(carried, FIRST, row(50))
    store.save(replace(record, id="0" * 32, time="2999-01-01T00:00:00.000Z", image_sha256=DIGEST), row(50))
    correct(carried, SECOND, row(50))
    done = carried.carry(SECOND, Carrier())
    assert (done.anchors, done.passed_over) == ((SECOND,), (FIRST,)) and FIRST not in carried.waiting()
    assert "1 correction of frames with other pixels" in done.to_text()


def test_a_frame_alone_is_not_carried(store, tmp_path):
    write_many(tmp_path / "data", tmp_path / "run", 1)
    carried = CarriedMasks(open_source(tmp_path / "run", open_dataset(tmp_path / "data")), store, "ann")
    correct(carried, FIRST, row(50))
    with pytest.raises(UsageProblem, match="a frame of a sequence"):
        carried.carry(FIRST, Carrier())


def test_a_mask_of_other_pixels_is_not_accepted(carried, folder):
    correct(carried, SECOND, row(50))
    carried.carry(SECOND, Carrier())
    path = folder / "data/images" / f"{FIRST}.png"
    before = path.read_bytes()
    Image.new("L", (WIDTH, HEIGHT), 7).save(path)
    try:
        with pytest.raises(UsageProblem, match="found other pixels"):
            carried.accept(FIRST)
    finally:
        path.write_bytes(before)


def test_truth_that_was_seen_at_the_origin_was_seen(carried):
    correct(carried, SECOND, row(50), truth_seen=True)
    carried.carry(SECOND, Carrier())
    assert carried.accept(FIRST, truth_seen=False).truth_seen is True


def test_a_case_that_the_data_set_lost_is_not_carried(carried):
    correct(carried, SECOND, row(50))
    carried.carry(SECOND, Carrier())
    cases = tuple(case for case in carried.source.dataset.cases if case.case_id not in (FIRST, SECOND))
    object.__setattr__(carried.source, "dataset", replace(carried.source.dataset, cases=cases))
    vars(carried.source).pop("data_cases")
    with pytest.raises(UsageProblem, match=f"{SECOND}: expected a frame of the data set"):
        carried.carry(SECOND, Carrier())
    with pytest.raises(UsageProblem, match=f"{FIRST}: expected a frame of the data set"):
        carried.accept(FIRST)


def test_a_mask_whose_origin_is_lost_is_in_no_export(carried, store, source, tmp_path):
    correct(carried, SECOND, row(50))
    correct(carried, LAST, row(60))
    carried.carry(SECOND, Carrier())
    carried.accept(FIRST)
    path = store.folder / "ann/record.jsonl"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if SECOND not in line))
    assert export_corrections(source, tmp_path / "out", Exchange.PNG, store).masks == 1
    exported = read_exported(tmp_path / "out")
    assert set(exported.masks) == {LAST}
    assert exported.left_out == {"carried from a correction whose record is lost": (FIRST,)}


def test_a_model_s_own_sam2_carries(carried):
    correct(carried, SECOND, row(50) | row(51) | row(52))
    done = carried.carry(SECOND, MaskCarrier(random_part()))
    assert done.case_ids == (THIRD, LAST, FIRST)
    assert all(carried.mask(case_id).shape == (HEIGHT, WIDTH) for case_id in done.case_ids)
    assert carried.waiting()[LAST].base.weights == "a" * 64
