"""Several pictures in one still image file, where an image library would read the first, or all as one in colour."""

import json
import re
from typing import IO, Any

from PIL import Image, ImageChops, ImageFile

from .image_depth import BITS, DEPTH, DESCRIPTION, PLANAR, SAMPLES, plain, tags_of

_IMAGEJ = re.compile(r"\AImageJ=.*?^images=(\d+)\s*$", re.DOTALL | re.MULTILINE)
_ADVICE = "Save each wanted frame as a PNG of its own"
_PER_PLANE = 2
# Pillow's words for samples beyond grey or colour that it drops.
_DROPPED = frozenset({"LX", "RGBX", "RGBXX", "RGBXXX"})


def stack_reason(image: ImageFile.ImageFile, file: IO[bytes] | None) -> str | None:
    """Why an opened image holds more than one picture and what to do; None where it holds one.

    Args:
        file: that it was opened from; it stands where it stood afterwards. None for an image that is decoded already:
            what follows behind its first picture is then not looked for in the file of some formats.
    """
    frames = getattr(image, "n_frames", 1)
    if frames == 1 and image.format == "TIFF":
        frames = _tiff_pictures(image)
    if frames == 1 and file is not None and image.format in {"PPM", "JPEG2000"}:
        position = file.tell()
        frames = _netpbm_pictures(image, file) if image.format == "PPM" else _codestreams(file)
        file.seek(position)
    if frames > 1:
        return f"expected one frame, found {frames}. {_ADVICE}"
    if image.format == "TIFF" and _DROPPED & {arg for tile in image.tile for arg in _words(tile[3])}:
        return f"expected one grey sample a pixel, or colour, found further samples of unknown meaning. {_ADVICE}"
    return None


def is_in_planes(image: ImageFile.ImageFile) -> bool:
    """Whether a TIFF keeps its channels one behind the other, as a stack of three frames would lie too."""
    tags = tags_of(image)
    return plain(tags.get(PLANAR)) == _PER_PLANE and (plain(tags.get(SAMPLES)) or 1) > 1


def planes_differ(image: Image.Image) -> bool:
    """Whether the colour channels of a decoded image differ anywhere."""
    red, green, blue = image.convert("RGB").split()
    return any(ImageChops.difference(red, other).getbbox() is not None for other in (green, blue))


PLANES_REASON = (
    "three different planes lie one behind the other: a stack of frames, or one picture in colour. "
    f"{_ADVICE}, or a colour picture with its channels interleaved"
)


def _tiff_pictures(image: ImageFile.ImageFile) -> int:
    """How many pictures a TIFF of one page holds by its own words."""
    tags = tags_of(image)
    depth = plain(tags.get(DEPTH)) or 1
    text = tags.get(DESCRIPTION)
    if not isinstance(text, str):
        return depth
    found = _IMAGEJ.search(text)
    if found is not None:
        return max(depth, int(found[1]))
    shape = _shape(text)
    samples = len(tags.get(BITS) or (8,))
    pixels = image.width * image.height * samples
    return max(depth, shape // pixels if pixels else 1)


def _shape(text: str) -> int:
    """How many values a description such as `{"shape": [3, 512, 512]}` counts; 0 where it is none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return 0
    shape = value.get("shape") if isinstance(value, dict) else None
    if not isinstance(shape, list) or not all(isinstance(size, int) and size > 0 for size in shape):
        return 0
    total = 1
    for size in shape:
        total *= size
    return total


def _netpbm_pictures(image: ImageFile.ImageFile, file: IO[bytes]) -> int:
    """2 where another picture follows behind the first of a binary PBM, PGM or PPM, else 1."""
    tiles: Any = image.tile
    ((codec, _, offset, args),) = (tuple(tile) for tile in tiles)
    words = _words(args)
    if codec == "ppm_plain":
        return 1
    if image.mode == "1":
        size = (image.width + 7) // 8 * image.height
    else:
        deep = image.mode == "I" or (codec == "ppm" and words[-1] > 255)
        width = 4 if image.mode == "F" else 2 if deep else 1
        size = image.width * image.height * len(image.getbands()) * width
    file.seek(offset + size)
    return 2 if re.match(rb"\s*P[1-7fF]\s", file.read(64)) else 1


def _codestreams(file: IO[bytes]) -> int:
    """How many pictures a JPEG 2000 file holds; 1 for a bare codestream."""
    file.seek(0)
    if file.read(4) != b"\x00\x00\x00\x0c":
        return 1
    count, start = 0, 0
    while True:
        file.seek(start)
        head = file.read(16)
        if len(head) < 8:
            return max(count, 1)
        count += head[4:8] == b"jp2c"
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:  # 0: up to the end
            return max(count, 1)
        start += length


def _words(args: object) -> tuple:
    return args if isinstance(args, tuple) else (args,)
