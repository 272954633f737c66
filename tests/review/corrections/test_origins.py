"""What took part in a correction beside its own beginning."""

from dataclasses import replace
from types import SimpleNamespace

from helpers.core.vocabulary import BeganFrom
from helpers.data.exported_masks import ExportedMask, MaskBase, MaskOrigin
from helpers.review.corrections.origins import (
    any_seen,
    goes_on_with,
    with_all_of,
    with_exported,
    with_imported,
    with_origins,
    with_truth_of_origins,
)
from helpers.review.corrections.record import Base, CorrectionTool
from helpers.runs.mask_origins import MaskOrigins
from tests.review.corrections.test_record import DIGEST, correction

EMPTY = Base(BeganFrom.EMPTY)


def carried_from(number, *origins, **more):
    base = Base(BeganFrom.CARRIED, DIGEST, weights="w", carried_from=tuple(f"{one:032x}" for one in origins))
    return correction(number, base=base, **more)


def test_the_origins_of_origins_are_found_once():
    records = [correction(1), carried_from(2, 1), carried_from(3, 2, 1)]
    by_id = {one.id: one for one in records}
    assert with_origins(records[0], by_id) == (records[0],)
    assert {one.id for one in with_origins(records[2], by_id)} == set(by_id)


def test_an_unknown_origin_leaves_all_unknown():
    records = [carried_from(2, 9), carried_from(3, 2), carried_from(4, 3, truth_seen=False)]
    by_id = {one.id: one for one in records}
    assert with_origins(records[2], by_id) is None
    assert with_truth_of_origins(records[2], by_id).truth_seen is None


def test_truth_that_any_of_them_saw_was_seen():
    assert any_seen([False, None, True]) is True and any_seen([False, None]) is None
    assert any_seen([False, False]) is False
    known = {one.id: one for one in (correction(1, truth_seen=True), carried_from(2, 1, truth_seen=None))}
    assert with_truth_of_origins(carried_from(3, 2, truth_seen=False), known).truth_seen is True


def test_a_record_names_what_another_one_names_and_not_its_own_base_again():
    other = correction(1, click_weights=("k",), further_configs=("fc",), further_weights=("fw",))
    named = with_all_of(correction(2, base=EMPTY), other)
    assert (named.further_configs, named.further_weights) == (("config", "fc"), ("weights", "fw"))
    assert named.click_weights == ("k",)
    assert with_all_of(correction(3), correction(1)) == correction(3)


def test_a_record_names_what_an_exported_mask_began_from():
    bases = (
        MaskBase(BeganFrom.PREDICTION, "ann", "run", "A", "p1", "wa", DIGEST, click_weights=("k",)),
        MaskBase(BeganFrom.EMPTY, "bob", further_configs=("B",), further_weights=("wb",)),
    )
    named = with_exported(correction(base=EMPTY), ExportedMask(MaskOrigin.CORRECTED, DIGEST, bases))
    assert (named.further_configs, named.further_weights) == (("A", "B"), ("wa", "wb"))
    assert named.click_weights == ("k",)


def test_a_record_names_what_the_masks_of_an_imported_run_began_from_and_of_no_other_run():
    def imported(config):
        run = SimpleNamespace(config=SimpleNamespace(first_sha256=config))
        return SimpleNamespace(run=run, origins=MaskOrigins((f"m{config}",), ("w",)))

    runs = [imported(config) for config in ("config", "threshold", "other")]
    named = with_imported(correction(further_configs=("threshold",)), runs)
    assert named.further_configs == ("threshold", "mconfig", "mthreshold") and named.further_weights == ("w",)
    assert with_imported(correction(base=EMPTY), runs) == correction(base=EMPTY)


def test_a_correction_goes_on_with_one_of_the_same_base_whose_tools_it_has():
    before = correction(1, tools=(CorrectionTool.BRUSH,))
    assert goes_on_with(correction(2, tools=(CorrectionTool.ERASER, CorrectionTool.BRUSH)), before)
    assert not goes_on_with(correction(2, tools=(CorrectionTool.ERASER,)), before)
    assert not goes_on_with(replace(before, base=EMPTY), before)
