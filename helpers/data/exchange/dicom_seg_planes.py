"""Which frames of a DICOM Segmentation object show which segment, and the mask of one of its frames.

A frame of a BINARY or FRACTIONAL object belongs to the one segment that it names; frames of several segments may lie on
one frame of the source. A LABELMAP object has one frame for all segments, whose values are the segments' numbers.
"""

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from helpers.core.errors import RefusedInput
from helpers.data.frames.dicom_file import pydicom
from helpers.data.frames.dicom_frames import frame_count_of, text_of
from helpers.data.frames.dicom_header import check_frame_count
from helpers.data.frames.image_reading import MAX_PIXELS
from helpers.data.truth.shape_labels import label_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_SEGMENT = "SegmentIdentificationSequence"
_BACKGROUND = ("125040", "DCM")
# RLE, lossless JPEG-LS and lossless JPEG 2000, and what decodes them: gdcm is less guarded against damaged data.
_DECODERS = {"1.2.840.10008.1.2.5": "pydicom", "1.2.840.10008.1.2.4.80": "gdcm", "1.2.840.10008.1.2.4.90": "pillow"}


class SegmentationType(StrEnum):
    """What the values of an object are, in DICOM's words."""

    BINARY = "BINARY"
    FRACTIONAL = "FRACTIONAL"
    LABELMAP = "LABELMAP"


def type_of(path: Path, dataset: "Dataset") -> SegmentationType:
    """The type of an object whose pixels can be read without a guess.

    Raises:
        RefusedInput: for another type, occupancies, other depths than the type has, and pixels that are not there.
    """
    found = text_of(dataset, "SegmentationType")
    if found not in set(SegmentationType):
        raise RefusedInput(f"{path}: expected a segmentation of {', '.join(SegmentationType)}, found another type")
    kind = SegmentationType(found)
    depths = {SegmentationType.BINARY: (1,), SegmentationType.FRACTIONAL: (8,), SegmentationType.LABELMAP: (8, 16)}
    allocated, stored = dataset.BitsAllocated, dataset.BitsStored
    if allocated not in depths[kind] or stored != allocated or dataset.SamplesPerPixel != 1:
        expected = " or ".join(map(str, depths[kind]))
        raise RefusedInput(
            f"{path}: expected a {kind} segmentation of {expected} bits a pixel in one plane, found {int(stored)} of "
            f"{int(allocated)} bits in {int(dataset.SamplesPerPixel)}. Export it again"
        )
    fraction = text_of(dataset, "SegmentationFractionalType")
    if kind is SegmentationType.FRACTIONAL and fraction != "PROBABILITY":
        other = "OCCUPANCY, how much of a pixel a vessel fills" if fraction == "OCCUPANCY" else "another thing"
        raise RefusedInput(f"{path}: expected probabilities in a FRACTIONAL segmentation, found {other}. Export BINARY")
    _require_pixels(path, dataset, kind)
    return kind


def _require_pixels(path: Path, dataset: "Dataset", kind: SegmentationType) -> None:
    syntax = dataset.file_meta.TransferSyntaxUID
    is_plain = syntax.is_little_endian and not syntax.is_encapsulated
    if not is_plain and (kind is SegmentationType.BINARY or syntax not in _DECODERS):
        name = syntax.name if syntax.is_transfer_syntax else "another one"
        raise RefusedInput(f"{path}: expected a segmentation without compression, found {name}. Export it uncompressed")
    count = frame_count_of(dataset)
    check_frame_count(path, count)
    size = int(dataset.Rows) * int(dataset.Columns)
    missing = not syntax.is_encapsulated and len(dataset.PixelData) * 8 < size * count * dataset.BitsAllocated
    if not 0 < size <= MAX_PIXELS or missing:
        raise RefusedInput(f"{path}: expected the pixels that its header counts. Export it again")


