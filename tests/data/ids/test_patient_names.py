"""Ids of patients whose names are spelled in several ways stay as they are, and are known to be one."""

import json

import numpy as np
import pytest
from PIL import Image

from helpers.data.audit.audit import audit
from helpers.data.audit.findings import AuditSeverity
from helpers.data.dataset import open_dataset
from helpers.data.ids.case_ids import IdPolicy
from tests.support.named_data import named_dataset

NAMES = ["P12_001.png", "p12_002.png", "P012_003.png", "P13_001.png"]


def draw(folder, *names):
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), number, np.uint8)).save(folder / name)
    return folder


def united(dataset):
    """Numbers of ids, and of patients that they are."""
    ids = {frame.patient for frame in dataset.frames}
    return len(ids), len({dataset.people.spellings.of(one) for one in ids})


@pytest.mark.parametrize("policy", [IdPolicy.PSEUDONYM, IdPolicy.KEEP])
def test_ids_stay_apart_and_are_known_to_be_one_patient(tmp_path, policy):
    dataset = open_dataset(draw(tmp_path / "data", *NAMES), layout="images", ids=policy)
    assert united(dataset) == (4, 2)
    again = open_dataset(tmp_path / "data", layout="images", ids=policy)
    assert [case.case_id for case in again.cases] == [case.case_id for case in dataset.cases]


@pytest.mark.parametrize(
    "names",
    [
        ["12", " 12", "012", "12 "],
        ["Ju\u0308rgen", "Jürgen", "JÜRGEN"],
        ["P 12", "P12", "p012"],
    ],
)
def test_spellings_of_a_table(tmp_path, names):
    files = [f"{number}.png" for number in range(len(names) + 1)]
    folder = draw(tmp_path / "data", *files)
    rows = [f'{file},"{name}"' for file, name in zip(files, [*names, "other"], strict=True)]
    (folder / "groups.csv").write_text("\n".join(["file,who", *rows]) + "\n", encoding="utf-8")
    assert united(open_dataset(folder, layout="images", group_by="column:who")) == (len(names) + 1, 2)


def test_a_spelling_of_another_data_set_under_the_same_key_is_known(tmp_path):
    key = tmp_path / "study.key"
    one = open_dataset(draw(tmp_path / "a", "P12_001.png"), layout="images", id_key=key)
    other = open_dataset(draw(tmp_path / "b", "p012_001.png"), layout="images", id_key=key)
    ids = [dataset.frames[0].patient for dataset in (one, other)]
    assert len(set(ids)) == 2 and len({other.people.spellings.of(found) for found in ids}) == 1
    assert other.people.spellings.of(ids[0]) == ids[1]  # it counts under the id of the data set that is open
    assert one.people.key_path == key


def test_the_check_warns_and_names_nobody(tmp_path):
    dataset = open_dataset(draw(tmp_path / "data", *NAMES), layout="images")
    (found,) = (one for one in audit(dataset).findings if one.kind == "patient_spellings")
    assert found.severity is AuditSeverity.WARNING and found.what.startswith("3 patient ids are spellings of 1 patient")
    assert "12" not in found.what + found.advice
    apart = named_dataset("P12_1.png", "P112_1.png", "P1_2.png")
    assert not apart.people.spellings.united


def test_a_patient_in_two_splits_under_two_spellings_is_found(tmp_path):
    entries = {"train": "P12_001.png", "test": "p012_002.png"}
    draw(tmp_path / "data/images", *entries.values())
    for split, image in entries.items():
        content = [{"image": f"images/{image}", "mask": [[1, 1, 5, 1, 5, 5]], "text": "vessel"}]
        (tmp_path / "data" / f"{split}.json").write_text(json.dumps(content))
    dataset = open_dataset(tmp_path / "data")
    kinds = {one.kind: one.what for one in audit(dataset).findings}
    assert "patient_across_splits" in kinds and "under the ids" in kinds["patient_across_splits"]
