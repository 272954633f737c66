"""Masks from elsewhere are held against the frames that they are imported for."""

import json

import numpy as np
import pytest
from PIL import Image

from helpers.data.dataset import open_dataset
from helpers.prediction.imports.import_run import import_masks
from tests.support.drawn_masks import vessel_tree

SIDE, FRAMES = 64, 8


@pytest.fixture
def masks(tmp_path):
    """Frames in `data`; their masks, bool, by stem."""
    rng = np.random.default_rng(5)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/dataset.json").write_text(json.dumps({"ids": "public"}))
    drawn = {f"f{number}": vessel_tree(rng, SIDE) for number in range(FRAMES)}
    for name, mask in drawn.items():
        frame = np.where(mask, 90, 170) + rng.normal(0, 8, mask.shape)
        Image.fromarray(frame.clip(0, 255).astype(np.uint8)).save(tmp_path / f"data/{name}.png")
    return drawn


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda mask: mask, None),
        (lambda mask: mask.T, "8 masks were compared with their frames: as they lie 0 fit what these show"),
    ],
)
def test_masks_that_were_turned_are_told(tmp_path, masks, change, said):
    (tmp_path / "given").mkdir()
    for name, mask in masks.items():
        Image.fromarray(change(mask).astype(np.uint8) * 255).save(tmp_path / f"given/{name}.png")
    found = import_masks(tmp_path / "given", "net", open_dataset(tmp_path / "data"), tmp_path / "run")
    assert ("compared with their frames" in found.to_text()) == (said is not None)
    if said is not None:
        assert said in found.fit and "they fit it with rows and columns exchanged. Check how" in found.to_text()