def segments_of(path: Path, dataset: "Dataset", kind: SegmentationType) -> Mapping[int, str]:
    """The label of each segment by its number, without the background of a LABELMAP."""
    found: dict[int, str] = {}
    for item in dataset.get("SegmentSequence") or []:
        number = item.SegmentNumber
        if type(number) is not int or number in found:
            raise RefusedInput(f"{path}: expected segments with a number of their own. Export it again")
        found[number] = label_of(text_of(item, "SegmentLabel"))
        if kind is SegmentationType.LABELMAP and _is_background(dataset, item):
            del found[number]
    if not found:
        raise RefusedInput(f"{path}: expected a segment of vessels, found none. Export it again")
    return found


def _is_background(dataset: "Dataset", segment: "Dataset") -> bool:
    codes = segment.get("SegmentedPropertyTypeCodeSequence") or []
    named = any((text_of(code, "CodeValue"), text_of(code, "CodingSchemeDesignator")) == _BACKGROUND for code in codes)
    return named or segment.SegmentNumber == _padding(dataset)


def _padding(dataset: "Dataset") -> int:
    """The value of LABELMAP pixels outside all segments."""
    value = dataset.get("PixelPaddingValue")
    return 0 if value is None else int(value)


def group_items(dataset: "Dataset", place: int, keyword: str) -> Sequence["Dataset"]:
    """What a frame's functional groups say under a keyword, else what they say of all frames."""
    shared = [*(dataset.get("SharedFunctionalGroupsSequence") or [])][:1]
    each = [group.get(keyword) for group in (dataset.PerFrameFunctionalGroupsSequence[place], *shared)]
    return next((items for items in each if items), ())


def segment_of(path: Path, dataset: "Dataset", place: int) -> int:
    """The number of the segment that frame `place` of a BINARY or FRACTIONAL object shows."""
    numbers = [item.get("ReferencedSegmentNumber") for item in group_items(dataset, place, _SEGMENT)]
    if len(numbers) != 1 or type(numbers[0]) is not int:
        raise RefusedInput(f"{path}: expected the segment of each frame, found none or several. Export it again")
    return int(numbers[0])


def plane_mask(
    path: Path, dataset: "Dataset", place: int, kind: SegmentationType, vessel: Collection[int], threshold: float | None
) -> np.ndarray:
    """The mask of frame `place`, bool (H, W).

    Args:
        vessel: numbers of the segments that are vessel; of a BINARY or FRACTIONAL frame it shows one of them.
        threshold: probability above which a pixel of a FRACTIONAL object is vessel.
    Raises:
        RefusedInput: where values occur that the header does not explain.
    """
    if kind is SegmentationType.BINARY:
        return _bits(dataset, place)
    plugin = _DECODERS.get(dataset.file_meta.TransferSyntaxUID, "")
    values = pydicom().pixels.pixel_array(dataset, index=place, raw=True, decoding_plugin=plugin)
    if kind is SegmentationType.FRACTIONAL:
        full = int(dataset.MaximumFractionalValue)
        if not 0 < full <= 255 or values.max() > full:
            raise RefusedInput(
                f"{path}: expected values up to its MaximumFractionalValue {full}, found {values.max()}. Export it "
                "again"
            )
        assert threshold is not None
        return np.asarray(values > threshold * full)
    known = {int(item.SegmentNumber) for item in dataset.SegmentSequence} | {_padding(dataset)}
    strays = set(np.unique(values).tolist()) - known
    if strays:
        raise RefusedInput(f"{path}: expected numbers of its segments as values, found {min(strays)}. Export it again")
    return np.isin(values, sorted(vessel))


def _bits(dataset: "Dataset", place: int) -> np.ndarray:
    """A frame of a BINARY object. The bits of its frames run on, the first one lowest."""
    size = dataset.Rows * dataset.Columns
    first = place * size
    content = np.frombuffer(dataset.PixelData, np.uint8)[first // 8 : (first + size + 7) // 8]
    bits = np.unpackbits(content, bitorder="little")[first % 8 : first % 8 + size]
    return bits.astype(bool).reshape(dataset.Rows, dataset.Columns)
