"""What may stay of a DICOM header: listed attributes, where they hold what the standard says.

Files hold text where numbers belong, and dates where a short number does: an element stays where its kind, its count
of values and their size are those of its keyword.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from helpers.core.errors import RefusedInput
from helpers.data.frames.dicom_file import pydicom
from helpers.data.frames.dicom_header import MAX_FRAMES

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

_NUMBERS = frozenset(
    ("NumberOfFrames", "FrameIncrementPointer", "Rows", "Columns", "SamplesPerPixel", "PlanarConfiguration")
    + ("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit")
    + ("SmallestImagePixelValue", "LargestImagePixelValue", "PixelIntensityRelationshipSign", "PixelAspectRatio")
    + ("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "LUTDescriptor", "LUTData")
    + ("PixelSpacing", "ImagerPixelSpacing", "EstimatedRadiographicMagnificationFactor", "DistanceSourceToDetector")
    + ("DistanceSourceToPatient", "PositionerPrimaryAngle", "PositionerSecondaryAngle", "IntensifierSize")
    + ("KVP", "XRayTubeCurrent", "ExposureTime", "Exposure", "AveragePulseWidth", "FrameTime", "FrameTimeVector")
    + ("RecommendedDisplayFrameRate", "CineRate", "StartTrim", "StopTrim", "MaskFrameNumbers", "MaskSubPixelShift")
    + ("ContrastFrameAveraging", "ApplicableFrameRange", "TIDOffset", "LossyImageCompressionRatio")
    + ("ShutterLeftVerticalEdge", "ShutterRightVerticalEdge", "ShutterUpperHorizontalEdge")
    + ("ShutterLowerHorizontalEdge", "CenterOfCircularShutter", "RadiusOfCircularShutter")
    + ("VerticesOfThePolygonalShutter", "ShutterPresentationValue")
)
_COUNTED = ("SeriesNumber", "InstanceNumber")
_WORDS = frozenset(
    ("Modality", "ImageType", "PhotometricInterpretation", "PixelIntensityRelationship", "PresentationLUTShape")
    + ("VOILUTFunction", "RadiationSetting", "PositionerMotion", "MaskOperation", "ShutterShape")
    + ("LossyImageCompression", "LossyImageCompressionMethod", "BurnedInAnnotation", "RescaleType", "ModalityLUTType")
)
_SEQUENCES = frozenset(
    ("MaskSubtractionSequence", "VOILUTSequence", "FrameVOILUTSequence", "PixelValueTransformationSequence")
    + ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "FrameDisplayShutterSequence")
)
# Every word that may stand there: any other one might be a name.
_SAID = frozenset(
    ("XA", "RF", "DS", "DF", "CF", "OT", "ORIGINAL", "DERIVED", "PRIMARY", "SECONDARY", "SINGLE PLANE", "SINGLE A")
    + ("SINGLE B", "BIPLANE A", "BIPLANE B", "MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT")
    + ("YBR_RCT", "LIN", "LOG", "DISP", "IDENTITY", "INVERSE", "LINEAR", "LINEAR_EXACT", "SIGMOID", "SC", "GR")
    + ("STATIC", "DYNAMIC", "NONE", "AVG_SUB", "TID", "REV_TID", "RECTANGULAR", "CIRCULAR", "POLYGONAL", "00", "01")
    + ("ISO_10918_1", "ISO_14495_1", "ISO_15444_1", "ISO_13818_2", "ISO_14496_10", "YES", "NO", "US", "OD", "HU", "")
)
_IMAGE_TYPE = ["DERIVED", "SECONDARY"]
# What a frame is drawn by: without one of them it would look otherwise.
_DRAWN_BY = frozenset(
    ("NumberOfFrames", "Rows", "Columns", "SamplesPerPixel", "PlanarConfiguration", "PhotometricInterpretation")
    + ("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit")
    + ("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "VOILUTFunction", "LUTDescriptor", "LUTData")
)
_FRAME_NUMBERS = ("MaskFrameNumbers", "ApplicableFrameRange")
_LIMIT = 10**6  # a longer number may be a date


def listed(path: Path, source: "Dataset", *, within: bool = False) -> "Dataset":
    """What may stay of the header of a file, or of an item within it.

    Raises:
        RefusedInput: where something that a frame is drawn by may not.
    """
    dataset: Dataset = pydicom().dataset.Dataset()
    for element in source:
        keyword = element.keyword
        if keyword in _SEQUENCES:
            dataset.add_new(element.tag, "SQ", [listed(path, item, within=True) for item in element.value])
        elif _may_stay(element, source):
            dataset.add(element)
        elif keyword in _DRAWN_BY:
            raise RefusedInput(
                f"{path}: expected {keyword} as the standard has it, found another kind of value, "
                "which may be a text. Export with --identity source"
            )
    if not within and "ImageType" not in dataset:
        dataset.ImageType = _IMAGE_TYPE
    return dataset


def _may_stay(element: "DataElement", source: "Dataset") -> bool:
    """Whether an element is listed and holds what it should."""
    keyword = element.keyword
    if keyword == "LUTData":
        return _is_curve(source)
    if keyword == "FrameIncrementPointer":
        return element.VR == "AT" and all(_keyword(tag) in _NUMBERS for tag in _values(element))
    if keyword in _COUNTED or keyword in _NUMBERS:
        return _are_numbers(element)
    return keyword in _WORDS and all(str(one) in _SAID for one in _values(element))


def _are_numbers(element: "DataElement") -> bool:
    """Whether an element holds as many numbers as its keyword has, of its kind, none of them long."""
    dictionary = pydicom().datadict
    count: str = dictionary.dictionary_VM(element.tag)
    if element.VR not in dictionary.dictionary_VR(element.tag).split(" or "):
        return False
    if count.isdigit() and element.VM not in (0, int(count)):
        return False
    # Two letters make a number of 16 bits that is larger than any frame's.
    limit = MAX_FRAMES + 1 if element.keyword in _FRAME_NUMBERS else _LIMIT
    return all(not isinstance(one, str | bytes) and abs(one) < limit for one in _values(element))


def _is_curve(item: "Dataset") -> bool:
    """Whether a look-up table has as many entries as it says, which rise or fall: a text does neither."""
    data = item.LUTData
    entries = int(item.LUTDescriptor[0]) % 2**16 or 2**16
    if isinstance(data, bytes):
        width = 1 if len(data) in {entries, entries + 1} and int(item.LUTDescriptor[2]) == 8 else 2
        data = np.frombuffer(data, f"{'>' if item.original_encoding[1] is False else '<'}u{width}")
    table = np.atleast_1d(data)
    steps = np.diff(table[:entries].astype(np.int64))
    return (
        len(table) - entries in (0, 1) and not table[entries:].any() and bool((steps >= 0).all() or (steps <= 0).all())
    )


def _keyword(tag: int) -> str:
    return str(pydicom().datadict.keyword_for_tag(tag))


def _values(element: "DataElement") -> Sequence[Any]:
    """The values of an element, none where it is empty."""
    if element.value is None or element.value == "":
        return []
    return list(element.value) if element.VM > 1 else [element.value]
