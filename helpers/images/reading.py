"""Read one frame from an image file as 8-bit RGB, and list the frames of a folder.

The grey rule is that of `helpers.sa2va.image_mode`. What cannot be read faithfully is refused, never guessed.
"""

import gzip
import re
import struct
import zlib
from io import BytesIO
from pathlib import Path
from typing import IO

from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from helpers.errors import RefusedInput
from helpers.sa2va.image_mode import to_rgb
from helpers.system import in_words

__all__ = [
    "DECODE_ERRORS",
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "BadSize",
    "DecoderFailure",
    "UnreadableImage",
    "natural_key",
    "open_unpacked",
    "read_image",
    "to_rgb",
    "upright",
]


MAX_PIXELS = 64_000_000

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".pgm", ".ppm", ".pnm", ".pbm", ".jp2"}
)

# A closed list: formats left out would start other programs (EPS) or are not frames.
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000")

# Of a gzipped file, STARE's, when unpacked: 24-bit colour without compression, and a header.
_MAX_UNPACKED = 3 * MAX_PIXELS + 4096

# What Pillow's decoders raise on damaged files, besides OSError.
DECODE_ERRORS = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, zlib.error)

_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_TIFF_PHOTOMETRIC_TAG = 262
_TIFF_WHITE_IS_ZERO = 0


class UnreadableImage(RefusedInput):
    """One image file was refused.

    `reason` says why and what to do, without the file's name, which may hold a patient's.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.reason = reason


class DecoderFailure(UnreadableImage):
    """A decoder failed on an image in a way that is not foreseen."""


class BadSize(UnreadableImage):
    """An image without pixels, or with more than are read."""


def read_image(path: Path, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Read the single frame in `path` as mode RGB, uint8, with its EXIF orientation applied.

    The pixel count is checked from the header, before anything is decoded. Raises `UnreadableImage` for a file that
    is missing, empty, damaged, cut short, no known image, larger than `max_pixels`, of several frames, or of more
    than 8 bits in a layout that Pillow would cut to 8.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise UnreadableImage(
                path, "expected an image file, found none (missing, or not a regular file). Check the path"
            )
        if path.stat().st_size == 0:
            raise UnreadableImage(path, "the file is empty (0 bytes). Copy it again from its source")
        # Open files are handed to Pillow, not paths: from a path it maps raw TIFF data into memory and then
        # turns a frame with an EXIF orientation wrongly.
        with open_unpacked(path) as file, Image.open(file, formats=_FORMATS) as image:
            _check_header(path, image, max_pixels)
            image.verify()  # finds bad checksums, but leaves the object unusable: hence the second opening
        with open_unpacked(path) as file, Image.open(file, formats=_FORMATS) as image:
            image.load()
            # Read after load(): for TIFF, Pillow has then applied and removed the tag by itself.
            orientation = image.getexif().get(ExifTags.Base.Orientation)
            frame = _to_rgb(path, image)
    except Image.DecompressionBombError as error:
        raise BadSize(path, f"too many pixels; at most {max_pixels:,} are read. Shrink or crop it") from error
    except UnidentifiedImageError as error:
        raise UnreadableImage(
            path, f"not an image of a known format ({', '.join(_FORMATS)}). Export it as PNG"
        ) from error
    except DECODE_ERRORS as error:
        words = in_words(error) if isinstance(error, OSError) else None
        if words is not None:  # the disk, not the image
            raise UnreadableImage(path, f"{words.found}. {words.advice}") from error
        detail = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        reason = f"the image cannot be decoded ({detail}): it is damaged or cut short. Copy it again from its source"
        raise UnreadableImage(path, reason) from error
    return upright(frame, orientation)


def upright(image: Image.Image, orientation: int | None) -> Image.Image:
    """An image turned as its EXIF orientation says; unknown ones and None leave it as it is."""
    transposition = _TRANSPOSITIONS.get(orientation)
    return image if transposition is None else image.transpose(transposition)


def open_unpacked(path: Path) -> IO[bytes]:
    """The bytes of an image file, those of a `.gz` unpacked in memory.

    Raises `UnreadableImage` where it is no regular file or unpacks to more than an image may have, and what `gzip`
    raises on damaged ones.
    """
    if path.exists() and not path.is_file():  # opening a pipe would wait for its writer
        raise UnreadableImage(path, "expected an image file, found no regular file. Replace it by one")
    if path.suffix.lower() != ".gz":
        return path.open("rb")
    with gzip.open(path) as packed:
        content = packed.read(_MAX_UNPACKED + 1)
    if len(content) > _MAX_UNPACKED:
        raise UnreadableImage(path, f"it unpacks to more than {_MAX_UNPACKED:,} bytes. Check where it is from")
    return BytesIO(content)


def _to_rgb(path: Path, image: Image.Image) -> Image.Image:
    try:
        frame = to_rgb(image).copy()
    except ValueError as error:
        raise UnreadableImage(path, str(error)) from error
    frame.info = {}  # comments, EXIF and the like can name a patient, and would be saved again with the pixels
    return frame


def _check_header(path: Path, image: ImageFile.ImageFile, max_pixels: int) -> None:
    """Refuse by size, frame count and pixel layout, all known before decoding."""
    width, height = image.size
    if width < 1 or height < 1:
        raise BadSize(path, f"the image has no pixels ({width}x{height}). Export it again")
    if width * height > max_pixels:
        found = f"{width}x{height} = {width * height:,} pixels"
        raise BadSize(path, f"{found}; at most {max_pixels:,} are read. Shrink or crop it")
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise UnreadableImage(path, f"expected one frame, found {frames}. Save each wanted frame as a PNG of its own")
    layouts = [str(tile.args) for tile in image.tile]
    if image.mode not in {"I", "F"} and not image.mode.startswith("I;") and any(";16" in layout for layout in layouts):
        reason = f"16 bits per channel in colour or with alpha (read as {image.mode}) would be cut to 8 bits."
        raise UnreadableImage(path, f"{reason} Save it as 16-bit grey or as 8-bit")
    tags = getattr(image, "tag_v2", {})
    if image.mode.startswith("I;16") and tags.get(_TIFF_PHOTOMETRIC_TAG) == _TIFF_WHITE_IS_ZERO:
        raise UnreadableImage(
            path, "16-bit grey stored with white as 0 would come out inverted. Save it with black as 0"
        )


def natural_key(name: str) -> tuple:
    """Sort key that orders `frame2` before `frame10`; names equal but for case or zeros stay in a fixed order."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return tuple((1, int(part), "") if index % 2 else (0, 0, part) for index, part in enumerate(parts)), name
