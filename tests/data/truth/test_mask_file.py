"""Mask files in every published form."""

import gzip

import numpy as np
import pytest
from PIL import Image

from helpers.data.frames.image_reading import UnreadableImage, read_image
from helpers.data.truth.mask_file import mask_size, read_mask

EXPECTED = [[False, True, True]]


def save(path, values, mode=None):
    image = Image.fromarray(np.asarray(values))
    (image.convert(mode) if mode else image).save(path)
    return path


@pytest.mark.parametrize(
    ("values", "remarks"),
    [
        (np.uint8([[0, 255, 255]]), ()),
        (np.uint8([[0, 1, 1]]), ()),
        (np.uint8([[0, 2, 2]]), ("mask not binary: values 0, 2",)),
        (np.uint16([[0, 1, 1]]), ()),
        (np.uint16([[0, 65535, 65535]]), ()),
        (np.uint16([[0, 40000, 40000]]), ("mask not binary: values 0, 40000",)),
    ],
)
def test_grey_masks(tmp_path, values, remarks):
    mask, found = read_mask(save(tmp_path / "m.png", values))
    assert mask.dtype == bool
    assert (mask.tolist(), found) == (EXPECTED, remarks)


_MODES = {
    "png": ("L", "RGB", "1", "P", "RGBA"),
    "tif": ("L", "RGB", "1", "P", "RGBA"),
    "gif": ("L", "RGB", "1", "P"),
    "bmp": ("L", "RGB", "1", "P"),
    "ppm": ("L", "RGB", "1"),
}


@pytest.mark.parametrize(("suffix", "mode"), [(suffix, mode) for suffix, modes in _MODES.items() for mode in modes])
def test_modes_and_formats(tmp_path, suffix, mode):
    mask, remarks = read_mask(save(tmp_path / f"m.{suffix}", np.uint8([[0, 255, 255]]), mode))
    assert (mask.tolist(), remarks) == (EXPECTED, ())


def test_many_values_are_cut_short_in_the_remark(tmp_path):
    values = np.uint8([[*range(9), *[0] * 40, *[255] * 40, *range(247, 255)]])
    _, remarks = read_mask(save(tmp_path / "m.png", values))
    assert remarks == ("mask not binary: values 0, 1, 2, 3, 4, 5, 6, 7, ...",)


BLACK, WHITE, RED, GREEN, BLUE = (0, 0, 0), (255, 255, 255), (128, 0, 0), (0, 128, 0), (0, 0, 255)


def palette(path, colours, indices):
    image = Image.new("P", (len(indices), 1))
    image.putpalette([value for colour in colours for value in colour])
    image.putdata(indices)
    image.save(path)
    return path


@pytest.mark.parametrize(
    ("colours", "indices"),
    [
        ((BLACK, RED), [0, 1, 1]),
        ((RED, BLACK), [1, 0, 0]),
        ((WHITE, BLACK), [1, 0, 0]),
        ((GREEN, BLACK, BLUE), [1, 2, 2]),
        ((GREEN, WHITE, BLACK), [2, 1, 1]),
    ],
)
def test_a_palette_counts_by_its_colours(tmp_path, colours, indices):
    assert read_mask(palette(tmp_path / "m.png", colours, indices))[0].tolist() == EXPECTED


def test_two_colours_are_black_and_vessel(tmp_path):
    mask, remarks = read_mask(save(tmp_path / "m.png", np.uint8([[BLACK, BLUE, BLUE]])))
    assert (mask.tolist(), remarks) == (EXPECTED, ("mask in colour: all that is not black was taken",))


@pytest.mark.parametrize(
    ("colours", "words"),
    [
        ([BLACK, RED, GREEN], "more than two"),
        ([WHITE, RED, RED], "none of them black"),
        ([RED, RED, RED], "one colour alone"),
    ],
)
def test_other_colours_are_refused(tmp_path, colours, words):
    with pytest.raises(UnreadableImage, match=words):
        read_mask(save(tmp_path / "m.png", np.uint8([colours])))
    with pytest.raises(UnreadableImage, match=words):
        read_mask(palette(tmp_path / "p.png", colours, [0, 1, 2]))


@pytest.mark.parametrize(
    "values",
    [
        np.uint8([[0, 1, 2, 3]]),
        np.uint8([[127, 128, 255]]),
        np.uint8([[0, 85, 85, 170, 170, 255]]),
        np.uint16([[0, 300, 600]]),
        np.uint16([[0, 40000, 65535]]),
        np.float32([[0, 0.2, 0.9]]),
        np.float32([[0, np.nan, 255]]),
        np.int32([[-1, 0, 255]]),
        np.uint8([[100, 100]]),
        np.arange(200, dtype=np.uint8)[None],
    ],
)
def test_labels_and_dark_values_are_refused(tmp_path, values):
    with pytest.raises(
        UnreadableImage, match="expected a mask .* found (values|fractions|one value|greys).*--vessel VALUE"
    ):
        read_mask(save(tmp_path / "m.tif", values))


def test_a_smeared_mask_is_cut_at_half(tmp_path):
    rng = np.random.default_rng(0)
    values = np.where(rng.random((40, 40)) < 0.5, rng.integers(0, 9, (40, 40)), rng.integers(247, 256, (40, 40)))
    mask, remarks = read_mask(save(tmp_path / "m.png", values.astype(np.uint8)))
    assert np.array_equal(mask, values > 128) and remarks[0].startswith("mask not binary")


def test_transparency_is_refused(tmp_path):
    with pytest.raises(UnreadableImage, match="transparency"):
        read_mask(save(tmp_path / "m.png", np.uint8([[[255, 255, 255, 0], [255, 255, 255, 255]]])))


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_is_turned_as_its_image(tmp_path, suffix, orientation):
    values = np.zeros((16, 24), np.uint8)
    values[:8, :16] = 255
    image = Image.fromarray(values)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(tmp_path / f"m.{suffix}", exif=exif)
    mask, _ = read_mask(tmp_path / f"m.{suffix}")
    frame = np.asarray(read_image(tmp_path / f"m.{suffix}"))[..., 0]
    assert np.array_equal(mask, frame >= 128)
    assert mask_size(tmp_path / f"m.{suffix}") == mask.shape[::-1]


def test_gzipped(tmp_path):
    plain = save(tmp_path / "m.ppm", np.uint8([[0, 255, 255]]), "RGB")
    packed = tmp_path / "m.ppm.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_mask(packed)[0].tolist() == EXPECTED
    assert mask_size(packed) == (3, 1)
    packed.write_bytes(packed.read_bytes()[:-12])
    with pytest.raises(UnreadableImage):
        read_mask(packed)


def test_damaged_large_missing_and_animated_files(tmp_path, monkeypatch):
    path = save(tmp_path / "m.png", np.random.default_rng(0).integers(0, 2, (64, 64), np.uint8))
    path.write_bytes(path.read_bytes()[:-60])
    (tmp_path / "text.png").write_text("no image")
    frames = [Image.new("L", (3, 1), value) for value in (0, 255)]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    for name in ("m.png", "text.png", "two.gif", "none.png"):
        with pytest.raises(UnreadableImage) as refusal:
            read_mask(tmp_path / name)
        assert name not in refusal.value.reason
    monkeypatch.setattr("helpers.data.truth.mask_file.MAX_PIXELS", 2)
    with pytest.raises(UnreadableImage, match="at most 2"):
        read_mask(save(tmp_path / "large.png", np.uint8([[0, 255, 255]])))
