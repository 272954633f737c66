"""From a folder to cases: ids, groups, splits, and nothing of the names."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.data.dataset import open_dataset
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.ids.original_file import origin
from helpers.data.truth.ground_truth import PolygonTruth
from helpers.data.truth.rescaled_truth import RescaledTruth
from helpers.data.truth.truth_problem import texts


def picture(path, value=0, size=(8, 6)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(path)


@pytest.fixture
def folder(tmp_path):
    for number in (2, 10):
        picture(tmp_path / "set" / "train" / f"P1_1_{number}.png", number)
    picture(tmp_path / "set" / "test" / "P2_1_3.png", 3)
    return tmp_path / "set"


def test_cases_carry_pseudonyms_alone(folder):
    found = open_dataset(folder)
    assert (found.layout, found.ids, len(found.key_fingerprint)) == ("images", IdPolicy.PSEUDONYM, 16)
    assert "P1_" not in repr(found) and "P1_" not in repr(found.cases)
    assert [frame.number for frame in found.frames if frame.split == "train"] == [2, 10]
    assert all(frame.case_id == f"{frame.sequence}-F{frame.number:03d}" for frame in found.frames)
    assert len({frame.patient for frame in found.frames}) == 2
    assert found.frames[0].nbytes == found.frames[0].path.stat().st_size
    assert any("2 patients, 2 sequences, 3 frames" in note for note in found.notes)


def test_a_split_is_a_part_with_the_same_ids(folder):
    test = open_dataset(folder, split="test")
    whole = open_dataset(folder)
    assert test.cases == tuple(case for case in whole.cases if case.frame.split == "test")
    with pytest.raises(UsageProblem, match="test, train"):
        open_dataset(folder, split="dev")


def test_ids_are_the_same_wherever_the_folder_lies(folder):
    before = [frame.case_id for frame in open_dataset(folder).frames]
    moved = folder.rename(folder.with_name("elsewhere"))
    assert [frame.case_id for frame in open_dataset(moved).frames] == before


def test_ids_and_the_place_of_the_key_do_not_depend_on_how_the_set_is_named(tmp_path, monkeypatch):
    picture(tmp_path / "set" / "images" / "a.png")
    file = tmp_path / "set" / "annotations" / "train.json"
    file.parent.mkdir()
    file.write_text(json.dumps([{"image": "a.png", "mask": [1, 1, 3, 1, 3, 3]}]))
    (tmp_path / "link").symlink_to(tmp_path / "set")
    (tmp_path / "linked.json").symlink_to(file)
    monkeypatch.chdir(tmp_path / "set")
    ways = [tmp_path / "set", Path("."), Path("../set/"), Path("annotations/train.json"), file]
    ways += [tmp_path / "link", tmp_path / "linked.json", tmp_path / "link" / "annotations" / ".." / "."]
    found = [open_dataset(way) for way in ways]
    assert len({(each.root, each.key_fingerprint, each.frames) for each in found}) == 1
    assert [path.parent for path in tmp_path.rglob("id.key")] == [tmp_path / "set" / ".vesselkit"]
    case_id = found[0].frames[0].case_id
    assert {origin(case_id, way).paths for way in ways} == {(tmp_path / "set" / "images" / "a.png",)}


def test_a_public_set_keeps_its_names_and_needs_no_key(folder):
    with pytest.raises(UsageProblem, match="declares itself public"):
        open_dataset(folder, ids=IdPolicy.PUBLIC)
    (folder / "dataset.json").write_text(json.dumps({"ids": "public"}))
    found = open_dataset(folder)
    assert (found.ids, found.key_fingerprint) == (IdPolicy.PUBLIC, None)
    assert [frame.case_id for frame in found.frames] == ["P1_1_2", "P1_1_10", "P2_1_3"]
    assert not (folder / ".vesselkit").exists()
    assert open_dataset(folder, ids=IdPolicy.PSEUDONYM).key_fingerprint


def test_kept_names_are_kept_on_request(folder, tmp_path):
    found = open_dataset(folder, ids=IdPolicy.KEEP)
    assert [(frame.case_id, frame.patient, frame.sequence) for frame in found.frames][0] == ("P1_1_2", "P1", "P1-1")


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(RefusedInput):
        open_dataset(tmp_path)


def test_truths_are_rescaled_only_on_request_and_counted(tmp_path):
    picture(tmp_path / "images" / "a.png")
    picture(tmp_path / "images" / "b.png")
    picture(tmp_path / "masks" / "a.png", 255, (16, 12))
    picture(tmp_path / "masks" / "b.png", 255)
    (tmp_path / "dataset.json").write_text('{"ids": "public"}')
    with pytest.raises(RefusedInput, match="16x12"):
        open_dataset(tmp_path).cases[0].truth.mask(8, 6)
    found = open_dataset(tmp_path, rescale=True)
    assert found.cases[0].truth.mask(8, 6).shape == (6, 8)
    assert any(note.startswith("1 ground truth scaled") for note in found.notes)


def test_a_rescaled_square_is_where_it_was():
    truth = RescaledTruth(PolygonTruth(((0, 0, 4, 0, 4, 4, 0, 4),), (8, 8)))
    expected = np.zeros((4, 4), bool)
    expected[:2, :2] = True
    assert np.array_equal(truth.mask(4, 4), expected)
    assert texts(truth.problems(4, 4)) == ()


def test_the_forty_coronary_cases_have_no_groups(shared, tmp_path):
    found = open_dataset(shared / "data" / "coronary40", id_key=tmp_path / "id.key")
    assert len(found.cases) == 40
    assert all(frame.patient is None and frame.case_id.startswith("C") for frame in found.frames)


def test_polygons_of_no_stated_size_are_taken_as_drawn_on_the_size_that_is_named(tmp_path):
    picture(tmp_path / "images" / "a.png")  # 8 x 6
    square = [0, 0, 8, 0, 8, 6, 0, 6]
    (tmp_path / "train.json").write_text(json.dumps([{"image": "a.png", "mask": [square], "text": ["vessel"]}]))
    as_it_is = open_dataset(tmp_path, ids=IdPolicy.KEEP, rescale=True)
    assert as_it_is.cases[0].truth.mask(8, 6).all()
    found = open_dataset(tmp_path, ids=IdPolicy.KEEP, rescale_from=(16, 12))
    expected = np.zeros((6, 8), bool)
    expected[:3, :4] = True
    assert np.array_equal(found.cases[0].truth.mask(8, 6), expected)
    assert any(note.startswith("1 ground truth without a stated size taken as drawn on 16x12") for note in found.notes)
