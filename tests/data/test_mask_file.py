"""Mask files in every published form."""

import gzip

import numpy as np
import pytest
from PIL import Image

from helpers.data.mask_file import mask_size, read_mask
from helpers.images.reading import UnreadableImage

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
        (np.uint8([[127, 128, 255]]), ("mask not binary: values 127, 128, 255",)),
        (np.uint16([[0, 1, 1]]), ()),
        (np.uint16([[0, 65535, 65535]]), ()),
        (np.uint16([[0, 40000, 65535]]), ("mask not binary: values 0, 40000, 65535",)),
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
    _, remarks = read_mask(save(tmp_path / "m.png", np.arange(200, dtype=np.uint8)[None]))
    assert remarks == ("mask not binary: values 0, 1, 2, 3, 4, 5, 6, 7, ...",)


def test_a_palette_of_one_colour_counts_by_index_and_of_several_is_refused(tmp_path):
    image = Image.new("P", (3, 1))
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    image.putdata([0, 1, 1])
    image.save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png")[0].tolist() == EXPECTED
    image.putdata([0, 1, 2])
    image.save(tmp_path / "m.png")
    with pytest.raises(UnreadableImage, match="two colours"):
        read_mask(tmp_path / "m.png")


def test_of_a_coloured_mask_the_first_channel_counts_and_it_is_said(tmp_path):
    mask, remarks = read_mask(save(tmp_path / "m.png", np.uint8([[[0, 255, 0], [255, 0, 0], [255, 255, 255]]])))
    assert (mask.tolist(), remarks) == (EXPECTED, ("mask in colour: its first channel was taken",))


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
    monkeypatch.setattr("helpers.data.mask_file.MAX_PIXELS", 2)
    with pytest.raises(UnreadableImage, match="at most 2"):
        read_mask(save(tmp_path / "large.png", np.uint8([[0, 255, 255]])))
