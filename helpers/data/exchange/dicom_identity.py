"""Under whose identity DICOM frames leave: their own, or a pseudonym under which frames are written anew.

A frame that is written anew holds what is listed here, and nothing else of its header: numbers of how the image was
taken and is to be shown, and words that the standard defines. Its UIDs are drawn from the source's under the machine's
key, so that two exports of one source open together; without the key nothing leads back.
"""

import hashlib
import hmac
import uuid
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.core.errors import RefusedInput
from helpers.data.frames.dicom_file import dicom_errors, open_dicom, pydicom
from helpers.data.frames.dicom_frames import text_of
from helpers.data.frames.dicom_header import identity_texts

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

_DRAWN_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
# Type 2: to be there, also where nothing may be said.
_EMPTY = (
    *("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID", "AccessionNumber"),
    *("ReferringPhysicianName", "Manufacturer", "PatientOrientation", "Laterality", "SeriesNumber", "InstanceNumber"),
)
_KEPT_NUMBERS = frozenset(
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
_KEPT_WORDS = frozenset(
    ("Modality", "ImageType", "PhotometricInterpretation", "PixelIntensityRelationship", "PresentationLUTShape")
    + ("VOILUTFunction", "RadiationSetting", "PositionerMotion", "MaskOperation", "ShutterShape")
    + ("LossyImageCompression", "LossyImageCompressionMethod", "BurnedInAnnotation", "RescaleType", "ModalityLUTType")
)
_KEPT_SEQUENCES = frozenset(
    ("MaskSubtractionSequence", "VOILUTSequence", "FrameVOILUTSequence", "PixelValueTransformationSequence")
    + ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "FrameDisplayShutterSequence")
)
# Every word that may stand there: any other one might be a name.
_WORDS = frozenset(
    ("XA", "RF", "DS", "DF", "CF", "OT", "ORIGINAL", "DERIVED", "PRIMARY", "SECONDARY", "SINGLE PLANE", "SINGLE A")
    + ("SINGLE B", "BIPLANE A", "BIPLANE B", "MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT")
    + ("YBR_RCT", "LIN", "LOG", "DISP", "IDENTITY", "INVERSE", "LINEAR", "LINEAR_EXACT", "SIGMOID", "SC", "GR")
    + ("STATIC", "DYNAMIC", "NONE", "AVG_SUB", "TID", "REV_TID", "RECTANGULAR", "CIRCULAR", "POLYGONAL", "00", "01")
    + ("ISO_10918_1", "ISO_14495_1", "ISO_15444_1", "ISO_13818_2", "ISO_14496_10", "YES", "NO", "US", "OD", "HU", "")
)
_IMAGE_TYPE = ["DERIVED", "SECONDARY"]
_METHOD = "vesselkit: listed attributes alone, UIDs drawn anew"
_LONGEST = 6  # digits of a number within a series; a longer one may be a date


def is_declared_removed(header: "Dataset") -> bool:
    """Whether a header says that the patient's identity was removed from the file."""
    return text_of(header, "PatientIdentityRemoved") == "YES"


def drawn_uid(uid: str, key: bytes) -> str:
    """A UID that stands for another one under a key."""
    digest = _digest("uid", uid, key)
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=4).int}"


def drawn_patient(header: "Dataset", key: bytes) -> str:
    """A pseudonym of the patient for where the data set has none: by PatientID, else by study."""
    known = text_of(header, "PatientID") or text_of(header, "StudyInstanceUID") or ""
    return f"VK-{_digest('patient', known, key).hex()[:12]}"


def pseudonymised(path: Path, patient: str | None, key: bytes) -> "Dataset":
    """A DICOM file's image under drawn UIDs and a pseudonym, in the compression that it has.

    Args:
        patient: pseudonym; None draws one.
    Raises:
        RefusedInput: for a damaged file, and where its pixel data spells a text of its header.
    """
    library = pydicom()
    try:
        with open_dicom(path) as file:
            source = library.dcmread(file)
            dataset = _listed(source)
            dataset.PixelData = source.PixelData
    except dicom_errors() as error:
        raise RefusedInput(f"{path}: expected a DICOM file that can be copied, found a damaged one") from error
    dataset["PixelData"].VR = source["PixelData"].VR
    _refuse_spelled(path, source)
    for keyword in _DRAWN_UIDS:
        setattr(dataset, keyword, drawn_uid(text_of(source, keyword) or "", key))
    dataset.SOPClassUID = source.SOPClassUID
    dataset.PatientID = dataset.PatientName = patient or drawn_patient(source, key)
    dataset.PatientIdentityRemoved, dataset.DeidentificationMethod = "YES", _METHOD
    dataset.LongitudinalTemporalInformationModified = "REMOVED"
    for keyword in _EMPTY:
        if keyword not in dataset:
            setattr(dataset, keyword, "")
    meta = library.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = source.file_meta.TransferSyntaxUID
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    dataset.file_meta = meta
    return dataset


def _listed(source: "Dataset", *, within: bool = False) -> "Dataset":
    """What is listed of a header or of an item within it."""
    dataset: Dataset = pydicom().dataset.Dataset()
    for element in source:
        keyword = element.keyword
        if keyword in _KEPT_SEQUENCES:
            dataset.add_new(element.tag, "SQ", [_listed(item, within=True) for item in element.value])
        elif _may_stay(element):
            dataset.add(element)
    if not within and "ImageType" not in dataset:
        dataset.ImageType = _IMAGE_TYPE
    return dataset


def _may_stay(element: "DataElement") -> bool:
    """Whether an element is listed and holds what it should."""
    if element.keyword in _COUNTED:
        return _are_numbers(element) and len(str(element.value)) <= _LONGEST
    if element.keyword in _KEPT_NUMBERS:
        return _are_numbers(element)
    return element.keyword in _KEPT_WORDS and _are_words(element.value)


def _are_numbers(element: "DataElement") -> bool:
    """Whether an element holds numbers: some kinds of them are stored as text."""
    if element.VR not in ("DS", "IS"):
        return True
    values = element.value if element.VM > 1 else [element.value]
    return all(isinstance(one, (int, float, Decimal)) for one in values if one is not None)


def _are_words(value: object) -> bool:
    values = [value] if isinstance(value, str) else list(value or [])  # type: ignore[call-overload]
    return all(str(one) in _WORDS for one in values)


def _refuse_spelled(path: Path, source: "Dataset") -> None:
    """Refuse pixel data with a text of the header in it: compressed frames may carry comments."""
    if any(text in source.PixelData for text in identity_texts(source)):
        raise RefusedInput(
            f"{path}: expected frames without text, found one of the header's in the compressed pixel data. "
            "Remove the identity with a tool for that, or export with --identity source"
        )


def _digest(kind: str, text: str, key: bytes) -> bytes:
    return hmac.new(key, f"vesselkit dicom {kind} 1:{text}".encode(), hashlib.sha256).digest()
