"""The range of grey that a file states, and that a data set has where its files state none."""

import gzip
import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from helpers.data.frames.grey_depth import Depth, bits_for, is_widened, may_be_deep
from helpers.data.frames.image_reading import UnreadableImage, image_depth, image_grey, read_image
from tests.support.dicom_files import jpeg_2000_bytes

VALUES = np.array([[0, 100, 500, 1000]], np.uint16)


def png_16(path, values, sbit=None):
    """A 16-bit grey PNG, with an sBIT chunk where asked for."""
    buffer = io.BytesIO()
    Image.fromarray(values.astype(np.uint16)).save(buffer, "PNG")
    whole = buffer.getvalue()
    if sbit is not None:
        body = b"sBIT" + bytes([sbit])
        chunk = struct.pack(">I", 1) + body + struct.pack(">I", zlib.crc32(body))
        whole = whole[:33] + chunk + whole[33:]
    path.write_bytes(whole)
    return path


def greys(path, bits=None):
    return np.asarray(read_image(path, bits=bits))[..., 0].ravel().tolist()


def expected(values, full_scale):
    return np.rint(np.asarray(values, float) * 255 / full_scale).astype(int).ravel().tolist()


@pytest.mark.parametrize("kind", ["png", "tif", "pgm", "jp2", "tif32"])
@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_a_data_sets_depth_decides_where_a_format_does_not(tmp_path, kind, bits):
    path = tmp_path / f"a.{kind[:3]}"
    Image.fromarray(VALUES if kind != "tif32" else VALUES.astype(np.int32)).save(path)
    depth = image_depth(path)
    assert depth is not None and depth.full_scale is None
    assert greys(path, bits) == expected(VALUES, 2**bits - 1)
    assert greys(path) == expected(VALUES, 1023)
    assert image_grey(path).largest == 1000


def test_a_value_beyond_the_data_sets_depth_is_refused_not_clipped(tmp_path):
    path = png_16(tmp_path / "a.png", VALUES + 100)
    with pytest.raises(UnreadableImage, match=r"up to 1100, and the 10 bits of its data set end at 1023.*--bits"):
        read_image(path, bits=10)


@settings(max_examples=60, deadline=None)
@given(st.integers(256, 65534), st.lists(st.integers(0, 65534), min_size=1, max_size=5), st.booleans())
def test_maxval_of_a_pgm_is_white_whatever_the_data_set_says(tmp_path_factory, maxval, values, plain):
    values = np.array([values]) % (maxval + 1)
    path = tmp_path_factory.getbasetemp() / "a.pgm"
    body = " ".join(map(str, values[0])).encode() if plain else values.astype(">u2").tobytes()
    path.write_bytes(b"P%d %d 1 %d\n" % (2 if plain else 5, values.size, maxval) + body)
    assert image_depth(path) == Depth(full_scale=maxval)
    found = np.array(greys(path, 16))
    assert (found == greys(path)).all()
    assert np.abs(found - values * 255 / maxval).max() <= 0.5 + 1e-9


def test_samples_of_12_bits_in_a_tiff(tmp_path):
    path = tmp_path / "a.tif"
    values = [0, 100, 500, 1000]
    packed = bytes([0, (100 >> 8), 100 & 255]) + bytes([500 >> 4, (500 & 15) << 4 | 1000 >> 8, 1000 & 255])
    tags = {256: 4, 257: 1, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: len(packed)}
    entries = b"".join(
        struct.pack("<HHII", tag, 4 if tag in (273, 279) else 3, 1, value) for tag, value in tags.items()
    )
    start = 8 + len(packed)
    path.write_bytes(
        b"II*\0" + struct.pack("<I", start) + packed + struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    )
    assert image_depth(path) == Depth(full_scale=4095)
    assert greys(path) == greys(path, 10) == expected(values, 4095)


