"""Files that other tools wrote are read to the pixel."""

import json
from pathlib import Path

import numpy as np
import pytest

from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import Exchange
from helpers.data.exchange.brush_rle import decode_brush
from helpers.data.exchange.exchange_formats import kind_of, read_masks
from helpers.data.exchange.nifti import read_nifti

RECORDED = Path(__file__).parent / "recorded"
MASK = np.zeros((12, 17), bool)
MASK[2:9, 3:5] = MASK[4, 5:16] = MASK[6:8, 8:11] = True


@pytest.mark.parametrize(
    ("name", "kind", "untouched"),
    [
        ("labelme", Exchange.LABELME, 0),
        ("datumaro", Exchange.COCO, 1),
        ("label_studio", Exchange.LABEL_STUDIO, 0),
        ("label_studio_sdk", Exchange.LABEL_STUDIO, 0),
    ],
)
def test_an_annotation_file(name, kind, untouched):
    path = RECORDED / f"{name}.json"
    found = read_masks(path, kind_of(path))
    assert kind_of(path) is kind and found.untouched == untouched
    (one,) = found.masks
    assert one.name == "P1_S1_001" and np.array_equal(one.read(), MASK)


def test_a_polygon_of_labelme_is_drawn_by_the_centres_of_pixels():
    (one,) = read_masks(RECORDED / "labelme_polygon.json", Exchange.LABELME).masks
    expected = np.zeros_like(MASK)
    expected[2:7, 3:9] = True
    assert np.array_equal(one.read(), expected)


@pytest.mark.parametrize("name", ["nnunet_png", "nnunet_nifti"])
def test_labels_of_nnunet(name):
    assert kind_of(RECORDED / name) is Exchange.NNUNET
    (one,) = read_masks(RECORDED / name, Exchange.NNUNET).masks
    assert one.name == "P1_S1_001" and np.array_equal(one.read(), MASK)


@pytest.mark.parametrize(
    "name", ["itk_2d.nii.gz", "itk_3d.nii", "itk_spaced.nii.gz", "nibabel_same.nii.gz", "nibabel_float.nii"]
)
def test_a_slice(name):
    assert np.array_equal(read_nifti(RECORDED / name), MASK)


def test_a_slice_whose_axes_run_to_the_left_is_refused():
    with pytest.raises(RefusedInput, match=r"axes that run otherwise \(\[\[1.0, 0.0\], \[0.0, 1.0\]\]"):
        read_nifti(RECORDED / "nibabel_eye.nii.gz")


def test_a_brush_with_a_smoothed_edge_counts_from_half_opaque():
    mask, between = decode_brush(json.loads((RECORDED / "brush_smoothed.json").read_text()), 6, 5)
    expected = np.zeros((5, 6), bool)
    expected[2:4, 1:5] = True  # rows of alpha 90, 255 and 160
    assert np.array_equal(mask, expected) and between == 8
