"""What users give as an image has the pixels that the kit's reader sees, or is refused in one line."""

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from helpers.data.frames.image_reading import UnreadableImage, read_image
from helpers.model.given_image import one_picture, require_kind
from helpers.model.image_mode import to_rgb
from tests.data.frames.test_image_reading import VALUES, png_16
from tests.support.dicom_files import jpeg_2000_bytes

GREY = np.arange(100, 220, dtype=np.uint8).reshape(10, 12)
DEEP = GREY.astype(np.uint16) * 16
COLOUR = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)


def palette(transparency: int | None = None) -> Image.Image:
    image = Image.fromarray(COLOUR).quantize(8)
    if transparency is not None:
        image.info["transparency"] = transparency
    return image


def faded(mode: str) -> Image.Image:
    image = Image.fromarray(COLOUR).convert("RGBA")
    image.putalpha(Image.fromarray(GREY))
    return image.convert(mode)


FILES = {
    "L.png": Image.fromarray(GREY),
    "1.png": Image.fromarray(GREY > 150),
    "RGB.png": Image.fromarray(COLOUR),
    "RGBA.png": faded("RGBA"),
    "LA.png": faded("LA"),
    "P.png": palette(),
    "P-transparent.png": palette(2),
    "I16.png": Image.fromarray(DEEP),
    "L.jpg": Image.fromarray(GREY),
    "RGB.jpg": Image.fromarray(COLOUR),
    "CMYK.jpg": Image.fromarray(COLOUR).convert("CMYK"),
    "L.tif": Image.fromarray(GREY),
    "1.tif": Image.fromarray(GREY > 150),
    "P.tif": palette(),
    "RGBA.tif": faded("RGBA"),
    "CMYK.tif": Image.fromarray(COLOUR).convert("CMYK"),
    "YCbCr.tif": Image.fromarray(COLOUR).convert("YCbCr"),
    "LAB.tif": Image.fromarray(COLOUR).convert("RGB"),
    "I16.tif": Image.fromarray(DEEP),
    "I.tif": Image.fromarray(DEEP.astype(np.int32)),
    "F.tif": Image.fromarray(GREY.astype(np.float32) / 255),
    "F-negative.tif": Image.fromarray(GREY.astype(np.float32) - 150),
    "P.gif": palette(),
    "P-transparent.gif": palette(1),
    "L.bmp": Image.fromarray(GREY),
    "1.bmp": Image.fromarray(GREY > 150),
    "RGB.webp": Image.fromarray(COLOUR),
    "RGBA.webp": faded("RGBA"),
    "opaque-RGBA.webp": Image.fromarray(COLOUR).convert("RGBA"),
    "opaque-RGBA.png": Image.fromarray(COLOUR).convert("RGBA"),
    "opaque-LA.png": Image.fromarray(GREY).convert("LA"),
    "opaque-RGBA.tif": Image.fromarray(COLOUR).convert("RGBA"),
    "opaque-P.png": palette(200),
    "L.pgm": Image.fromarray(GREY),
    "1.pbm": Image.fromarray(GREY > 150),
    "I16.pgm": Image.fromarray(DEEP),
    "F.pfm.ppm": Image.fromarray(GREY.astype(np.float32) / 255),
}


def stack(path: Path, suffix: str) -> None:
    frames = [Image.fromarray(COLOUR), Image.fromarray(COLOUR[::-1].copy())]
    frames[0].save(path, format=suffix, save_all=True, append_images=frames[1:])


