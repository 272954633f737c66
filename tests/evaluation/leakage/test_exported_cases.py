"""Patients whose corrections were trained on are training patients, under whatever names the frames were exported."""

import json

import numpy as np
import pytest
from PIL import Image

from helpers.core.vocabulary import BeganFrom, Exchange, Exported
from helpers.data.dataset import open_dataset
from helpers.data.exchange.exchange_formats import write_cases
from helpers.data.exchange.exchanged import SentCase, SentSet
from helpers.data.exported_masks import ExportedMask, ExportedMasks, MaskBase, MaskOrigin, write_exported
from helpers.data.ids.id_key import machine_folder, read_key
from helpers.evaluation.leakage.kept_names import KeptCases, keep_names, kept_path, read_kept
from helpers.evaluation.leakage.name_marks import hashed
from helpers.evaluation.leakage.standing import Source, Standing
from helpers.evaluation.leakage.training_data import TrainingData
from helpers.evaluation.leakage.training_files import read_training_files
from helpers.evaluation.leakage.training_list import read_training_list

NAMES = ("pat1_S1_001", "pat1_S2_001", "pat2_S1_001", "pat3_S1_001")
MODEL = {"tensors_sha256": "t"}


@pytest.fixture(autouse=True)
def config(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def private(tmp_path):
    """A data set of three patients under drawn ids, and the case id of each name."""
    (tmp_path / "data").mkdir()
    for number, name in enumerate(NAMES):
        Image.new("L", (8, 8), 40 + number).save(tmp_path / f"data/{name}.png")
    opened = open_dataset(tmp_path / "data")
    return opened, {case.frame.path.stem: case.case_id for case in opened.cases}


def exported(folder, dataset, names, ids, key="own", kind=Exchange.COCO):
    """Corrections of these frames, as a data set."""
    folder.mkdir()
    patients = {case.case_id: case.frame.patient for case in dataset.cases}
    mask = np.ones((8, 8), bool)
    cases = [SentCase(ids[name], Image.new("RGB", (8, 8)), mask) for name in names]
    write_cases(kind, folder, cases, SentSet("vessel", "x", True))
    of = {
        ids[name]: ExportedMask(MaskOrigin.CORRECTED, "m", (MaskBase(BeganFrom.EMPTY, "ann"),), patients[ids[name]])
        for name in names
    }
    fingerprint = dataset.key_fingerprint if key == "own" else key
    write_exported(folder, ExportedMasks(Exported.CORRECTIONS, fingerprint, of))
    return folder / "annotations/instances_default.json" if kind is Exchange.COCO else folder


def by_patient(dataset, ids, **more):
    found = TrainingData(dataset, more.get("listed")).standings(more.get("model"), list(ids.values()))
    return {name: found.by_case[case_id] for name, case_id in ids.items()}, found.sources


SEEN = {
    "pat1_S1_001": Standing.TRAINING,
    "pat1_S2_001": Standing.TRAINING,  # another sequence of that patient
    "pat2_S1_001": Standing.UNSEEN,
    "pat3_S1_001": Standing.UNSEEN,
}


def test_a_list_of_exported_frames_names_their_patients(tmp_path, private):
    dataset, ids = private
    listed = read_training_list(exported(tmp_path / "set", dataset, NAMES[:1], ids), dataset)
    assert by_patient(dataset, ids, listed=listed) == (SEEN, (Source.LIST,))


def test_a_list_above_several_exports_is_read_by_the_record_of_each(tmp_path, private):
    dataset, ids = private
    exported(tmp_path / "first", dataset, NAMES[:1], ids)
    exported(tmp_path / "second", dataset, NAMES[2:3], ids, kind=Exchange.PNG)
    names = f"first/images/default/{ids[NAMES[0]]}.png\nsecond/images/{ids[NAMES[2]]}.png\n"
    (tmp_path / "list.txt").write_text(names)
    listed = read_training_list(tmp_path / "list.txt", dataset)
    found, _ = by_patient(dataset, ids, listed=listed)
    assert found == {**SEEN, "pat2_S1_001": Standing.TRAINING}
    write_exported(tmp_path, ExportedMasks(Exported.MASKS, "other", {}))  # of another export, above the list
    assert by_patient(dataset, ids, listed=read_training_list(tmp_path / "list.txt", dataset))[0] == found


def test_a_training_config_that_names_the_data_set_itself(tmp_path, private):
    dataset, ids = private
    folder = exported(tmp_path / "set", dataset, NAMES[:1], ids, kind=Exchange.PNG)
    (folder / "dataset.json").write_text(json.dumps({"ids": "public", "layout": "paired"}))
    (tmp_path / "config.py").write_text(f"data = dict(type='SegmentationSamples', data={str(folder)!r})\n")
    listed = read_training_list(tmp_path / "config.py", dataset)
    assert by_patient(dataset, ids, listed=listed) == (SEEN, (Source.LIST,))


def test_what_convert_keeps_names_them_too_and_holds_no_id(tmp_path, private):
    dataset, ids = private
    path = exported(tmp_path / "set", dataset, NAMES[:1], ids)
    keep_names(read_training_files(path), "t", read_key(tmp_path / "data/.vesselkit/id.key"))
    assert by_patient(dataset, ids, model=MODEL) == (SEEN, (Source.KEPT,))
    text = kept_path("t").read_text()
    assert machine_folder() in kept_path("t").parents
    assert not [one for one in (*ids.values(), *(case.frame.patient for case in dataset.cases)) if one in text]
    kept = read_kept("t")
    assert kept.exported_count == 1 and kept.names == () and kept.parts == frozenset()


@pytest.mark.parametrize("how", ["list", "kept"])
def test_ids_of_another_key_say_nothing_so_that_nobody_is_unseen(tmp_path, private, how):
    dataset, ids = private
    path = exported(tmp_path / "set", dataset, NAMES[:1], ids, key="other")
    if how == "list":
        found = by_patient(dataset, ids, listed=read_training_list(path, dataset))[0]
    else:
        keep_names(read_training_files(path), "t", read_key(tmp_path / "data/.vesselkit/id.key"))
        found = by_patient(dataset, ids, model=MODEL)[0]
    assert set(found.values()) == {Standing.UNKNOWN}


def test_the_corrected_data_set_itself_is_of_training_patients(tmp_path, private):
    dataset, ids = private
    folder = exported(tmp_path / "set", dataset, NAMES[:3], ids, kind=Exchange.PNG)
    rows = [(f"{case.case_id}.png", case.frame.patient) for case in dataset.cases if case.case_id in set(ids.values())]
    (folder / "cases.csv").write_text("name,patient\n" + "".join(f"{name},{patient}\n" for name, patient in rows))
    rules = {"schema": "vesselkit.dataset", "schema_version": 1, "ids": "public", "group_by": "column:patient"}
    (folder / "dataset.json").write_text(json.dumps(rules | {"layout": "paired"}))
    merged = open_dataset(folder)
    assert merged.key_fingerprint == dataset.key_fingerprint and len(merged.cases) == 3
    listed = read_training_list(exported(tmp_path / "trained", dataset, NAMES[:1], ids), merged)
    found = TrainingData(merged, listed).standings(None, [case.case_id for case in merged.cases])
    assert {name: found.by_case[ids[name]] for name in NAMES[:3]} == {name: SEEN[name] for name in NAMES[:3]}


def test_of_kept_cases_their_patients_are_counted(tmp_path, private):
    """Two of the three images are of one patient; the ids are hashed under the key, apart from those of patients."""
    dataset, ids = private
    key = read_key(tmp_path / "data/.vesselkit/id.key")
    keep_names(read_training_files(exported(tmp_path / "set", dataset, NAMES[:3], ids)), "t", key)
    kept, mark = read_kept("t"), hashed(key)
    of = {case.case_id: case.frame.patient for case in dataset.cases}
    trained = [ids[name] for name in NAMES[:3]]
    assert kept.exported_under(dataset.key_fingerprint) == KeptCases(
        frozenset(mark(f"case\0{case_id}") for case_id in trained),
        frozenset(mark(f"patient\0{of[case_id]}") for case_id in trained),
        count=3,
        told=3,
    )
    assert len(kept.exported_under(dataset.key_fingerprint).patients) == 2 and kept.exported_count == 3
    assert kept.exported_under(None) == kept.exported_under("of others") == KeptCases(frozenset(), frozenset(), 0, 0)
