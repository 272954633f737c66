"""Which cases a training list names: files of a config by role, equal names in several folders, images compared."""

import json
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

from helpers.core.errors import RefusedInput
from helpers.data.cases import Case
from helpers.data.frames.frame import Frame
from helpers.evaluation.leakage.training_list import ListRole, read_training_list


def data(folder: Path, *names: str):
    """A data set of files, each with its own content; case ids are c0, c1, ..."""
    cases = []
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"pixels of {path}")
        cases.append(Case(Frame(f"c{number}", path)))
    return SimpleNamespace(cases=tuple(cases))


def listed(folder: Path, dataset, *entries: str):
    (folder / "list.txt").write_text("# trained on\n" + "\n".join(entries))
    (file,) = read_training_list(folder / "list.txt", dataset).files
    return file


def annotate(path: Path, *images: str):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([{"image": image} for image in images]))


def test_ids_and_file_names_whatever_their_folder_and_suffix(tmp_path):
    dataset = data(tmp_path / "data", "a.png", "b.png", "d.png")
    found = listed(tmp_path, dataset, "c1", "elsewhere\\a.jpg", "x.png")
    assert found.matched == {"c0", "c1"} and found.entries == 3 and not found.doubtful


def test_equal_names_are_told_apart_by_their_folder(tmp_path):
    dataset = data(tmp_path / "data", "P1/001.png", "P2/001.png", "P3/001.png")
    found = listed(tmp_path, dataset, "train/P1/001.png", "train/P3/001.png", "train/P9/001.png")
    assert found.matched == {"c0", "c2"} and not found.doubtful
    alone = listed(tmp_path, dataset, "001.png")
    assert not alone.matched and alone.doubtful == {"c0", "c1", "c2"}


def test_an_image_that_is_here_must_be_the_same(tmp_path):
    dataset = data(tmp_path / "test/images", "1.png", "2.png")
    data(tmp_path / "train/images", "1.png")
    (tmp_path / "train/images/2.png").write_bytes((tmp_path / "test/images/2.png").read_bytes())
    annotate(tmp_path / "train/annotations/train.json", "1.png", "2.png")
    (file,) = read_training_list(tmp_path / "train/annotations/train.json", dataset).files
    assert file.matched == {"c1"}


@pytest.mark.parametrize("folder", [".", "images", "..", "../images"])
def test_images_are_looked_for_around_the_annotations(tmp_path, folder):
    dataset = data(tmp_path / "test", "1.png")
    data(tmp_path / "train/annotations" / folder, "1.png")
    annotate(tmp_path / "train/annotations/train.json", "1.png")
    (file,) = read_training_list(tmp_path / "train/annotations/train.json", dataset).files
    assert not file.matched and not file.doubtful


def test_images_are_looked_for_in_the_folders_of_the_config(tmp_path):
    dataset = data(tmp_path / "test", "1.png", "2.png")
    data(tmp_path / "some/frames", "1.png")
    annotate(tmp_path / "ann.json", "1.png", "2.png")
    (tmp_path / "config.py").write_text("data = ['ann.json', 'some/frames']\n")
    (file,) = read_training_list(tmp_path / "config.py", dataset).files
    assert file.matched == {"c1"}


@pytest.mark.parametrize("key", ["image", "file_name", "image_path", "imagePath"])
def test_images_are_found_at_any_depth(tmp_path, key):
    (tmp_path / "a.json").write_text(json.dumps({"images": [{key: "a.png", "id": 1}], "other": {"name": "b.png"}}))
    (file,) = read_training_list(tmp_path / "a.json", data(tmp_path / "data", "a.png", "b.png")).files
    assert file.matched == {"c0"} and file.entries == 1 and file.role is ListRole.TRAINING
    assert file.sha256 == sha256((tmp_path / "a.json").read_bytes()).hexdigest()


