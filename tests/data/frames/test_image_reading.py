"""Files that hold one frame are read; all others are refused with a reason that does not name them."""

import gzip
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.data.frames.image_reading import UnreadableImage, natural_key, read_image

NAME = "DOE_JOHN_1234567"


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
