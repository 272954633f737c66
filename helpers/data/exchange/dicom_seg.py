"""A DICOM Segmentation object of an X-ray angiogram, with pydicom alone.

highdicom's Segmentation class refuses objects without a frame of reference, which a projection has none of, and its
content classes would save three short sequences. The modules are those of PS3.3 A.51; a frame of the segmentation lies
on the frame of the source that its Derivation Image Sequence names, pixel on pixel.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from helpers import __version__
from helpers.data.exchange.exchanged import MadeBy, Making
from helpers.data.frames.dicom_file import pydicom
from helpers.data.frames.dicom_frames import frame_count_of, is_filled, text_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

RESEARCH = "RESEARCH NOT FOR CLINICAL USE"
STORAGE = "1.2.840.10008.5.1.4.1.1.66.4"
FULL = 255  # of a FRACTIONAL object, where the probability is 1
_NUMBER = "1"  # of the series within its study
_DIGITS = 16  # of a fingerprint, in a name of at most 64 letters
# Patient and General Study modules: what objects of one study have in common.
_SHARED = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientIdentityRemoved", "DeidentificationMethod"),
    *("DeidentificationMethodCodeSequence", "LongitudinalTemporalInformationModified", "SpecificCharacterSet"),
    *("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
)
_EMPTY_IF_UNKNOWN = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
)
_CATEGORY = ("91723000", "SCT", "Anatomical Structure")
_VESSEL = ("59820001", "SCT", "Blood vessel")
_DERIVATION = ("113076", "DCM", "Segmentation")
_PURPOSE = ("121322", "DCM", "Source image for image processing operation")


@dataclass(frozen=True)
class Segment:
    """What a Segmentation object says of its one segment.

    Attributes:
        label: short, in English.
        made_by: what made its masks.
    """

    label: str
    made_by: MadeBy

    @property
    def title(self) -> str:
        """The label behind the words that the object is for research."""
        return f"{RESEARCH}: {self.label}"

    @property
    def algorithm(self) -> str:
        """Name with the model's fingerprint."""
        known = self.made_by.weights
        if len(known) == 1:
            return f"vesselkit, weights {known[0][:_DIGITS]}"
        return f"vesselkit, {'several' if known else 'unknown'} weights"


def segmentation(
    source: "Dataset",
    values: Mapping[int, np.ndarray],
    segment: Segment,
    series_uid: str,
    instance_number: int,
    written: datetime,
) -> "Dataset":
    """A Segmentation object of one source object.

    Args:
        source: header of the source under the identity that the segmentation gets.
        values: frame from 0 -> bool (H, W) for a BINARY object, or uint8 (H, W), probabilities in 255ths, for a
            FRACTIONAL one.
        series_uid, instance_number: of the object.
        written: when.
    """
    frames = sorted(values)
    dataset = _identified(source, segment, series_uid, instance_number, written)
    dataset.update(_pixels([values[frame] for frame in frames]))
    _describe_loss(dataset, source)
    dataset.SegmentSequence = [_segment_item(segment)]
    organization = new_uid()
    dataset.DimensionOrganizationSequence = [_item(DimensionOrganizationUID=organization)]
    dataset.DimensionIndexSequence = [
        _item(
            DimensionIndexPointer=pointer,
            FunctionalGroupPointer=group,
            DimensionOrganizationUID=organization,
            DimensionDescriptionLabel=label,
        )
        for pointer, group, label in (
            (0x0062_000B, 0x0062_000A, "Segment"),
            (0x0020_9056, 0x0020_9111, "Stack"),
            (0x0020_9057, 0x0020_9111, "Frame of the source"),
        )
    ]
    dataset.SharedFunctionalGroupsSequence = [_item(SegmentIdentificationSequence=[_item(ReferencedSegmentNumber=1)])]
    dataset.PerFrameFunctionalGroupsSequence = [
        _frame_item(source, frame, place) for place, frame in enumerate(frames, 1)
    ]
    reference = _item(ReferencedSOPClassUID=source.SOPClassUID, ReferencedSOPInstanceUID=source.SOPInstanceUID)
    dataset.ReferencedSeriesSequence = [
        _item(SeriesInstanceUID=source.SeriesInstanceUID, ReferencedInstanceSequence=[reference])
    ]
    return dataset


def new_uid() -> str:
    """A UID that nothing leads back from."""
    return str(pydicom().uid.generate_uid(prefix=None))


