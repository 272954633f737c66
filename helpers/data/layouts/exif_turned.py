"""Ground truth of images that their EXIF orientation turns: on which of the two pictures was it drawn?

Frames are read upright. A truth drawn on the pixels as they lie in the file would then stand across the vessels, or
upside down. Its size tells where the image is oblong and turned by a quarter; nothing tells else.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from PIL import ExifTags, Image

from helpers.data.cases import Record
from helpers.data.frames.image_reading import DECODE_ERRORS, QUARTER_TURNS, UnreadableImage, open_unpacked
from helpers.data.truth.ground_truth import BrokenTruth, MaskFileTruth

# Enough of a file for what stands before its pixels, and behind them.
_HEAD = 262_144
_TAIL = 65_536
_SIGNS = (b"Exif\x00\x00", b"eXIf", b"Raw profile type exif", b"EXIF")
_TIFF = (b"II*\x00", b"MM\x00*")
_UNTURNED = frozenset({None, 0, 1})

_DOUBT = (
    "the image is turned by its EXIF orientation, and nothing says whether this was drawn on it as turned or as it lies"
)
_LYING_TRUTH = (
    "it was drawn on the image as it lies in its file, before its EXIF orientation turns it; turn it likewise"
)


def checked_orientation(records: Iterable[Record]) -> tuple[Record, ...]:
    """The records, with a broken truth where it is not certain on which picture it was drawn."""
    return tuple(map(_checked, records))


def _checked(record: Record) -> Record:
    truth = record.truth
    if truth is None or record.index is not None or isinstance(truth, BrokenTruth):
        return record
    turned = _orientation(record.path)
    if turned is None:
        return record
    orientation, size = turned
    if isinstance(truth, MaskFileTruth):
        own = _orientation(truth.path)
        if own is not None and own[0] == orientation:
            return record
    told = orientation in QUARTER_TURNS and size[0] != size[1]
    if told and truth.size == size[::-1]:
        return record
    return replace(record, truth=BrokenTruth(_LYING_TRUTH if told and truth.size == size else _DOUBT, truth.size))


def _orientation(path: Path) -> tuple[int, tuple[int, int]] | None:
    """The orientation of an image that it turns, and its width and height as they lie; None for all others."""
    try:
        if not path.is_file() or not _may_have_exif(path):
            return None
        with open_unpacked(path) as file, Image.open(file) as image:
            orientation = image.getexif().get(ExifTags.Base.Orientation)
            lying = image.format == "TIFF" and orientation in QUARTER_TURNS  # of which Pillow states the upright size
            size = image.size[::-1] if lying else image.size
    except (*DECODE_ERRORS, UnreadableImage, Image.DecompressionBombError):
        return None
    return None if orientation is None or orientation in _UNTURNED else (orientation, size)


def _may_have_exif(path: Path) -> bool:
    """Whether a look at both ends of a file leaves it open, which takes far less time than to decode it."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if len(head) == _HEAD:
            file.seek(-_TAIL, 2)
            head += file.read(_TAIL)
    return head.startswith(_TIFF) or any(sign in head for sign in _SIGNS)
