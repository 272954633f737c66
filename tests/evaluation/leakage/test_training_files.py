"""The names of training images out of lists, annotations and configs, and what of a config could not be read."""

import json
from dataclasses import replace
from hashlib import sha256

import pytest
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.evaluation.leakage.training_files import (
    ListRole,
    TrainingFiles,
    place_of,
    read_training_files,
    read_training_text,
)


def annotate(path, *images):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([{"image": image} for image in images]))


def names(found, role=ListRole.TRAINING):
    return {name for one in found.sources if one.role is role for name in one.names}


def test_a_text_file_and_its_signs_of_windows(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfP1\\a.png\r\n# not this\r\n\r\nb.png\r\n")
    (source,) = read_training_files(tmp_path / "list.txt").sources
    assert source.names == ("P1/a.png", "b.png") and source.role is ListRole.TRAINING


def test_a_config_and_those_that_it_inherits(tmp_path):
    annotate(tmp_path / "ann/train.json", "a.png")
    annotate(tmp_path / "ann/val.json", "b.png")
    annotate(tmp_path / "ann/more.json", "c.png")
    (tmp_path / "base").mkdir()
    (tmp_path / "base/data.py").write_text("_base_ = './gone.py'\ntrain = '../ann/more.json'\n")
    (tmp_path / "config.py").write_text(
        "from mmengine.config import read_base\n_base_ = ['base/data.py', '../config.py']\n"
        "with read_base():\n    from .base.data import *\n    import mmseg.schedule\n"
        "root = 'ann/'\ntrain = root + 'train.json'\nval = root + 'val.json'\nlost = 'lost.json'\n"
    )
    found = read_training_files(tmp_path / "config.py")
    assert names(found) == {"a.png", "c.png"} and names(found, ListRole.VALIDATION) == {"b.png"}
    assert found.absent == 1 and found.unread == 3  # gone.py, ../config.py that is not here, and the package


def test_a_file_that_names_no_image_is_not_passed_over(tmp_path):
    annotate(tmp_path / "a.json", "a.png")
    (tmp_path / "videos.json").write_text(json.dumps({"videos": {"P1": {"frames": ["001"]}}}))
    (tmp_path / "empty_val.json").write_text("[]")
    (tmp_path / "config.py").write_text("data = ['a.json', 'videos.json', 'empty_val.json']\n")
    found = read_training_files(tmp_path / "config.py")
    assert names(found) == {"a.png"} and found.unread == 1 and found.absent == 0


def test_an_annotation_file_that_is_refused_stops_or_is_counted(tmp_path):
    annotate(tmp_path / "a.json", "a.png")
    (tmp_path / "broken.json").write_text("[{")
    text = "data = ['a.json', 'broken.json']\n"
    (tmp_path / "config.py").write_text(text)
    with pytest.raises(RefusedInput, match=r"broken\.json"):
        read_training_files(tmp_path / "config.py")
    found = read_training_text(text, tmp_path / "iter_1.pth", (tmp_path,), lenient=True)
    assert names(found) == {"a.png"} and found.unread == 1


@pytest.mark.parametrize(
    "text",
    [
        "train_dataloader = dict(dataset=dict(type='vesselkit.SegmentationSamples', data='study', split='train'))",
        "train_dataloader = {'dataset': {'type': 'vesselkit.SegmentationSamples', 'data': 'study', 'split': 'train'}}",
    ],
)
def test_a_data_set_that_the_kit_trained_on(tmp_path, text):
    for split in ("train", "val"):
        for folder in ("images", "masks"):
            (tmp_path / "study" / split / folder).mkdir(parents=True)
            Image.new("L", (8, 8)).save(tmp_path / "study" / split / folder / f"{split}_P1_1.png")
    found = read_training_text(text, tmp_path / "c.py", (tmp_path,))
    (source,) = found.sources
    assert source.names == ("train/images/train_P1_1.png",) and source.role is ListRole.TRAINING and not found.unread
    assert read_training_text(text.replace("study", "gone"), tmp_path / "c.py", (tmp_path,)).unread == 1


def test_where_an_image_lies(tmp_path):
    annotate(tmp_path / "ann/a.json", "x.png")
    (tmp_path / "images").mkdir()
    (tmp_path / "images/x.png").write_bytes(b"x")
    (source,) = read_training_files(tmp_path / "ann/a.json").sources
    assert source.file("x.png") == (tmp_path / "images/x.png").resolve() and source.file("y.png") is None
    assert place_of("a\0b", [tmp_path]) is None


IMAGE_KEYS = ("image", "file_name", "image_path", "imagePath", "images", "file_names", "filename", "img", "img_path",
              "image_file")  # fmt: skip
OTHER_KINDS = (".parquet", ".pkl", ".pickle", ".csv", ".tsv", ".txt", ".lst", ".xml", ".h5", ".hdf5", ".npz", ".arrow",
               ".db")  # fmt: skip
VALIDATION = ("val", "valid", "validation", "test", "testing", "eval", "evaluation", "dev")


def from_text(text, folder, **more):
    return read_training_text(text, folder / "c.py", (folder,), **more)


@pytest.mark.parametrize("key", IMAGE_KEYS)
def test_every_key_of_an_image_is_known_with_one_and_with_several(tmp_path, key):
    values = [{key: "a.png"}, {"deep": [{key: ["b.png", "c.png"]}]}, {key: [{"image": "d.png"}]}, {key: 3}]
    (tmp_path / "a.json").write_text(json.dumps(values))
    assert names(read_training_files(tmp_path / "a.json")) == {"a.png", "b.png", "c.png", "d.png"}


def test_other_keys_name_no_image(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([{"x": "a.png"}, ["b.png"], "c.png"]))
    assert read_training_files(tmp_path / "a.json").sources[0].names == ()


@pytest.mark.parametrize("suffix", OTHER_KINDS)
def test_annotations_of_other_kinds_are_counted_where_they_are_for_training(tmp_path, suffix):
    found = from_text(f"a = 'one{suffix}'\nb = 'TWO{suffix.upper()}'\nval = 'three{suffix}'\n", tmp_path)
    assert (found.unread, found.absent, found.named, found.sources) == (2, 0, (), ())
    assert from_text("a = 'one.png'\nb = 'csv'\n", tmp_path).unread == 0


@pytest.mark.parametrize("word", VALIDATION)
def test_words_of_validation_in_a_name_and_around_it(tmp_path, word):
    annotate(tmp_path / f"a/x_{word}_1.json", "name.png")
    annotate(tmp_path / "plain.json", "around.png")
    annotate(tmp_path / f"train_{word}.json", "both.png")
    found = from_text(
        f"a = 'a/x_{word}_1.json'\nb = 'train_{word}.json'\n{word}_set = dict(c='plain.json')\n", tmp_path
    )
    assert names(found, ListRole.VALIDATION) == {"name.png", "around.png"} and names(found) == {"both.png"}


def test_a_word_of_training_around_a_name_of_validation_counts(tmp_path):
    annotate(tmp_path / "val.json", "a.png")
    for text in ("train = 'val.json'", "x = dict(training='val.json')", "x = {'train': {'y': ['val.json']}}"):
        assert names(from_text(text, tmp_path)) == {"a.png"}
    for text in ("x = 'val.json'", "x = dict(y='val.json')", "x = {1: 'val.json'}", "x = {z: 'val.json', **w}"):
        assert names(from_text(text, tmp_path), ListRole.VALIDATION) == {"a.png"}
    for order in ("x = 'val.json'\ntrain = 'val.json'", "train = 'val.json'\nx = 'val.json'"):
        assert names(from_text(order, tmp_path)) == {"a.png"}


@pytest.mark.parametrize("place", [".", "images", "..", "../images"])
def test_an_image_may_lie_in_four_folders_around_its_annotation(tmp_path, place):
    annotate(tmp_path / "set/ann/a.json", "x.png")
    folder = tmp_path / "set/ann" / place
    folder.mkdir(exist_ok=True)
    (folder / "x.png").write_bytes(b"x")
    (source,) = read_training_files(tmp_path / "set/ann/a.json").sources
    assert source.file("x.png") == (folder / "x.png").resolve()


def test_roots_that_a_config_names_are_looked_through(tmp_path):
    annotate(tmp_path / "data/sub/a.json", "x.png")
    (tmp_path / "data/sub/x.png").write_bytes(b"x")
    (source,) = from_text("root = 'data/sub/'\na = 'a.json'\n", tmp_path).sources
    assert source.path == (tmp_path / "data/sub/a.json").resolve() and source.file("x.png").name == "x.png"
    assert from_text("a = 'a.json'\n", tmp_path).absent == 1


def test_what_a_config_lacks_is_counted_together(tmp_path):
    """A kind that is not read, an inherited config that is gone, a list without an image: three. One list is gone."""
    (tmp_path / "none.json").write_text("[]")
    found = from_text("_base_ = 'gone.py'\na = 'b.csv'\nc = ['none.json', 'lost.json']\n", tmp_path)
    assert (found.unread, found.absent, found.named) == (3, 1, ("none.json", "lost.json"))


@pytest.mark.parametrize(
    ("text", "absent"),
    [
        ("_base_ = ['base.py', 'base.py']", 0),
        ("with read_base():\n    from .base import *", 0),
        ("with read_base():\n    from ..base import *", 1),
        ("with read_base():\n    import package.base", 1),
        ("with read_base():\n    from . import base", 1),
        ("with open('x'):\n    from .gone import *", 0),
        ("from .gone import *", 0),
    ],
)
def test_which_configs_are_inherited(tmp_path, text, absent):
    annotate(tmp_path / "more.json", "c.png")
    (tmp_path / "base.py").write_text("train = 'more.json'\n")
    found = from_text(text + "\n", tmp_path)
    assert found.unread == absent
    assert names(found) == ({"c.png"} if "base" in text and not absent else set())


def test_a_config_in_folders_below_is_found_by_dots(tmp_path):
    (tmp_path / "runs/own").mkdir(parents=True)
    annotate(tmp_path / "more.json", "c.png")
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/base.py").write_text("train = '../more.json'\n")
    path = tmp_path / "runs/own/c.py"
    text = "with read_base():\n    from ...configs.base import *\n"
    found = read_training_text(text, path, (path.parent, tmp_path / "configs"))
    assert names(found) == {"c.png"} and found.unread == 0


def test_hashes_are_of_the_file_and_of_the_names_of_a_folder(tmp_path):
    annotate(tmp_path / "a.json", "b.png", "a.png", "b.png")
    (source,) = read_training_files(tmp_path / "a.json").sources
    assert source.names == ("a.png", "b.png")
    assert source.sha256 == sha256((tmp_path / "a.json").read_bytes()).hexdigest()
    assert replace(source, path=tmp_path).sha256 == sha256(b"a.png\nb.png").hexdigest()


@pytest.mark.parametrize(("given", "kept"), [("'train'", 1), ("'val'", 1), ("None", 2)])
def test_the_split_of_a_data_set_decides_its_names(tmp_path, given, kept):
    for split in ("train", "val"):
        for folder in ("images", "masks"):
            (tmp_path / "study" / split / folder).mkdir(parents=True)
            Image.new("L", (8, 8)).save(tmp_path / "study" / split / folder / f"{split}_P1_1.png")
    found = from_text(f"x = dict(type='SegmentationSamples', data='study', split={given})", tmp_path)
    (source,) = found.sources
    assert len(source.names) == kept and source.folders == (tmp_path / "study",)
    none = from_text("x = dict(type='SegmentationSamples', data='study', split='test')", tmp_path)
    assert (none.sources, none.unread) == ((), 1)
    assert from_text("x = dict(type='Other', data='study')", tmp_path) == TrainingFiles(())
    assert from_text("x = list(type='SegmentationSamples', data='study')", tmp_path) == TrainingFiles(())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"\xff\xfe", "expected a text file, one name a line"),
        ("a.jsonl", b"{}\n{", "expected one JSON value a line"),
        ("a.py", b"\xff", "expected a training config in Python"),
        ("a.py", b"a = (", "expected a training config in Python"),
    ],
)
def test_files_that_cannot_be_read_are_refused_by_name(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RefusedInput, match=f"{name}: {message}"):
        read_training_files(tmp_path / name)
    with pytest.raises(RefusedInput, match=message):
        read_training_files(tmp_path / f"gone.{name.partition('.')[2]}")
    (tmp_path / "bad.py").write_bytes(b"\xff")
    assert from_text("_base_ = 'bad.py'\n", tmp_path).unread == 1


def test_what_is_shown_names_no_image(tmp_path):
    annotate(tmp_path / "Meier/a.json", "Meier_1.png")
    assert "Meier" not in repr(from_text("a = 'Meier/a.json'\n", tmp_path))