def test_facts_of_a_list(tmp_path):
    dataset = data(tmp_path / "data", "a.png", "P1/b.png", "P2/b.png")
    (tmp_path / "list.txt").write_text("a.png\nb.png\n")
    found = read_training_list(tmp_path / "list.txt", dataset)
    digest = sha256(b"a.png\nb.png\n").hexdigest()
    assert found.facts(["c2", "c0"]) == {
        "leaked": ["c0"],
        "validated": [],
        "doubtful": ["c2"],
        "files": [{"role": "training", "sha256": digest, "entries": 2, "matched": 1}],
        "files_absent": 0,
        "warnings": found.warnings(["c2", "c0"]),
    }
    assert len(found.warnings(["c0", "c2"])) == 2 and found.warnings(["c1"])[0].startswith(
        "1 of 1 scored case is named"
    )


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("train = dict(data_path='some.json')", ListRole.TRAINING),
        ("val_dataloader = dict(dataset=dict(data_path='some.json'))", ListRole.VALIDATION),
        ("data = {'test': {'path': 'some.json'}}", ListRole.VALIDATION),
        ("data = dict(val=dict(path='some.json'))", ListRole.VALIDATION),
        ("val = 'some.json'\ntrain = 'some.json'", ListRole.TRAINING),
        ("train = 'some.json'\nval = 'some.json'", ListRole.TRAINING),
        ("path = 'some.json'", ListRole.TRAINING),
        ("a = val = 'some.json'", ListRole.VALIDATION),
        ("train_and_val = 'some.json'", ListRole.TRAINING),
        *(
            (f"{word}_file = 'some.json'", ListRole.VALIDATION)
            for word in ("val", "valid", "validation", "test", "testing", "eval", "evaluation", "dev")
        ),
        ("val_of_training = 'some.json'", ListRole.TRAINING),
        ("{1: 'some.json', 'val': 'b'}", ListRole.TRAINING),
    ],
)
def test_a_config_says_what_its_files_are_for(tmp_path, text, role):
    annotate(tmp_path / "some.json", "a.png")
    (tmp_path / "config.py").write_text(text)
    (file,) = read_training_list(tmp_path / "config.py", data(tmp_path / "data", "a.png")).files
    assert file.role is role and file.matched == {"c0"}


def test_validation_data_is_no_training_data_and_is_said_to_be_what_it_is(tmp_path):
    dataset = data(tmp_path / "data", "a.png", "b.png", "d.png")
    annotate(tmp_path / "ann/train.json", "a.png")
    annotate(tmp_path / "ann/val.json", "a.png", "b.png")
    (tmp_path / "config.py").write_text("root = 'ann/'\nfiles = ['train.json', 'val.json', 'lost.json']\n")
    found = read_training_list(tmp_path / "config.py", dataset)
    facts = found.facts(["c0", "c1", "c2"])
    assert facts["leaked"] == ["c0"] and facts["validated"] == ["c1"] and facts["files_absent"] == 1
    assert [(file["role"], file["entries"], file["matched"]) for file in facts["files"]] == [
        ("training", 1, 1),
        ("validation", 2, 2),
    ]
    leak, validation, absent = facts["warnings"]
    assert leak.startswith("1 of 3 scored cases is training data")
    assert validation.startswith("1 of 3 scored cases is validation data")
    assert absent.startswith("1 of 3 annotation files of the training config not here")
    assert found.facts(["c2"])["leaked"] == []


def test_a_list_that_matches_nothing_is_called_out(tmp_path):
    (tmp_path / "list.txt").write_text("x.png\ny.png\n")
    found = read_training_list(tmp_path / "list.txt", data(tmp_path / "data", "a.png"))
    (warning,) = found.warnings(["c0"])
    assert warning.startswith("no entry of the training list, of 2,")


def test_names_that_no_folder_tells_apart_are_called_out(tmp_path):
    dataset = data(tmp_path / "data", "P1/001.png", "P2/001.png", "a.png")
    (tmp_path / "list.txt").write_text("001.png\na.png\n")
    leak, doubt = read_training_list(tmp_path / "list.txt", dataset).warnings(["c0", "c1", "c2"])
    assert leak.startswith("1 of 3") and doubt.startswith("2 of 3 scored cases are named like training images")


def test_a_config_whose_files_are_not_here_is_refused(tmp_path):
    dataset = data(tmp_path / "data", "a.png")
    for text, found in (("data = ['x.json', 'a.png']", 'found "x.json"'), ("data = 1", "found none at all")):
        (tmp_path / "config.py").write_text(text)
        with pytest.raises(RefusedInput, match=rf"config\.py: expected annotation files .*{found}"):
            read_training_list(tmp_path / "config.py", dataset)
    (tmp_path / "config.py").write_text("data = (")
    with pytest.raises(RefusedInput, match=r"config\.py: expected a training config in Python"):
        read_training_list(tmp_path / "config.py", dataset)
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(RefusedInput, match=r"list\.txt: expected a text file"):
        read_training_list(tmp_path / "list.txt", dataset)


def test_lists_of_nothing_are_refused(tmp_path):
    dataset = data(tmp_path / "data", "a.png")
    (tmp_path / "list.txt").write_text("# nothing\n")
    annotate(tmp_path / "empty.json")
    (tmp_path / "config.py").write_text("data = 'empty.json'\n")
    for name in ("list.txt", "empty.json", "config.py"):
        with pytest.raises(RefusedInput, match="expected names of training images"):
            read_training_list(tmp_path / name, dataset)
