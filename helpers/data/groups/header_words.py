"""What the header of a DICOM file says of its group: the view that it was taken in, and who made the machine."""

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.data.frames.dicom_file import dicom_errors
from helpers.data.frames.dicom_header import is_dicom, read_header, text_of
from helpers.data.frames.image_reading import UnreadableImage

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

STRAIGHT = 10.0
"""Degrees up to which an angle counts as none."""

_PRIMARY, _SECONDARY = "PositionerPrimaryAngle", "PositionerSecondaryAngle"
_MOTION = "PositionerMotion"


class HeaderWord(StrEnum):
    """What groups may be asked of headers. A column of a CSV file of the same name is told apart from it."""

    VIEW = "view"
    VENDOR = "vendor"


KEYWORDS = {HeaderWord.VIEW: (_PRIMARY, _SECONDARY), HeaderWord.VENDOR: ("Manufacturer",)}
"""What a header must state for each word."""


def header_group(path: Path, word: HeaderWord) -> str | None:
    """The group of a file's frames by its header; None where it does not say, or is no readable DICOM file."""
    if not is_dicom(path):
        return None
    undecodable: tuple[type[Exception], ...] = (UnreadableImage, *dicom_errors())
    try:
        header = read_header(path, (*KEYWORDS[word], _MOTION))
        return _view_of(header) if word is HeaderWord.VIEW else text_of(header, "Manufacturer")
    except undecodable:  # values are decoded when they are asked for
        return None


def view_name(primary: float, secondary: float) -> str | None:
    """The view of two positioner angles, such as `RAO cranial`; None for angles that none can have.

    As DICOM PS3.3, C.8.7.5, has them: a detector on the patient's right (RAO) has a negative primary angle, on the left
    (LAO) a positive one; towards the head (cranial) the secondary angle is positive, towards the feet (caudal) it is
    negative.

    Args:
        primary: in degrees, -180 to 180; of up to `STRAIGHT` either way the view is AP.
        secondary: in degrees, -90 to 90; of up to `STRAIGHT` either way it is straight.
    """
    if not (abs(primary) <= 180 and abs(secondary) <= 90):
        return None
    side = "AP" if abs(primary) <= STRAIGHT else "LAO" if primary > 0 else "RAO"
    tilt = "straight" if abs(secondary) <= STRAIGHT else "cranial" if secondary > 0 else "caudal"
    return f"{side} {tilt}"


def _view_of(header: "Dataset") -> str | None:
    """The view of a header; None for a positioner that moves while frames are taken, and where an angle is missing."""
    if (text_of(header, _MOTION) or "").upper() == "DYNAMIC":
        return None
    return view_name(_angle(header, _PRIMARY), _angle(header, _SECONDARY))


def _angle(header: "Dataset", keyword: str) -> float:
    """An angle in degrees; NaN where there is none. `text_of` would take 0 for an empty field."""
    value = header.get(keyword)
    return math.nan if value is None or value == "" else float(value)
