"""A kept split: its patients' frames get their parts, and a patient on both sides is refused."""

import json

import pytest
from PIL import Image

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.data.dataset import open_dataset
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.splits.split import chosen_parts, parse_split

KEPT = {"schema": "vesselkit.dataset", "schema_version": 2, "ids": "keep"}


@pytest.fixture
def folder(tmp_path):
    """Frames P1_1, P1_2, p01_3 (the first patient, spelled otherwise), P2_1 and P3_1."""
    for number, name in enumerate(("P1_1", "P1_2", "p01_3", "P2_1", "P3_1")):
        (tmp_path / "set").mkdir(exist_ok=True)
        Image.new("L", (8, 8), number).save(tmp_path / "set" / f"{name}.png")
    return tmp_path / "set"


def keep(folder, split, **rules):
    group_by = r"(?P<patient>[Pp]\d+)_(?P<frame>\d)"
    (folder / "dataset.json").write_text(json.dumps({**KEPT, "group_by": group_by, **rules, "split": split}))


def parts(opened):
    return {frame.case_id: frame.split for frame in opened.frames}


def test_frames_have_the_part_of_their_patient_under_every_spelling(folder):
    keep(folder, {"parts": {"train": ["P1"], "test": ["P2"]}})
    opened = open_dataset(folder)
    assert parts(opened) == {"P1_1": "train", "P1_2": "train", "p01_3": "train", "P2_1": "test", "P3_1": None}
    assert opened.sealed == {"P2_1"}
    assert any(note.startswith("in no part of the split: 1 patient with 1 frame, who") for note in opened.notes)
    assert set(parts(open_dataset(folder, split="test"))) == {"P2_1"}
    assert len(open_dataset(folder, split="train, test").cases) == 4
    with pytest.raises(UsageProblem, match="'train,dev', found test, train"):
        open_dataset(folder, split="train,dev")


def test_what_trains_or_chooses_refuses_sealed_patients(folder):
    keep(folder, {"parts": {"dev": ["P3"], "final": ["P2"]}, "sealed": ["final"]})
    with pytest.raises(RefusedInput, match=r"training was about to use 1 frame of sealed patients.*--split"):
        open_dataset(folder).require_unsealed("training")
    open_dataset(folder, split="dev").require_unsealed("training")


@pytest.mark.parametrize("ids", [["P1"], ["p01"]])
def test_a_patient_on_both_sides_is_refused_also_when_spelled_otherwise(folder, ids):
    keep(folder, {"parts": {"train": ["P1"], "test": [*ids, "P2"]}})
    with pytest.raises(RefusedInput, match=r"set.*split: patient (P1|p01) stands in train and test"):
        open_dataset(folder)


def test_ids_from_elsewhere_are_refused_with_the_key_that_decides(folder):
    keep(folder, {"parts": {"train": ["P1"]}, "key_fingerprint": "ab" * 8})
    with pytest.raises(RefusedInput, match="ids under key abababababababab, and this data set is opened with kept"):
        open_dataset(folder)
    keep(folder, {"parts": {"train": ["P1"]}}, ids="pseudonym")
    with pytest.raises(RefusedInput, match="kept names, and this data set is opened with ids under key.*key_finger"):
        open_dataset(folder)


def test_frames_of_unknown_patients_are_in_no_part(tmp_path):
    (tmp_path / "set").mkdir()
    for number, name in enumerate(("LAO_1", "x")):
        Image.new("L", (8, 8), number).save(tmp_path / "set" / f"{name}.png")
    (tmp_path / "set" / "dataset.json").write_text(json.dumps({**KEPT, "split": {"parts": {"train": ["P1"]}}}))
    opened = open_dataset(tmp_path / "set", ids=IdPolicy.KEEP)
    assert set(parts(opened).values()) == {None}
    assert "in no part of the split: 2 frames whose patient is unknown" in opened.notes


def test_test_is_sealed_where_nothing_is_said():
    assert parse_split({"parts": {"train": ["P1"], "test": ["P2"]}}).sealed == ("test",)
    assert parse_split({"parts": {"train": ["P1"], "test": ["P2"]}, "sealed": []}).sealed == ()
    assert chosen_parts(None) is None and chosen_parts("fold2, fold3") == {"fold2", "fold3"}
