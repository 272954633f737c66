"""Pairs to prefer between: which corrections have one, and what is written of it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.vocabulary import BeganFrom, Exchange, Exported
from helpers.data.dataset import open_dataset
from helpers.data.exported_masks import read_exported
from helpers.data.splits.looks import Look, count_look
from helpers.data.splits.split import Split
from helpers.review.corrections.beginnings import beginning
from helpers.review.corrections.store import CorrectionStore
from helpers.review.exports import export_corrections, export_pairs
from helpers.review.review_source import open_source
from helpers.stages.exchange_stage import ExportRequest
from tests.support.review_runs import GRIDDED, NO_TRUTH, SAME, SEVERAL, predict_again, write_data, write_run

NO_SPLITS = "the data set states no splits: take the patients of your test set out of the pairs yourself"


@pytest.fixture
def source(tmp_path):
    dataset = write_data(tmp_path / "data")
    return open_source(write_run(tmp_path / "run"), dataset)


@pytest.fixture
def store(tmp_path):
    return CorrectionStore(tmp_path / "corrections")


def correct(source, store, case_id, began_from=BeganFrom.PREDICTION, reader="ann", rows=20):
    """The case's mask with its first rows filled."""
    start = beginning(source, case_id, began_from)
    mask = start.mask.copy()
    mask[:rows] = True
    store.save(start.record(reader, mask), mask)
    return mask


def split(source, splits):
    """The source with splits for some of its patients, None for patients who are not known."""
    cases = []
    for case in source.dataset.cases:
        frame = case.frame
        known = splits.get(frame.patient, "train")
        frame = replace(frame, split=known) if known is not None else replace(frame, split="train", patient=None)
        cases.append(replace(case, frame=frame))
    return replace(source, dataset=replace(source.dataset, cases=tuple(cases)))


def written(folder):
    return [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]


def test_a_correction_is_preferred_to_the_prediction_that_it_began_from(tmp_path, source, store):
    chosen = correct(source, store, GRIDDED)
    correct(source, store, SAME, BeganFrom.EMPTY)
    correct(source, store, SEVERAL, rows=1)
    summary = export_pairs(source, tmp_path / "out", store, 0.1)
    rejected = source.scored_runs[0].mask(GRIDDED)
    assert summary.masks == 1 and summary.notes == (NO_SPLITS,)
    assert summary.left_out == {
        "the correction began from another mask than the run's as it is now": [SAME],
        "within the margin": [SEVERAL],
    }
    (pair,) = written(tmp_path / "out")
    assert (pair["schema"], pair["schema_version"], pair["case_id"]) == ("vesselkit.pairs", 1, GRIDDED)
    assert pair["chosen_iou"] is None and pair["margin"] == 0.1 and pair["reviewers"] == ["ann"]
    assert pair["rejected_iou"] == (chosen & rejected).sum() / (chosen | rejected).sum()
    for name, mask in (("chosen", chosen), ("rejected", rejected)):
        assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / pair[name])) == 255, mask)
    frame = Image.open(tmp_path / f"data/images/{GRIDDED}.png")
    assert np.array_equal(Image.open(tmp_path / "out" / pair["image"]), frame)
    exported = read_exported(tmp_path / "out")
    assert exported.what is Exported.PAIRS and not exported.are_truth and set(exported.masks) == {GRIDDED}


def test_patients_of_the_test_split_and_those_who_may_be_are_left_out(tmp_path, source, store):
    for case_id in (GRIDDED, SEVERAL, NO_TRUTH):
        correct(source, store, case_id)
    patients = {frame.case_id: frame.patient for frame in source.dataset.frames}
    chosen = split(source, {patients[GRIDDED]: "test", patients[NO_TRUTH]: None})
    summary = export_pairs(chosen, tmp_path / "out", store, 0)
    assert [pair["case_id"] for pair in written(tmp_path / "out")] == [SEVERAL] and summary.notes == ()
    assert summary.left_out == {
        "the patient is of the test split": [GRIDDED],
        "the patient is unknown and may be of the test split": [NO_TRUTH],
    }
    people = replace(chosen.dataset.people, ids={"x1": patients[GRIDDED], "X01": patients[SEVERAL]})
    spelled = replace(chosen, dataset=replace(chosen.dataset, people=people))
    with pytest.raises(UsageProblem, match="found none .2 cases: the patient is of the test split; 1 case"):
        export_pairs(spelled, tmp_path / "none", store, 0)


