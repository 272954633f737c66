"""The names of training images out of lists, annotations and configs, and what of a config could not be read."""

import json

import pytest
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.evaluation.leakage.training_files import ListRole, place_of, read_training_files, read_training_text


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
