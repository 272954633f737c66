"""Frames by a DICOM header: their number, which are masks, and what a shutter hides."""

import struct
from typing import TYPE_CHECKING, BinaryIO

from helpers.data.frames.dicom_file import pydicom

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["frame_count_of", "is_filled", "mask_frames", "move_to_pixels", "shutters", "stored_frames", "text_of"]

# What a header may call a display shutter; another text may be anything and is not repeated.
_SHUTTERS = ("RECTANGULAR", "CIRCULAR", "POLYGONAL", "BITMAP")
_PIXEL_DATA = 0x7FE0_0010
_UNDEFINED_LENGTH = 0xFFFF_FFFF


def frame_count_of(header: "Dataset") -> int:
    return int(header.get("NumberOfFrames") or 1)


def is_filled(header: "Dataset", keyword: str) -> bool:
    value = header.get(keyword)
    return bool(value is not None and str(value).strip(" ^=") and value != [])


def text_of(header: "Dataset", keyword: str) -> str | None:
    return str(header.get(keyword) or "").strip() or None


def move_to_pixels(file: BinaryIO) -> None:
    """Set `file` to the beginning of the compressed pixel data in it."""
    header = pydicom().dcmread(file, stop_before_pixels=True, specific_tags=[])
    file.seek(8 if header.file_meta.TransferSyntaxUID.is_implicit_VR else 12, 1)


def stored_frames(file: BinaryIO, header: "Dataset") -> int | None:
    """How many whole frames lie in the pixel data that `file` stands before; None where it has no way to tell.

    Compressed files tell by their table of offsets alone, since a frame may be in several pieces.
    """
    syntax = header.file_meta.get("TransferSyntaxUID")
    start = file.read(12)
    if syntax is None or len(start) < 12 or not is_filled(header, "Rows"):
        return None
    order = "<" if syntax.is_little_endian else ">"
    group, element = struct.unpack(f"{order}HH", start[:4])
    if (group << 16 | element) != _PIXEL_DATA:
        return None
    if syntax.is_implicit_VR:
        file.seek(-4, 1)
        (length,) = struct.unpack(f"{order}L", start[4:8])
    else:
        (length,) = struct.unpack(f"{order}L", start[8:12])
    if syntax.is_encapsulated:
        return (
            (len(pydicom().encaps.parse_basic_offsets(file, endianness=order)) or None)
            if length == _UNDEFINED_LENGTH
            else None
        )
    samples = (
        2 if header.get("PhotometricInterpretation") == "YBR_FULL_422" else int(header.get("SamplesPerPixel") or 1)
    )
    frame = header.Rows * header.Columns * samples * int(header.get("BitsAllocated") or 0) // 8
    promised = frame * frame_count_of(header)
    if frame < 1 or length == _UNDEFINED_LENGTH:
        return None
    return frame_count_of(header) if length == promised + promised % 2 else length // frame  # padded to even length


def mask_frames(header: "Dataset") -> tuple[int, ...]:
    """Numbers, from 1, of the frames that a subtraction takes for its masks."""
    count, numbers = frame_count_of(header), set()
    for item in header.get("MaskSubtractionSequence") or []:
        if is_filled(item, "MaskFrameNumbers") and text_of(item, "MaskOperation") != "NONE":
            given = item.MaskFrameNumbers
            numbers |= {int(number) for number in ([given] if isinstance(given, int) else given)}
    return tuple(sorted(number for number in numbers if 1 <= number <= count))


def shutters(header: "Dataset") -> tuple[str, ...]:
    """Shapes of the display shutters of a file and, in an enhanced one, of any of its frames, in alphabetical order."""
    groups = [*(header.get("SharedFunctionalGroupsSequence") or [])]
    groups += [*(header.get("PerFrameFunctionalGroupsSequence") or [])]
    items = [header, *(item for group in groups for item in group.get("FrameDisplayShutterSequence") or [])]
    shapes = set()
    for item in items:
        if is_filled(item, "ShutterShape"):
            value = item.ShutterShape
            shapes |= {str(shape).strip().upper() for shape in ([value] if isinstance(value, str) else value)}
    return tuple(sorted({shape if shape in _SHUTTERS else "another shape" for shape in shapes}))