@pytest.mark.parametrize("name", ["testA", "test_1", "Testing", "my-test"])
def test_a_test_split_is_told_by_its_name(tmp_path, source, store, name):
    for case_id in (GRIDDED, SEVERAL):
        correct(source, store, case_id)
    patients = {frame.case_id: frame.patient for frame in source.dataset.frames}
    export_pairs(split(source, {patients[GRIDDED]: name}), tmp_path / "out", store, 0)
    assert [pair["case_id"] for pair in written(tmp_path / "out")] == [SEVERAL]


def sealed(source):
    """The source with the first patient sealed under a name that says nothing of tests."""
    patients = {frame.patient for frame in source.dataset.frames}
    held = next(frame.patient for frame in source.dataset.frames if frame.case_id == GRIDDED)
    parts = {"train": tuple(sorted(patients - {held})), "holdout": (held,)}
    chosen = split(source, {held: "holdout"})
    rules = replace(chosen.dataset.rules, split=Split(parts, ("holdout",), chosen.dataset.key_fingerprint))
    return replace(chosen, dataset=replace(chosen.dataset, rules=rules))


def test_sealed_patients_are_in_no_pair_whatever_their_part_is_called(tmp_path, source, store):
    for case_id in (GRIDDED, SEVERAL):
        correct(source, store, case_id)
    summary = export_pairs(sealed(source), tmp_path / "out", store, 0)
    assert summary.left_out == {"the patient is of the test split": [GRIDDED]} and summary.notes == ()
    assert [pair["case_id"] for pair in written(tmp_path / "out")] == [SEVERAL]


@pytest.mark.parametrize("kind", [Exchange.PNG, Exchange.NNUNET, Exchange.COCO, Exchange.LABELME])
def test_sealed_patients_stay_sealed_among_corrections(tmp_path, source, store, kind):
    for case_id in (GRIDDED, SEVERAL):
        correct(source, store, case_id)
    held = sealed(source)
    key = held.dataset.key_fingerprint
    for mark, patient in (("a", "P1"), ("b", "P2")):
        count_look(held.dataset.root, Look(mark, frozenset([patient]), key))
    (note,) = export_corrections(held, tmp_path / "out", kind, store).notes
    assert note == (
        "1 of 2 cases are of the test split (holdout): score with them, do not train on them. Training on this folder "
        "is refused unless other parts are named (--split)"
    )
    assert count_look(tmp_path / "out", Look("c", frozenset(["P1"]), key)).number == 2
    opened = open_dataset(tmp_path / "out")
    assert {frame.patient: frame.split for frame in opened.frames} == {"P1": "holdout", "P2": "train"}
    with pytest.raises(RefusedInput, match="training was about to use 1 frame of sealed patients"):
        opened.require_unsealed("training")
    assert not open_dataset(tmp_path / "out", split="train").sealed
    export_corrections(source, tmp_path / "plain", kind, store)
    assert open_dataset(tmp_path / "plain").rules.split is None


def test_the_test_split_of_a_layout_is_sealed_among_corrections(tmp_path, source, store):
    for case_id in (GRIDDED, SEVERAL):
        correct(source, store, case_id)
    patients = {one.case_id: one.patient for one in source.dataset.frames}
    tested = split(source, {patients[GRIDDED]: "testA"})
    (note,) = export_corrections(tested, tmp_path / "out", Exchange.PNG, store).notes
    assert note.startswith("1 of 2 cases are of the test split (testA): score") and "is refused unless" in note
    opened = open_dataset(tmp_path / "out")
    assert {frame.case_id: frame.split for frame in opened.frames} == {GRIDDED: "testA", SEVERAL: "train"}
    with pytest.raises(RefusedInput, match="training was about to use 1 frame of sealed patients"):
        opened.require_unsealed("training")
    (note,) = export_corrections(tested, tmp_path / "sent", Exchange.LABEL_STUDIO, store).notes[-1:]
    assert note.endswith("Nothing in this folder tells training so: take them out before you train on it")


