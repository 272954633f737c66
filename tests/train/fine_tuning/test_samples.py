"""What training is given of a case."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.data.frames.frame_source import pixel_sha256
from helpers.model.processing_sa2va import cut_tiles, image_bytes, sam2_bytes
from helpers.train.fine_tuning import SegmentationSamples, measuring_frames
from helpers.train.fine_tuning.measuring_frames import PIXEL_SHA256


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


def test_a_frame_that_models_are_measured_on_is_refused_whatever_its_file(tmp_path, monkeypatch):
    """With a drawn frame in their place: the real ones are no part of the kit."""
    data = write_pairs(tmp_path / "data")
    frame = Image.fromarray(np.random.default_rng(1).integers(0, 256, (300, 300), np.uint8))
    frame.convert("RGB").save(data / "images/c2.png", compress_level=1)
    SegmentationSamples(str(data), sam2_size=64)
    known = {pixel_sha256(frame.convert("RGB"))}
    monkeypatch.setattr(measuring_frames, "PIXEL_SHA256", known)
    with pytest.raises(RefusedInput, match=r"c2\.png: expected frames to train on or"):
        SegmentationSamples(str(data), sam2_size=64)
    monkeypatch.setattr(measuring_frames, "PIXEL_SHA256", set())
    samples = SegmentationSamples(str(data), sam2_size=64)
    monkeypatch.setattr(measuring_frames, "PIXEL_SHA256", known)
    samples[(0, 0)]
    with pytest.raises(RefusedInput, match="case .*: expected frames to train on or"):
        samples[(0, 1)]


def test_the_real_frames_are_known():
    assert len(PIXEL_SHA256) == 40 and all(len(one) == 64 for one in PIXEL_SHA256)
    folder = Path(__file__).resolve().parents[4] / "shared/data/coronary40"
    if folder.is_dir():
        with pytest.raises(RefusedInput, match=r"case_001\.png: expected frames to train on or"):
            SegmentationSamples(str(folder), ids="keep")


def write_sequence(folder, frames=7):
    """Frames of one sequence: frame n is of the grey 20 n, vessels in its first n rows; n from 1."""
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    for number in range(1, frames + 1):
        name = f"P001-S01-F{number:03d}.png"
        Image.new("L", (16, 16), 20 * number).save(folder / "images" / name)
        mask = np.zeros((16, 16), np.uint8)
        mask[:number] = 255
        Image.fromarray(mask).save(folder / "masks" / name)
    (folder / "dataset.json").write_text(json.dumps({"ids": "public", "layout": "paired"}))
    return folder


def test_several_frames_are_five_of_the_sequence_in_order_with_the_mask_of_one(tmp_path):
    data = str(write_sequence(tmp_path / "data"))
    samples = SegmentationSamples(data, several=1.0, mask_side=16, sam2_size=16, tile_size=28)
    drawn = set()
    for position in range(20):
        sample = samples[(position, 3)]
        greys = [int(value) for value in sample["tiles"][:, 0, 0, 0]]
        assert sample["frames"] == 5 and sample["tiles"].shape == (5, 1, 28, 28)
        assert greys == sorted(set(greys)) and 80 in greys
        assert int(sample["pixels"][0, 0, 0]) == 80 and int(sample["truth"][:, 0].sum()) == 4
        drawn.add(tuple(greys))
    assert len(drawn) > 5


def test_frames_of_one_sample_are_changed_alike(tmp_path):
    data = str(write_sequence(tmp_path / "data", frames=2))
    noise = [{"type": "vesselkit.AngiogramChanges", "noise": 40.0, "contrast": (1.0, 1.0), "brightness": 0.0,
              "gamma": (1.0, 1.0)}]  # fmt: skip
    tiles = SegmentationSamples(data, several=1.0, transforms=noise, sam2_size=16, tile_size=16)[(3, 0)]["tiles"]
    first, second = tiles[:, 0].int()
    assert first.unique().numel() > 5
    assert (second - first - 20).abs().max() <= 1


def test_the_share_of_several_leaves_the_other_samples_as_they_were(tmp_path):
    data = str(write_sequence(tmp_path / "data"))
    changes = [{"type": "vesselkit.AngiogramChanges"}]
    alone, some = (
        SegmentationSamples(data, several=share, transforms=changes, sam2_size=16, tile_size=28) for share in (0, 0.5)
    )
    pairs = [(alone[(position, 2)], some[(position, 2)]) for position in range(40)]
    several = [one["frames"] > 1 for _, one in pairs]
    assert 10 < sum(several) < 30
    for one, other in pairs:
        assert one["frames"] == 1 and torch.equal(one["pixels"], other["pixels"]) and one["prompt"] == other["prompt"]


def test_several_frames_without_sequences_are_refused(tmp_path):
    data = str(write_pairs(tmp_path / "data"))
    with pytest.raises(UsageProblem, match="sequences to take frames from, got 0.5 and 0 frames in sequences"):
        SegmentationSamples(data, several=0.5)


def test_pixels_that_are_not_scored_are_not_trained_on_as_background(tmp_path):
    folder = write_pairs(tmp_path / "data")
    mask = np.asarray(Image.open(folder / "masks/c1.png")).copy()
    mask[:2] = 9
    Image.fromarray(mask).save(folder / "masks/c1.png")
    with pytest.raises(RefusedInput, match=r"cannot be used yet: .*9: .*--ignore VALUE --save"):
        SegmentationSamples(str(folder), sam2_size=64)
    rules = {"schema": "vesselkit.dataset", "schema_version": 1, "ids": "public", "ignore": ["9"]}
    (folder / "dataset.json").write_text(json.dumps(rules))
    with pytest.raises(RefusedInput, match="which training would take for background.*`ignore` of the data set is 9"):
        SegmentationSamples(str(folder), sam2_size=64)


def test_masks_that_a_run_predicted_are_not_trained_on(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    item = {
        "id": 1,
        "image_id": 1,
        "category_id": 1,
        "segmentation": [[0, 0, 4, 0, 4, 4]],
        "case_id": "a",
        "seg_index": 0,
    }
    coco = {"images": [{"id": 1, "file_name": "a.png"}], "annotations": [item], "categories": [{"id": 1, "name": "v"}]}
    (tmp_path / "renamed.json").write_text(json.dumps(coco))
    with pytest.raises(RefusedInput, match="masks that a run predicted"):
        SegmentationSamples(str(tmp_path / "renamed.json"), ids="keep")[(0, 0)]
