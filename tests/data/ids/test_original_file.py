"""The way back from an id to the file."""

import json

import pytest
from PIL import Image

from helpers.core.errors import UsageProblem
from helpers.data.dataset import open_dataset
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.ids.original_file import ids_of_file, origin


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    for number in (1, 2):
        Image.new("L", (4, 4), number).save(folder / f"Doe_1_{number}.png")
    return folder


def test_every_id_leads_to_its_own_frame(folder, tmp_path):
    key = tmp_path / "keys" / "a.key"
    for given in (None, key):
        frames = open_dataset(folder, id_key=given).frames
        assert [origin(frame.case_id, folder, given).paths for frame in frames] == [(frame.path,) for frame in frames]


def test_a_copy_under_the_same_key_is_named_too(folder, tmp_path):
    key = tmp_path / "a.key"
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    frame = open_dataset(folder, id_key=key).frames[0]
    assert open_dataset(copy, id_key=key).frames[0].case_id == frame.case_id
    assert origin(frame.case_id, tmp_path, key).paths == (frame.path, copy / frame.path.name)


def test_kept_ids_need_no_map(folder):
    frame = open_dataset(folder, ids=IdPolicy.KEEP).frames[0]
    assert origin(frame.case_id, folder).paths == (frame.path,)


def test_an_unknown_id_is_refused(folder, tmp_path):
    for dataset, key, words in (
        (folder, None, "neither under a pseudonym"),
        (tmp_path / "set", tmp_path / "a.key", "--id-key"),
        (tmp_path / "absent", None, "--data"),
    ):
        with pytest.raises(UsageProblem, match=words):
            origin("P001", dataset, key)
    open_dataset(folder)
    with pytest.raises(UsageProblem, match="neither under"):
        origin("P001", folder)


def split_by_ids(folder):
    """Keep a split of a data set's patients by their drawn ids; the frames."""
    opened = open_dataset(folder)
    patients = sorted({frame.patient for frame in opened.frames})
    split = {"parts": {"train": patients}, "key_fingerprint": opened.key_fingerprint}
    rules = {"schema": "vesselkit.dataset", "schema_version": 2, "split": split}
    (folder / "dataset.json").write_text(json.dumps(rules))
    return opened.frames


def test_an_id_that_a_split_data_set_lacks_is_told_as_such(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    Image.new("L", (4, 4)).save(folder / "pat1_02_001.png")
    split_by_ids(folder)
    with pytest.raises(UsageProblem, match=r"P001: expected an id of the map .*id-map\.json, found no such id"):
        origin("P001", folder)


def test_a_frame_of_a_split_data_set_goes_by_the_key_of_the_whole(tmp_path):
    images = tmp_path / "set" / "images"
    images.mkdir(parents=True)
    for number in (1, 2):
        Image.new("L", (4, 4), number).save(images / f"pat{number}_02_001.png")
    frame = split_by_ids(tmp_path / "set")[0]
    (alone,) = open_dataset(frame.path).frames
    assert (alone.patient, alone.split) == (frame.patient, "train")
    assert origin(alone.case_id, frame.path).paths[0] == frame.path
    assert ids_of_file(frame.path.name, frame.path) == (alone.case_id,)
    assert not (images / ".vesselkit").exists()


@pytest.mark.parametrize("name", ["images/Doe_1.png", "Doe_1.png", "Doe_1", "images\\Doe_1.png"])
def test_the_ids_of_a_file(tmp_path, name):
    (tmp_path / "images").mkdir()
    for number in (1, 2):
        Image.new("L", (8, 8), number).save(tmp_path / f"images/Doe_{number}.png")
    assert ids_of_file(name, tmp_path) == ()  # no id was drawn yet, and asking draws none
    drawn = {case.frame.path.name: case.case_id for case in open_dataset(tmp_path).cases}
    assert ids_of_file(name, tmp_path) == (drawn["Doe_1.png"],)
    assert ids_of_file(str(tmp_path / "images/Doe_1.png"), tmp_path) == (drawn["Doe_1.png"],)
    assert ids_of_file("Doe", tmp_path) == ()
