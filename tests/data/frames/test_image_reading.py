"""Files that hold one frame are read; all others are refused with a reason that does not name them."""

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

from helpers.data.frames.image_reading import (
    Depth,
    UnreadableImage,
    bits_for,
    image_depth,
    image_grey,
    is_widened,
    may_be_deep,
    natural_key,
    read_image,
)
from tests.support.dicom_files import jpeg_2000_bytes

NAME = "DOE_JOHN_1234567"

VALUES = np.array([[0, 100, 500, 1000]], np.uint16)


def refused(path, words: str, **options) -> UnreadableImage:
    with pytest.raises(UnreadableImage, match=words) as caught:
        read_image(path, **options)
    assert NAME in str(caught.value) and NAME not in caught.value.reason
    return caught.value


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_bytes(width: int, height: int, depth: int, colour: int, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def test_twelve_bit_png_is_scaled(tmp_path):
    path = tmp_path / "frame.png"
    Image.fromarray(np.array([[0, 2048, 4095]], np.uint16)).save(path)
    image = read_image(path)
    assert image.mode == "RGB" and np.asarray(image)[0, :, 1].tolist() == [0, 128, 255]


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "pgm", "gif"])
def test_eight_bit_grey_is_untouched(tmp_path, suffix):
    path = tmp_path / f"frame.{suffix}"
    values = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    Image.fromarray(values).save(path)
    assert np.array_equal(np.asarray(read_image(path)), np.repeat(values[..., None], 3, axis=2))


@pytest.mark.parametrize("suffix", ["jpg", "tif", "png"])
def test_exif_orientation_is_applied_once(tmp_path, suffix):
    path = tmp_path / f"frame.{suffix}"
    values = np.zeros((16, 32), np.uint8)
    values[:8, :8] = 255  # bright top left; orientation 6 shows it turned clockwise: bright top right
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(values).save(path, exif=exif)
    image = read_image(path)
    array = np.asarray(image)[..., 0]
    assert image.size == (16, 32)
    assert array[2, 13] > 200 and array[2, 2] < 50 and array[29, 13] < 50


def test_metadata_does_not_survive(tmp_path):
    path = tmp_path / "frame.jpg"
    Image.new("L", (8, 8)).save(path, comment=NAME.encode())
    image = read_image(path)
    stored = io.BytesIO()
    image.save(stored, format="JPEG")
    assert image.info == {} and NAME.encode() not in stored.getvalue()


def test_a_bomb_is_refused_from_its_header(tmp_path):
    path = tmp_path / f"{NAME}.png"
    path.write_bytes(png_bytes(8500, 8000, 8, 0, b""))  # 68 Mpx, above the cap, no pixel data behind the header
    refused(path, "68,000,000")
    path.write_bytes(png_bytes(30000, 30000, 8, 0, b""))  # above Pillow's own limit
    refused(path, "too many pixels")


def test_the_cap_can_be_set(tmp_path):
    path = tmp_path / f"{NAME}.png"
    Image.new("L", (5, 4)).save(path)
    refused(path, "at most 19", max_pixels=19)
    assert read_image(path, max_pixels=20).size == (5, 4)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_truncated_files(tmp_path, suffix):
    path = tmp_path / f"{NAME}.{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    refused(path, "damaged or cut short|not an image")


def test_every_cut_of_a_png_is_refused_cleanly(tmp_path):
    path = tmp_path / f"{NAME}.png"
    whole = png_bytes(2, 2, 8, 0, b"\0\1\2\0\3\4")
    path.write_bytes(whole)
    assert np.asarray(read_image(path))[..., 0].tolist() == [[1, 2], [3, 4]]
    for length in range(1, len(whole) - 12):  # the closing chunk is 12 bytes
        path.write_bytes(whole[:length])
        with pytest.raises(UnreadableImage):
            read_image(path)


def test_a_changed_byte_in_a_png_is_found(tmp_path):
    path = tmp_path / f"{NAME}.png"
    whole = bytearray(png_bytes(2, 2, 8, 0, b"\0\1\2\0\3\4"))
    whole[-20] ^= 1  # the checksum that ends the pixel chunk
    path.write_bytes(bytes(whole))
    refused(path, "damaged")


def test_missing_empty_folder_and_text(tmp_path):
    path = tmp_path / f"{NAME}.png"
    refused(path, "found none")
    path.write_bytes(b"")
    refused(path, "empty")
    path.write_text("not a picture")
    refused(path, "not an image")
    path.unlink()
    path.mkdir()
    refused(path, "regular file")


def test_zero_sized_image(tmp_path):
    path = tmp_path / f"{NAME}.png"
    path.write_bytes(png_bytes(0, 0, 8, 0, b""))
    refused(path, "no pixels|damaged|not an image")


@pytest.mark.parametrize("suffix", ["gif", "tif", "webp"])
def test_several_frames_are_refused(tmp_path, suffix):
    path = tmp_path / f"{NAME}.{suffix}"
    frames = [Image.new("L", (4, 4), value) for value in (0, 200)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    refused(path, "found 2")


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_sixteen_bit_colour_is_refused_rather_than_cut(tmp_path, colour, channels):
    path = tmp_path / f"{NAME}.png"
    path.write_bytes(png_bytes(1, 1, 16, colour, b"\0" + b"\x0f\xff" * channels))
    refused(path, "cut to 8 bits")


def test_inverted_sixteen_bit_tiff_is_refused(tmp_path):
    path = tmp_path / f"{NAME}.tif"
    Image.fromarray(np.array([[0, 4095]], np.uint16)).save(path, tiffinfo={262: 0})
    whole = path.read_bytes()
    with Image.open(path) as image:
        stored = image.tag_v2[262]
    if stored != 0:  # this Pillow rewrites the tag: set it in the file
        entry = struct.pack("<HHI", 262, 3, 1)
        at = whole.index(entry) + len(entry)
        path.write_bytes(whole[:at] + b"\0\0" + whole[at + 2 :])
    refused(path, "inverted")


def test_refused_values_name_the_file_in_the_message_only(tmp_path):
    path = tmp_path / f"{NAME}.tif"
    Image.fromarray(np.array([[0.0, np.nan]], np.float32)).save(path)
    refused(path, "not finite")


@given(st.lists(st.integers(0, 10**6), unique=True))
def test_natural_order_is_numeric(numbers):
    names = sorted((f"frame{number}.png" for number in numbers), key=natural_key)
    assert names == [f"frame{number}.png" for number in sorted(numbers)]


@given(st.lists(st.text(max_size=6)))
def test_natural_order_never_fails_and_is_fixed(names):
    backwards = names[::-1]
    assert sorted(names, key=natural_key) == sorted(backwards, key=natural_key)


def test_a_gzipped_image_is_unpacked(tmp_path, monkeypatch):
    plain = tmp_path / "im0001.ppm"
    Image.new("RGB", (3, 2), (10, 20, 30)).save(plain)
    packed = tmp_path / "im0001.ppm.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read_image(packed).tobytes() == bytes([10, 20, 30] * 6)
    monkeypatch.setattr("helpers.model.image_file.MAX_UNPACKED", 10)
    with pytest.raises(UnreadableImage, match="unpacks to more than 10 bytes"):
        read_image(packed)
    packed.write_bytes(packed.read_bytes()[:20])
    with pytest.raises(UnreadableImage, match="damaged or cut short"):
        read_image(packed)


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