def test_a_frame_of_no_split_or_of_several_may_be_of_the_test_split(tmp_path, source, store):
    for case_id in (GRIDDED, SEVERAL):
        correct(source, store, case_id)
    chosen = split(source, {next(one.patient for one in source.dataset.frames if one.case_id == NO_TRUTH): "test"})
    cases = tuple(
        replace(case, frame=replace(case.frame, split=None)) if case.case_id == GRIDDED else case
        for case in chosen.dataset.cases
    )
    chosen = replace(chosen, dataset=replace(chosen.dataset, cases=cases))
    summary = export_pairs(chosen, tmp_path / "out", store, 0)
    assert list(summary.left_out.values()) == [[GRIDDED]] and "of no split or of several" in next(
        iter(summary.left_out)
    )


def test_one_split_hides_who_is_tested_on(tmp_path, source, store):
    correct(source, store, GRIDDED)
    alone = split(source, {})
    assert export_pairs(alone, tmp_path / "out", store, 0).notes == (NO_SPLITS.replace("splits", "test split"),)
    alone = replace(alone, dataset=replace(alone.dataset, split="train"))
    with pytest.raises(UsageProblem, match="expected the whole data set, .* got the split 'train'. Leave split out"):
        export_pairs(alone, tmp_path / "new", store, 0)


def test_a_prediction_that_was_made_again_has_no_pair(tmp_path, source, store):
    correct(source, store, GRIDDED)
    predict_again(tmp_path / "run", GRIDDED)
    again = open_source(tmp_path / "run", open_dataset(tmp_path / "data"))
    with pytest.raises(UsageProblem, match=r"found none \(1 case: the correction began from another mask"):
        export_pairs(again, tmp_path / "out", store, 0)
    assert not (tmp_path / "out").exists()


def test_readers_who_differ_have_no_pair_until_one_decides(tmp_path, source, store):
    correct(source, store, GRIDDED)
    correct(source, store, GRIDDED, reader="bob", rows=30)
    with pytest.raises(UsageProblem, match="1 case: readers differ"):
        export_pairs(source, tmp_path / "out", store, 0)
    export_pairs(source, tmp_path / "out", store, 0, adjudicator="bob")
    assert [pair["reviewers"] for pair in written(tmp_path / "out")] == [["bob"]]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"margin": None}, "margin: expected by how much readers differ.*got none"),
        ({"margin": 1.0}, "got 1"),
        ({"margin": float("nan")}, "got nan"),
        ({"margin": 0.1, "kind": Exchange.COCO}, "coco: pairs are written as png"),
        ({"margin": 0.1, "corrections": None}, "corrections: expected the folder"),
        ({"margin": 0.1, "what": Exported.MASKS, "corrections": None}, "margin: plays no part"),
    ],
)
def test_a_request_that_cannot_be_is_refused(tmp_path, given, said):
    with pytest.raises(UsageProblem, match=said):
        ExportRequest(**{"what": Exported.PAIRS, "corrections": tmp_path, **given})


def test_a_folder_of_pairs_is_no_ground_truth(tmp_path, source, store):
    correct(source, store, GRIDDED)
    export_pairs(source, tmp_path / "out", store, 0)
    (tmp_path / "out/chosen").rename(tmp_path / "out/masks")
    (tmp_path / "out/rejected").rename(tmp_path / "rejected")
    with pytest.raises(RefusedInput, match="its masks are pairs to prefer between"):
        open_dataset(tmp_path / "out").require_decided()