@pytest.mark.parametrize("bits", [10, 12, 14])
def test_the_precision_of_jpeg_2000(tmp_path, bits):
    values = np.linspace(0, 2**bits // 3, 64 * 64).astype(int).reshape(64, 64)
    path = tmp_path / "a.jp2"
    path.write_bytes(jpeg_2000_bytes(values, bits))
    assert image_depth(path) == Depth(full_scale=2**bits - 1, shift=16 - bits)
    assert greys(path) == greys(path, 16) == expected(values, 2**bits - 1)


@pytest.mark.parametrize("sbit", [1, 8, 10, 12, 15])
def test_significant_bits_of_a_png(tmp_path, sbit):
    assert image_depth(png_16(tmp_path / "a.png", VALUES, sbit)) == Depth(significant_bits=sbit)


@pytest.mark.parametrize("sbit", [None, 0, 16, 200])
def test_significant_bits_that_say_nothing(tmp_path, sbit):
    assert image_depth(png_16(tmp_path / "a.png", VALUES, sbit)) == Depth()


@given(st.integers(1, 15), st.lists(st.integers(0, 2**15 - 1), min_size=1, max_size=8), st.sampled_from((0, 1, 2)))
def test_values_that_were_brought_to_16_bits_are_known(bits, values, way):
    narrow = np.array(values) % 2**bits
    if way == 0:
        wide = narrow << (16 - bits)
    elif way == 1:
        wide = np.rint(narrow * (65535 / (2**bits - 1)))
    else:
        text = [format(value, f"0{bits}b") for value in narrow]
        wide = np.array([int((word * 16)[:16], 2) for word in text])
    assert is_widened(wide.astype(np.uint16), bits)


def test_values_that_were_not_brought_to_16_bits_are_known(tmp_path):
    assert not is_widened(np.array([1, 700, 2000], np.uint16), 10)
    assert image_grey(png_16(tmp_path / "a.png", VALUES, 10)).is_widened is False
    assert image_grey(png_16(tmp_path / "b.png", VALUES << 6, 10)).is_widened is True


@pytest.mark.parametrize("tag", [281, 341])
@pytest.mark.parametrize(("value", "noted"), [(4095, 4095), (3000, 3000), (65535, None), (0, None)])
def test_the_largest_sample_that_a_tiff_notes(tmp_path, tag, value, noted):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, VALUES, extratags=[(tag, "H", 1, value, True)])
    assert image_depth(path) == Depth(noted_maximum=noted)


def test_floats(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(np.array([[0, 0.25, 0.5]], np.float32)).save(path)
    assert image_depth(path) == Depth(is_float=True)
    assert greys(path) == greys(path, 1) == [0, 64, 128]
    assert image_grey(path).largest == 0.5


@pytest.mark.parametrize(
    ("suffix", "mode"),
    [(suffix, mode) for suffix in ("png", "jpg", "tif", "bmp", "gif", "webp", "jp2") for mode in ("L", "RGB")]
    + [("pgm", "L"), ("ppm", "RGB")],
)
def test_images_of_8_bits_have_no_depth_and_do_not_change(tmp_path, suffix, mode):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).convert(mode).save(path)
    assert image_depth(path) is None
    assert read_image(path, bits=12).tobytes() == read_image(path).tobytes()
    assert may_be_deep(path.read_bytes()[:132]) is (suffix in {"tif", "pgm", "jp2"})


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_what_cannot_be_read_has_no_depth(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.tif").write_bytes(b"II*\0\xff\xff\xff\xff")
    for name in ("a.png", "b.tif", "missing.png"):
        assert image_depth(tmp_path / name) is None
        with pytest.raises(UnreadableImage):
            image_grey(tmp_path / name)


def test_a_gzipped_file_is_unpacked_only_where_it_may_be_deep(tmp_path, monkeypatch):
    plain = png_16(tmp_path / "a.png", VALUES)
    (tmp_path / "a.png.gz").write_bytes(gzip.compress(plain.read_bytes()))
    assert image_depth(tmp_path / "a.png.gz") == Depth()
    Image.new("RGB", (4, 4)).save(tmp_path / "b.ppm")
    (tmp_path / "b.ppm.gz").write_bytes(gzip.compress((tmp_path / "b.ppm").read_bytes()))
    monkeypatch.setattr("helpers.data.frames.image_reading.open_unpacked", None)
    assert image_depth(tmp_path / "b.ppm.gz") is None


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_deep_grey_with_white_as_0_is_refused(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "a.tif", VALUES.astype(dtype), photometric="miniswhite")
    with pytest.raises(UnreadableImage, match="inverted"):
        read_image(tmp_path / "a.tif")


def test_bits_that_hold_a_value():
    assert [bits_for(value) for value in (255, 255.5, 1023, 1024, 65535)] == [8, 10, 10, 12, 16]
    with pytest.raises(ValueError, match="65536"):
        bits_for(65536)
