"""Tiles, pixels and prompt text."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.model.processing_sa2va import (
    build_prompt,
    cut_tiles,
    image_text,
    region_cells,
    region_text,
    sam2_pixels,
    tile_grid,
    tile_pixels,
)

FRAME = "<u>{input}</u>"


@pytest.mark.parametrize(
    ("size", "grid"),
    [((512, 512), (1, 1)), ((640, 320), (2, 1)), ((300, 420), (3, 4)), ((768, 768), (2, 2)), ((2000, 100), (12, 1))],
)
def test_tile_grid_follows_the_aspect_ratio(size, grid):
    assert tile_grid(*size, 1, 12, 448) == grid


@given(width=st.integers(1, 4000), height=st.integers(1, 4000))
def test_tile_grid_stays_within_its_limits(width, height):
    columns, rows = tile_grid(width, height, 1, 12, 448)
    assert 1 <= columns * rows <= 12
    distance = abs(width / height - columns / rows)
    assert all(distance <= abs(width / height - i / j) for i in range(1, 13) for j in range(1, 13) if i * j <= 12)


def test_tiles_run_row_by_row_and_the_thumbnail_comes_last():
    image = Image.new("RGB", (8, 4))
    image.paste((200, 0, 0), (0, 0, 4, 4))
    tiles = cut_tiles(image, 1, 12, 4, True)
    assert [tile.size for tile in tiles] == [(4, 4)] * 3
    assert [tile.getpixel((1, 1))[0] > 100 for tile in tiles[:2]] == [True, False]
    assert tiles[2] == image.resize((4, 4), Image.Resampling.BICUBIC)


def test_a_single_tile_has_no_thumbnail():
    assert len(cut_tiles(Image.new("RGB", (4, 4)), 1, 12, 4, True)) == 1


def test_tile_pixels_are_normalised_with_imagenet_constants():
    white = tile_pixels([Image.new("RGB", (2, 2), (255, 255, 255))])
    assert white.shape == (1, 3, 2, 2)
    assert white[0, :, 0, 0].tolist() == pytest.approx([(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225])


def test_sam2_constants_are_rounded_to_bfloat16_unless_exact():
    white = Image.new("RGB", (3, 3), (255, 255, 255))
    rounded = sam2_pixels(white, 4, "bf16_rounded", torch.float32)[0, :, 0, 0]
    exact = sam2_pixels(white, 4, "exact", torch.float32)[0, :, 0, 0]
    assert rounded.tolist() == pytest.approx(
        [(1 - 0.484375) / 0.228515625, (1 - 0.455078125) / 0.2236328125, (1 - 0.40625) / 0.224609375]
    )
    assert exact.tolist() == pytest.approx([(1 - 0.485) / 0.229, (1 - 0.456) / 0.224, (1 - 0.406) / 0.225])
    assert sam2_pixels(white, 4, "bf16_rounded", torch.bfloat16).dtype == torch.bfloat16


def test_region_cells_take_the_nearest_pixel():
    mask = np.zeros((1, 4, 4))
    mask[0, :2, 2:] = 1
    assert region_cells([mask], 2)[0].tolist() == [[False, True], [False, False]]


@pytest.mark.parametrize("prompts", [[], [np.zeros((4, 4))], [np.zeros((1, 4, 4))] * 2])
def test_region_cells_explain_the_expected_shape(prompts):
    with pytest.raises(ValueError, match=r"expected one array of shape \(n_objects, H, W\)"):
        region_cells(prompts, 2)


def test_texts_of_image_and_regions():
    assert image_text(2, 2) == "<img>" + "<IMG_CONTEXT>" * 4 + "</img>"
    cells = torch.tensor([[[True, False]], [[True, True]]])
    assert region_text(cells) == (
        "\nThere are 2 part regions in the picture: region1<vp><IMG_CONTEXT></vp>, "
        "region2<vp><IMG_CONTEXT><IMG_CONTEXT></vp>.\n"
    )


@pytest.mark.parametrize(
    ("text", "past", "image", "expected"),
    [
        ("<image>\nSegment.", "", "I", "<u>I\nSegment.</u>"),
        ("<image>Segment.", "", "I", "<u>ISegment.</u>"),
        ("Segment.", "", "I", "<u>I\nSegment.</u>"),
        ("", "", "I", "<u>I\n</u>"),
        ("Again {input}.", "before ", "I", "before <u>Again {input}.</u>"),
        ("<image>Hello", "", None, "<u>Hello</u>"),
    ],
)
def test_prompts(text, past, image, expected):
    assert build_prompt(text, past, FRAME, image) == expected


def test_regions_follow_the_image():
    assert build_prompt("<image> what?", "", FRAME, "I", "R") == "<u>IR what?</u>"


def test_a_second_image_mark_is_refused():
    with pytest.raises(ValueError, match="at most one <image>, got 2"):
        build_prompt("<image><image>", "", FRAME, "I")


def test_an_image_mark_behind_past_text_is_refused():
    with pytest.raises(ValueError, match="past_text already holds the image"):
        build_prompt("<image> more", "before", FRAME, "I")
