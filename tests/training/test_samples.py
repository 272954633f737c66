"""What training is given of a case."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.errors import RefusedInput
from helpers.sa2va.processing_sa2va import cut_tiles, image_bytes, sam2_bytes
from helpers.training import SegmentationSamples


def write_pairs(folder, coloured=False):
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    random = np.random.default_rng(0)
    for number in (1, 2):
        grey = random.integers(0, 256, (40, 60, 3 if coloured else 1), dtype=np.uint8).repeat(1 if coloured else 3, 2)
        Image.fromarray(grey).save(folder / f"images/c{number}.png")
        mask = np.zeros((40, 60), np.uint8)
        mask[:20] = 255
        Image.fromarray(mask).save(folder / f"masks/c{number}.png")
    (folder / "dataset.json").write_text(json.dumps({"ids": "public", "layout": "paired"}))
    return folder


@pytest.mark.parametrize("coloured", [False, True])
def test_pixels_are_those_that_prediction_sees(tmp_path, coloured):
    folder = write_pairs(tmp_path / "data", coloured)
    sample = SegmentationSamples(str(folder), mask_side=8, sam2_size=64, tile_size=28)[(0, 1)]
    image = Image.open(folder / "images/c2.png").convert("RGB")
    assert sample["pixels"].shape[0] == (3 if coloured else 1)
    assert torch.equal(sample["pixels"].expand(3, -1, -1), sam2_bytes(image, 64)[0])
    assert torch.equal(sample["tiles"].expand(-1, 3, -1, -1), image_bytes(cut_tiles(image, 1, 12, 28, True)))
    assert sample["truth"].tolist() == [[1] * 8] * 4 + [[0] * 8] * 4


def test_what_is_drawn_depends_on_the_position_alone(tmp_path):
    changes = [{"type": "vesselkit.AngiogramChanges"}]
    data = str(write_pairs(tmp_path / "data"))
    one, two = (SegmentationSamples(data, transforms=changes, sam2_size=64, seed=5) for _ in range(2))
    two[(3, 0)]
    assert torch.equal(one[(7, 1)]["pixels"], two[(7, 1)]["pixels"])
    assert not torch.equal(one[(7, 1)]["pixels"], one[(8, 1)]["pixels"])
    assert len({one[(position, 0)]["prompt"] for position in range(40)}) > 3


def test_annotations_words_are_asked_for_as_the_official_training_writes_them(tmp_path):
    (tmp_path / "images").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "images/a.png")
    item = {"image": "a.png", "mask": [[0, 0, 4, 0, 4, 4]], "text": ["Left Coronary Artery."]}
    (tmp_path / "annotations.json").write_text(json.dumps([item]))
    samples = SegmentationSamples(
        str(tmp_path / "annotations.json"), ids="keep", prompts=["Please segment {text}."], sam2_size=64
    )
    assert samples[(0, 0)]["prompt"] == "Please segment left coronary artery."


def test_a_data_set_without_truth_is_refused(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(RefusedInput, match="expected cases with a ground truth"):
        SegmentationSamples(str(tmp_path), ids="keep")