def _identified(
    source: "Dataset", segment: Segment, series_uid: str, instance_number: int, written: datetime
) -> "Dataset":
    """Patient, study, series, equipment and content."""
    library = pydicom()
    dataset = library.dataset.Dataset()
    for keyword in _SHARED:
        if keyword in source:
            dataset[keyword] = source[keyword]
    for keyword in _EMPTY_IF_UNKNOWN:
        if keyword not in dataset:
            setattr(dataset, keyword, "")
    meta = library.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = library.uid.ExplicitVRLittleEndian
    dataset.file_meta = meta
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID = STORAGE
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = new_uid()
    dataset.Modality, dataset.SeriesInstanceUID, dataset.SeriesNumber = "SEG", series_uid, _NUMBER
    dataset.SeriesDescription, dataset.InstanceNumber = segment.title, str(instance_number)
    dataset.Manufacturer = dataset.ManufacturerModelName = "vesselkit"
    dataset.DeviceSerialNumber, dataset.SoftwareVersions = "none", __version__
    dataset.ContentLabel, dataset.ContentDescription, dataset.ContentCreatorName = "RESEARCH", RESEARCH, ""
    dataset.ContentDate, dataset.ContentTime = written.strftime("%Y%m%d"), written.strftime("%H%M%S")
    return dataset


def _pixels(values: list[np.ndarray]) -> "Dataset":
    """Frames (H, W) as pixel data. The bits of a BINARY object run on from frame to frame, the first one lowest."""
    dataset = pydicom().dataset.Dataset()
    stack = np.stack(values)
    dataset.NumberOfFrames, (dataset.Rows, dataset.Columns) = str(len(stack)), stack.shape[1:]
    dataset.ImageType, dataset.SamplesPerPixel = ["DERIVED", "PRIMARY"], 1
    dataset.PatientOrientation = ""
    dataset.PhotometricInterpretation, dataset.PixelRepresentation = "MONOCHROME2", 0
    if stack.dtype == bool:
        dataset.SegmentationType, bits = "BINARY", 1
        content = np.packbits(stack.ravel(), bitorder="little").tobytes()
    else:
        dataset.SegmentationType, bits = "FRACTIONAL", 8
        dataset.SegmentationFractionalType, dataset.MaximumFractionalValue = "PROBABILITY", FULL
        content = stack.astype(np.uint8).tobytes()
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelData = content + b"\0" * (len(content) % 2)
    dataset["PixelData"].VR = "OB"
    return dataset


def _describe_loss(dataset: "Dataset", source: "Dataset") -> None:
    """Whether the source was compressed with loss, which its segmentation inherits."""
    dataset.LossyImageCompression = "01" if text_of(source, "LossyImageCompression") == "01" else "00"
    if dataset.LossyImageCompression == "01":
        for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
            if is_filled(source, keyword):
                dataset[keyword] = source[keyword]


def _segment_item(segment: Segment) -> "Dataset":
    making, weights = segment.made_by.making, segment.made_by.weights
    said = f" Fingerprints of the weights: {', '.join(weights)}." if weights else ""
    item = _item(
        SegmentNumber=1,
        SegmentLabel=segment.title,
        SegmentDescription=f"{RESEARCH}.{said}"[:1024],
        SegmentAlgorithmType=making.value,
        SegmentedPropertyCategoryCodeSequence=[_code(_CATEGORY)],
        SegmentedPropertyTypeCodeSequence=[_code(_VESSEL)],
    )
    if making is not Making.MANUAL:
        item.SegmentAlgorithmName = segment.algorithm
    return item


def _frame_item(source: "Dataset", frame: int, place: int) -> "Dataset":
    image = _item(
        ReferencedSOPClassUID=source.SOPClassUID,
        ReferencedSOPInstanceUID=source.SOPInstanceUID,
        PurposeOfReferenceCodeSequence=[_code(_PURPOSE)],
        SpatialLocationsPreserved="YES",
    )
    if frame_count_of(source) > 1:
        image.ReferencedFrameNumber = frame + 1
    derivation = _item(DerivationCodeSequence=[_code(_DERIVATION)], SourceImageSequence=[image])
    content = _item(StackID="1", InStackPositionNumber=place, DimensionIndexValues=[1, 1, place])
    return _item(FrameContentSequence=[content], DerivationImageSequence=[derivation])


def _code(code: tuple[str, str, str]) -> "Dataset":
    value, scheme, meaning = code
    return _item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def _item(**fields: object) -> "Dataset":
    item: Dataset = pydicom().dataset.Dataset()
    for keyword, value in fields.items():
        setattr(item, keyword, value)
    return item