def deep_colour_png() -> bytes:
    rows = b"".join(b"\0" + np.repeat(row[:, None], 3, axis=1).astype(">u2").tobytes() for row in DEEP)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 12, 10, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    packed = [struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def write_all(folder: Path) -> list[Path]:
    """A file of each kind: every mode in the formats that hold it, stacks, stated depths, turned and damaged ones."""
    for name, image in FILES.items():
        image.save(folder / name, **({"lossless": True} if name.endswith("webp") else {}))
    for suffix in ("gif", "png", "webp", "tiff"):
        stack(folder / f"stack.{suffix}", suffix)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        for suffix in ("jpg", "png", "tif", "webp"):
            Image.fromarray(GREY).save(folder / f"turned-{orientation}.{suffix}", exif=exif)
        Image.fromarray(GREY).save(folder / f"turned-{orientation}-packed.tif", exif=exif, compression="tiff_deflate")
        Image.fromarray(DEEP).save(folder / f"turned-{orientation}-deep.tif", exif=exif)
    tifffile.imwrite(folder / "volume.tif", np.stack([GREY] * 3), photometric="minisblack", volumetric=True)
    tifffile.imwrite(folder / "planes.tif", np.moveaxis(COLOUR, -1, 0), photometric="rgb", planarconfig="separate")
    tifffile.imwrite(folder / "inverted.tif", DEEP, photometric="miniswhite")
    tifffile.imwrite(folder / "imagej.tif", np.stack([GREY] * 3), imagej=True)
    (folder / "maxval.pgm").write_bytes(b"P5 12 10 4095\n" + (DEEP // 4).astype(">u2").tobytes())
    (folder / "two.pgm").write_bytes((b"P5 12 10 255\n" + GREY.tobytes()) * 2)
    (folder / "bits.jp2").write_bytes(jpeg_2000_bytes(DEEP // 4, 12))
    Image.fromarray(DEEP).save(folder / "clear-grey-deep.png", transparency=int(DEEP[3, 3]))
    (folder / "colour-16.png").write_bytes(deep_colour_png())
    (folder / "cut.png").write_bytes((folder / "L.png").read_bytes()[:45])
    (folder / "text.png").write_text("not a picture")
    (folder / "empty.png").write_bytes(b"")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_all(tmp_path_factory.mktemp("files"))


def by_the_kit(path):
    try:
        return np.asarray(read_image(path))
    except UnreadableImage:
        return None


def by_the_model(given):
    """The pixels, or None where it is refused, in one line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return np.asarray(to_rgb(one_picture(given)))
        except ValueError as error:
            assert len(str(error).splitlines()) == 1 and str(error)
            return None


def same(found, expected):
    return (found is None) == (expected is None) and (found is None or np.array_equal(found, expected))


def test_a_path_has_the_pixels_of_the_kit_or_is_refused_as_there(files):
    expected = {path.name: by_the_kit(path) for path in files}
    wrong = [path.name for path in files if not same(by_the_model(path), expected[path.name])]
    assert wrong == []
    assert by_the_model(str(files[0])) is not None
    assert sorted(name for name, pixels in expected.items() if pixels is None) == sorted(
        ["F-negative.tif", "LA.png", "P-transparent.gif", "P-transparent.png", "RGBA.png", "RGBA.tif", "RGBA.webp",
         "clear-grey-deep.png", "colour-16.png", "cut.png", "empty.png", "imagej.tif", "inverted.tif", "planes.tif",
         "text.png", "two.pgm", "volume.tif", *(f"stack.{suffix}" for suffix in ("gif", "png", "tiff", "webp"))]
    )  # fmt: skip


def test_an_opened_image_has_the_pixels_of_the_kit_or_is_refused(files):
    wrong = []
    for path in files:
        if path.name in {"text.png", "empty.png"}:
            continue  # Pillow does not open them
        with Image.open(path) as image:
            if not same(by_the_model(image), by_the_kit(path)):
                wrong.append(path.name)
    assert wrong == []


def test_an_image_that_was_read_before_has_these_pixels_or_is_refused(files):
    """What Pillow forgot is refused; the first picture of a file that Pillow takes for the only one cannot be told."""
    untold, wrong = {"colour-16.png", "two.pgm"}, []
    for path in files:
        if path.name in {"text.png", "empty.png", "cut.png"} | untold:
            continue
        with Image.open(path) as image:
            image.load()
            found = by_the_model(image)
            if found is not None and not same(found, by_the_kit(path)):
                wrong.append(path.name)
    assert wrong == []


@pytest.mark.parametrize("name", ["maxval.pgm", "bits.jp2", "turned-6.tif", "stack.gif"])
def test_what_pillow_forgets_or_garbles_by_reading_is_refused(files, name):
    (path,) = (path for path in files if path.name == name)
    with Image.open(path) as image:
        image.load()
        with pytest.raises(ValueError, match="as PIL.Image.open returns it|Give the path instead|found 2"):
            one_picture(image)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_a_turned_image_says_that_masks_lie_on_the_upright_one(files, suffix):
    (path,) = (path for path in files if path.name == f"turned-6.{suffix}")
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        if suffix != "tif":  # Pillow turns these itself, when they are read
            with pytest.warns(
                UserWarning, match="EXIF orientation 6 says; the masks lie on PIL.ImageOps.exif_transpose"
            ):
                found = one_picture(image)
            assert found.tobytes() == ImageOps.exif_transpose(image).tobytes()
        assert one_picture(ImageOps.exif_transpose(image)).size == (10, 12)
        if suffix != "tif":
            with pytest.raises(ValueError, match="carries the EXIF orientation 6"):
                one_picture(image.convert("RGB"))


@pytest.mark.parametrize(("sbit", "white"), [(10, 1023), (12, 4095), (9, 1023), (None, 1023)])
def test_significant_bits_of_a_png_decide_as_in_a_data_set_of_it(tmp_path, sbit, white):
    """Nine bits do not hold 1000: then its largest value decides."""
    path = png_16(tmp_path / "a.png", VALUES, sbit)
    wanted = np.rint(VALUES.astype(float) * 255 / white).astype(np.uint8)
    with Image.open(path) as opened:
        for given in (path, opened):
            assert np.array_equal(np.asarray(to_rgb(one_picture(given)))[..., 0], wanted)


def test_a_closed_file_is_told(files):
    with Image.open(files[0]) as image:
        pass
    with pytest.raises(ValueError, match="image: its file was closed before it was read"):
        one_picture(image)


def test_a_frame_that_the_user_took_from_a_stack_is_taken(files):
    (path,) = (path for path in files if path.name == "stack.tiff")
    with Image.open(path) as image:
        image.seek(1)
        assert np.array_equal(np.asarray(one_picture(image.copy())), COLOUR[::-1])


@pytest.mark.parametrize("array", [GREY, COLOUR, GREY[:, ::2], COLOUR[::-1]])
def test_arrays_of_bytes_are_taken_as_they_are(array):
    assert np.array_equal(np.asarray(one_picture(array)), array)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (GREY / 255, "got an array float64 of shape (10, 12)"),
        (GREY.astype(np.float32), "float32"),
        (DEEP, "uint16"),
        (GREY > 9, "bool"),
        (GREY.astype(np.int64), "int64"),
        (np.moveaxis(COLOUR, -1, 0), "shape (3, 10, 12)"),
        (np.zeros((4, 5, 4), np.uint8), "shape (4, 5, 4)"),
        (GREY[..., None], "shape (10, 12, 1)"),
        (COLOUR[None], "shape (1, 10, 12, 3)"),
        (np.zeros((0, 4), np.uint8), "shape (0, 4)"),
        (GREY[0], "shape (12,)"),
        (GREY.tobytes(), "got bytes"),
        (7, "got int"),
        ("no/such/file.png", "expected an image file, found none"),
    ],
)
def test_what_is_no_image_is_told_in_one_line(given, words):
    for check in (require_kind, one_picture):
        with pytest.raises(ValueError) as caught:
            check(given, "image 2 of 3")
        text = str(caught.value)
        assert text.startswith("image 2 of 3: ") and words in text and len(text.splitlines()) == 1
        assert "expected" in text
