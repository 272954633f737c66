"""Files of several pictures are refused, whatever an image library makes of them."""

import io

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from helpers.data.frames.image_reading import UnreadableImage, read_image

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 8, 9), dtype=np.uint8)
COLOUR = np.moveaxis(FRAMES, 0, -1)


def tiff(path, values, **how):
    tifffile.imwrite(path, values, **how)
    return path


STACKS = {
    "three planes as tifffile writes them": (FRAMES, {"photometric": "rgb", "planarconfig": "separate"}),
    "compressed planes": (FRAMES, {"photometric": "rgb", "planarconfig": "separate", "compression": "deflate"}),
    "planes with alpha": (
        np.concatenate([FRAMES, FRAMES[:1]]),
        {"photometric": "rgb", "planarconfig": "separate", "extrasamples": ["unassalpha"]},
    ),
    "planes of 16 bits": (FRAMES.astype(np.uint16) * 4, {"photometric": "rgb", "planarconfig": "separate"}),
    "compressed planes of 16 bits": (
        FRAMES.astype(np.uint16) * 4,
        {"photometric": "rgb", "planarconfig": "separate", "compression": "deflate"},
    ),
    "grey planes": (FRAMES, {"photometric": "minisblack", "planarconfig": "separate"}),
    "pages": (FRAMES, {"photometric": "minisblack"}),
    "one page for all": (FRAMES, {"photometric": "minisblack", "truncate": True}),
    "one page for ten": (np.repeat(FRAMES, 4, axis=0), {"photometric": "minisblack", "truncate": True}),
    "a volume": (FRAMES, {"photometric": "minisblack", "volumetric": True}),
    "a volume in tiles": (np.tile(FRAMES, (1, 4, 4)), {"photometric": "minisblack", "tile": (1, 16, 16)}),
    "an ImageJ stack": (FRAMES, {"imagej": True}),
    "samples of a grey pixel": (COLOUR[..., :2], {"photometric": "minisblack", "planarconfig": "contig"}),
    "a fourth sample": (
        np.concatenate([COLOUR, COLOUR[..., :1]], axis=-1),
        {"photometric": "rgb", "extrasamples": ["unspecified"]},
    ),
}


@pytest.mark.parametrize("kind", STACKS)
def test_a_tiff_of_several_frames_is_refused(tmp_path, kind):
    values, how = STACKS[kind]
    with pytest.raises(UnreadableImage):
        read_image(tiff(tmp_path / "a.tif", values, **how))


def test_a_large_imagej_stack_has_one_page(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, FRAMES[0], description="ImageJ=1.53t\nimages=3\nframes=3\n", metadata=None)
    with pytest.raises(UnreadableImage, match="found 3"):
        read_image(path)


SINGLE = {
    "grey": (FRAMES[0], {"photometric": "minisblack"}),
    "colour": (COLOUR, {"photometric": "rgb"}),
    "compressed colour": (COLOUR, {"photometric": "rgb", "compression": "deflate"}),
    "one slice": (FRAMES[:1], {"photometric": "minisblack"}),
    "ImageJ": (FRAMES[0], {"imagej": True}),
}


@pytest.mark.parametrize("kind", SINGLE)
def test_a_tiff_of_one_frame_is_read(tmp_path, kind):
    values, how = SINGLE[kind]
    found = np.asarray(read_image(tiff(tmp_path / "a.tif", values, **how)))
    assert (found == (values if values.shape[-1:] == (3,) else values.reshape(8, 9)[..., None])).all()


def test_equal_planes_are_one_grey_picture(tmp_path):
    planes = np.repeat(FRAMES[:1], 3, axis=0)
    path = tiff(tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate")
    assert (np.asarray(read_image(path)) == FRAMES[0][..., None]).all()


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(("L", "RGB", "1", "I;16")), st.integers(1, 20), st.integers(1, 5), st.integers(1, 3), st.booleans()
)
def test_pictures_behind_each_other_in_one_netpbm_file(tmp_path_factory, mode, width, height, count, blank):
    values = np.arange(width * height, dtype=np.uint16).reshape(height, width)
    image = Image.fromarray(values) if mode == "I;16" else Image.fromarray(values.astype(np.uint8)).convert(mode)
    buffer = io.BytesIO()
    for _ in range(count):
        image.save(buffer, "PPM")
        buffer.write(b"\n" * blank)
    path = tmp_path_factory.getbasetemp() / "a.pnm"
    path.write_bytes(buffer.getvalue())
    if count == 1:
        assert read_image(path).size == (width, height)
        return
    with pytest.raises(UnreadableImage, match="expected one frame"):
        read_image(path)


def test_pictures_of_several_frames_of_other_formats(tmp_path):
    frames = [Image.fromarray(values) for values in FRAMES]
    for name, how in (
        ("a.png", {}),
        ("b.png", {"default_image": True}),
        ("a.gif", {}),
        ("a.webp", {"lossless": True}),
        ("a.jpg", {"format": "MPO"}),
    ):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **how)
        with pytest.raises(UnreadableImage, match="expected one frame, found 3"):
            read_image(tmp_path / name)


def test_a_jpeg_2000_of_two_codestreams(tmp_path):
    path = tmp_path / "a.jp2"
    Image.fromarray(FRAMES[0]).save(path)
    whole = path.read_bytes()
    assert (np.asarray(read_image(path))[..., 0] == FRAMES[0]).all()
    start = whole.index(b"jp2c") - 4
    box = whole[start:]
    box = len(box).to_bytes(4, "big") + box[4:]
    path.write_bytes(whole[:start] + box * 2)
    with pytest.raises(UnreadableImage, match="found 2"):
        read_image(path)
