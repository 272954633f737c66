"""Read one frame from an image file as 8-bit RGB, and list the frames of a folder.

The grey rule is that of `helpers.sa2va.image_mode`, with the range of the file's format or of its data set where these
are known. What cannot be read faithfully is refused, never guessed.
"""

import gzip
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from helpers.errors import RefusedInput
from helpers.images.depth import Depth, depth_of, grey_values, is_widened, may_be_deep
from helpers.images.stacks import PLANES_REASON, is_in_planes, planes_differ, stack_reason
from helpers.images.tags import BITS, PHOTOMETRIC, WHITE_IS_ZERO, tags_of
from helpers.sa2va.image_mode import is_deep_grey, scale_grey, to_rgb
from helpers.system import in_words

__all__ = [
    "DECODE_ERRORS",
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "BadSize",
    "DecoderFailure",
    "Grey",
    "UnreadableImage",
    "image_depth",
    "image_grey",
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

Result = TypeVar("Result")


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


@dataclass(frozen=True)
class Grey:
    """The values of a still image of more than 8 bits.

    Attributes:
        largest: of its values, as its file has them.
        is_widened: whether integers of its `significant_bits` were brought to 16; False where it states none.
    """

    largest: float
    is_widened: bool = False


def read_image(path: Path, max_pixels: int = MAX_PIXELS, bits: int | None = None) -> Image.Image:
    """Read the single frame in `path` as mode RGB, uint8, with its EXIF orientation applied.

    The pixel count is checked from the header, before anything is decoded. Raises `UnreadableImage` for a file that
    is missing, empty, damaged, cut short, no known image, larger than `max_pixels`, of several frames, or of more
    than 8 bits in a layout that Pillow would cut to 8; and for grey values that `bits` do not hold.

    Args:
        bits: depth of grey of more than 8 bits whose format states no range: 0 .. 2**bits - 1 become 0 .. 255. None
            takes the smallest depth that holds the image's own maximum.
    """
    path = Path(path)

    def finish(image: ImageFile.ImageFile, depth: Depth | None) -> Image.Image:
        # Read after load(): for TIFF, Pillow has then applied and removed the tag by itself.
        orientation = image.getexif().get(ExifTags.Base.Orientation)
        return upright(_to_rgb(path, image, depth, bits), orientation)

    return _read(path, max_pixels, finish)


def image_depth(path: Path) -> Depth | None:
    """What the header of a still image says of its grey; None for 8 bits, colour and what cannot be read."""
    path = Path(path)
    try:
        if not path.is_file():  # opening a pipe would wait for its writer
            return None
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            if not may_be_deep(file.read(132)):
                return None
        with open_unpacked(path) as file, Image.open(file, formats=_FORMATS) as image:
            return depth_of(image, file)
    except (UnreadableImage, UnidentifiedImageError, Image.DecompressionBombError, *DECODE_ERRORS):
        return None  # whoever reads the frame says why


def image_grey(path: Path, max_pixels: int = MAX_PIXELS) -> Grey:
    """The largest value of a still image of more than 8 bits; it is decoded. Raises as `read_image`, and for others."""
    path = Path(path)

    def finish(image: ImageFile.ImageFile, depth: Depth | None) -> Grey:
        if depth is None:
            raise UnreadableImage(path, "expected grey of more than 8 bits, found another image. Open the data again")
        values = grey_values(image, depth)
        if not values.size or not np.isfinite(values).all() or values.min() < 0:
            raise UnreadableImage(path, "expected grey values from 0 on, found others or none. Rescale the image first")
        bits = depth.significant_bits
        return Grey(float(values.max()), bits is not None and is_widened(values, bits))

    return _read(path, max_pixels, finish)


def _read(path: Path, max_pixels: int, finish: Callable[[ImageFile.ImageFile, Depth | None], Result]) -> Result:
    """Check, decode and `finish` an image, which is open meanwhile. Raises as `read_image`."""
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
            _check_header(path, image, file, max_pixels)
            image.verify()  # finds bad checksums, but leaves the object unusable: hence the second opening
        with open_unpacked(path) as file, Image.open(file, formats=_FORMATS) as image:
            depth, in_planes = depth_of(image, file), is_in_planes(image)
            image.load()
            if in_planes and planes_differ(image):
                raise UnreadableImage(path, PLANES_REASON)
            return finish(image, depth)
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


def _to_rgb(path: Path, image: Image.Image, depth: Depth | None, bits: int | None) -> Image.Image:
    try:
        if depth is None or (depth.full_scale is None and bits is None):
            frame = to_rgb(image).copy()
        else:
            frame = _scaled(path, grey_values(image, depth), depth, bits)
    except ValueError as error:
        raise UnreadableImage(path, str(error)) from error
    frame.info = {}  # comments, EXIF and the like can name a patient, and would be saved again with the pixels
    return frame


def _scaled(path: Path, values: np.ndarray, depth: Depth, bits: int | None) -> Image.Image:
    """Grey `values` (H, W) by the range of their format, else by that of `bits`."""
    if depth.full_scale is None and values.size and values.max() > 2**bits - 1:
        raise UnreadableImage(
            path,
            f"found grey values up to {values.max():g}, and the {bits} bits of its data set end at {2**bits - 1}. "
            "`vesselkit data check DATASET --bits N --save` decides otherwise",
        )
    full_scale = 2**bits - 1 if depth.full_scale is None else depth.full_scale
    return Image.fromarray(scale_grey(values, full_scale)).convert("RGB")


def _check_header(path: Path, image: ImageFile.ImageFile, file: IO[bytes], max_pixels: int) -> None:
    """Refuse by size, frame count and pixel layout, all known before decoding."""
    width, height = image.size
    if width < 1 or height < 1:
        raise BadSize(path, f"the image has no pixels ({width}x{height}). Export it again")
    if width * height > max_pixels:
        found = f"{width}x{height} = {width * height:,} pixels"
        raise BadSize(path, f"{found}; at most {max_pixels:,} are read. Shrink or crop it")
    reason = stack_reason(image, file)
    if reason is not None:
        raise UnreadableImage(path, reason)
    layouts = [str(tile.args) for tile in image.tile]
    tags = tags_of(image)
    samples = tags.get(BITS) or (8,)
    is_cut = image.mode not in {"I", "F"} and not image.mode.startswith("I;")
    if is_cut and (any(";16" in layout for layout in layouts) or max(samples) > 8):
        reason = f"16 bits per channel in colour or with alpha (read as {image.mode}) would be cut to 8 bits."
        raise UnreadableImage(path, f"{reason} Save it as 16-bit grey or as 8-bit")
    if is_deep_grey(image) and tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        raise UnreadableImage(
            path, "grey of more than 8 bits with white as 0 would come out inverted. Save it with black as 0"
        )


def natural_key(name: str) -> tuple:
    """Sort key that orders `frame2` before `frame10`; names equal but for case or zeros stay in a fixed order."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return tuple((1, int(part), "") if index % 2 else (0, 0, part) for index, part in enumerate(parts)), name
