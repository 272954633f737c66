"""What the header of a DICOM file says, and the limits it must keep before pixels are read.

No header value enters an exception's `reason`: a value can be a patient's name. For the same reason the errors of
pydicom, which quote values, are not chained.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.core.shown_text import counted
from helpers.data.frames.dicom_file import dicom_errors, is_bare_dicom, open_dicom, pydicom
from helpers.data.frames.dicom_frames import frame_count_of, is_filled, mask_frames, shutters, stored_frames, text_of
from helpers.data.frames.image_reading import UnreadableImage

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = [
    "MAX_FRAMES",
    "MODALITIES",
    "DicomFacts",
    "Moment",
    "check_frame_count",
    "damaged",
    "dicom_facts",
    "dicom_frame_count",
    "frame_count_of",
    "identity_texts",
    "is_dicom",
    "is_filled",
    "patient_of",
    "read_header",
    "text_of",
]

MAX_FRAMES = 10_000

# RF is fluoroscopy; DS, DF and CF are retired names of subtraction, fluoroscopy and cine; OT is common in exports.
MODALITIES = frozenset({"XA", "RF", "DS", "DF", "CF", "OT"})

_IDENTITY_KEYWORDS = (
    "AccessionNumber",
    "AdditionalPatientHistory",
    "CurrentPatientLocation",
    "EthnicGroup",
    "InstitutionAddress",
    "InstitutionName",
    "InstitutionalDepartmentName",
    "IssuerOfPatientID",
    "MedicalRecordLocator",
    "NameOfPhysiciansReadingStudy",
    "Occupation",
    "OperatorsName",
    "OtherPatientIDs",
    "OtherPatientIDsSequence",
    "OtherPatientNames",
    "PatientAddress",
    "PatientBirthDate",
    "PatientBirthName",
    "PatientComments",
    "PatientID",
    "PatientMotherBirthName",
    "PatientName",
    "PatientTelephoneNumbers",
    "PerformingPhysicianName",
    "PhysiciansOfRecord",
    "ReferringPhysicianName",
    "RequestingPhysician",
    "StudyDate",
    "StudyID",
)


class Moment(StrEnum):
    """What a header says of when a frame was taken: seconds, or a number that rises."""

    ACQUIRED = "acquired"
    CONTENT = "content"
    INSTANCE = "instance"


_TIMES = {
    Moment.ACQUIRED: (("AcquisitionDateTime",), ("AcquisitionDate", "AcquisitionTime")),
    Moment.CONTENT: (("ContentDate", "ContentTime"),),
}
_TIME = re.compile(r"(\d{8})(\d{2})(\d{2})?(\d{2})?(?:\.(\d{1,6}))?(?:([+-])(\d{2})(\d{2}))?")

_FACT_KEYWORDS = (
    *(keyword for ways in _TIMES.values() for way in ways for keyword in way),
    *("Modality", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "InstanceNumber", "NumberOfFrames"),
    *("Rows", "Columns", "PixelSpacing", "ImagerPixelSpacing", "BurnedInAnnotation", "SpecificCharacterSet"),
    *("SamplesPerPixel", "BitsAllocated", "PhotometricInterpretation", "PixelPaddingValue"),
    *("MaskSubtractionSequence", "ShutterShape", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)


_TELLING = 6  # letters that do not occur by chance in the pixels of a cine

# What stands in headers for no patient at all, without blanks and punctuation.
_NOBODY = re.compile(
    r"0*|x*|(patient)?(anon|anonym|anonymous|anonymi[sz]ed|unknown|deidentified|removed)(patient|name|id)?"
    r"|none|null|na|nn|noname|noid|patient(id|name)?|test|notprovided"
)


@dataclass(frozen=True)
class DicomFacts:
    """What the header of one DICOM file says. It carries identity and stays on this machine.

    Attributes:
        patient_id: PatientID, or the patient's name where that is empty or says ANONYMOUS or the like; None where both
            are.
        series_uid, instance_uid: None where empty.
        modality: such as `XA`; None where empty.
        moments: those that the header states.
        instance_number: of the file in its series; None where empty.
        frame_count: 0 for a file without an image, such as a report.
        rows, columns: of a frame in pixels; 0 without an image.
        spacing_mm: of rows and of columns. PixelSpacing where present; otherwise ImagerPixelSpacing, which holds at the
            detector and so is larger than in the patient; None where the header has neither.
        identity_fields: keywords of identifying header fields that are not empty, in alphabetical order.
        burned_in: BurnedInAnnotation as YES or NO; None where the header does not say.
        mask_frames: numbers, from 1, of the frames that a subtraction takes for its masks: they show no contrast agent.
        shutters: shapes of the display shutters, such as `CIRCULAR`, in alphabetical order. A viewer hides what lies
            under them; the pixels hold it.
        padded: whether the header names a value of pixels that are padding.
        issuer, birth_date: of the patient, as the header has them; None where empty.
    """

    patient_id: str | None = field(repr=False)
    series_uid: str | None = field(repr=False)
    instance_uid: str | None = field(repr=False)
    modality: str | None
    instance_number: int | None
    frame_count: int
    rows: int
    columns: int
    spacing_mm: tuple[float, float] | None
    identity_fields: tuple[str, ...]
    burned_in: bool | None
    moments: Mapping[Moment, float] = field(default_factory=dict, repr=False)
    mask_frames: tuple[int, ...] = ()
    shutters: tuple[str, ...] = ()
    padded: bool = False
    issuer: str | None = field(default=None, repr=False)
    birth_date: str | None = field(default=None, repr=False)

    @property
    def is_angiogram(self) -> bool:
        """Whether this is an image of a modality that may hold angiograms."""
        return self.frame_count > 0 and self.modality in MODALITIES


def is_dicom(path: Path) -> bool:
    """Whether the file has the DICOM prefix behind its preamble, or proves itself without; whatever its suffix.

    False where it cannot be read.
    """
    try:
        if not Path(path).is_file():  # opening a pipe would wait for its writer
            return False
        with Path(path).open("rb") as file:
            marked = file.read(132)[128:] == b"DICM"
    except OSError:
        return False
    return marked or is_bare_dicom(path)


def dicom_facts(path: Path) -> DicomFacts:
    """Read the header of `path`, without its pixels.

    Raises `UnreadableImage` where the header is damaged, asks for more than `MAX_FRAMES` frames, or counts fewer frames
    than the file holds.
    """
    header, stored = _read(Path(path), (*_FACT_KEYWORDS, *_IDENTITY_KEYWORDS))
    try:
        burned_in = {"YES": True, "NO": False}.get(text_of(header, "BurnedInAnnotation") or "")
        rows, columns = (int(header.get(keyword) or 0) for keyword in ("Rows", "Columns"))
        instance_number = header.get("InstanceNumber")
        facts = DicomFacts(
            patient_id=patient_of(header),
            issuer=text_of(header, "IssuerOfPatientID"),
            birth_date=text_of(header, "PatientBirthDate"),
            series_uid=text_of(header, "SeriesInstanceUID"),
            instance_uid=text_of(header, "SOPInstanceUID"),
            modality=text_of(header, "Modality"),
            instance_number=None if instance_number in (None, "") else int(instance_number),
            frame_count=frame_count_of(header) if rows and columns else 0,
            rows=rows,
            columns=columns,
            spacing_mm=_spacing(header),
            identity_fields=tuple(keyword for keyword in _IDENTITY_KEYWORDS if is_filled(header, keyword)),
            burned_in=burned_in,
            moments=_moments(header),
            mask_frames=mask_frames(header),
            shutters=shutters(header),
            padded=is_filled(header, "PixelPaddingValue"),
        )
    except dicom_errors() as error:
        raise damaged(path, error) from None
    check_frame_count(path, facts.frame_count)
    if stored is not None and stored > facts.frame_count > 0:
        raise UnreadableImage(
            path, f"expected as many frames as its header counts, {facts.frame_count}, found {stored}. Export it again"
        )
    return facts


def dicom_frame_count(path: Path) -> int:
    """How many frames the header of `path` promises; raises `UnreadableImage` as `dicom_facts`, and for no image."""
    count = dicom_facts(path).frame_count
    if count == 0:
        raise UnreadableImage(path, "the DICOM file holds no image. Leave reports and other documents out")
    return count


def read_header(path: Path, keywords: tuple[str, ...]) -> "Dataset":
    return _read(Path(path), keywords)[0]


def identity_texts(header: "Dataset") -> tuple[bytes, ...]:
    """Texts of identifying fields, parts of names apart, that are too long to occur by chance; to search bytes for."""
    texts = (text for keyword in _IDENTITY_KEYWORDS if (text := text_of(header, keyword)) is not None)
    parts = {part.strip() for text in texts for part in re.split(r"[\^=\\]", text)}
    return tuple(part.encode() for part in sorted(parts) if len(part) >= _TELLING)


def _read(path: Path, keywords: tuple[str, ...]) -> "tuple[Dataset, int | None]":
    """The header of a file, and how many frames its pixel data holds; None where that cannot be told."""
    try:
        if not is_dicom(path):
            raise UnreadableImage(
                path, "expected a DICOM file, found no DICM prefix. Export it as a DICOM Part 10 file"
            )
        # Inflated as a whole while it is opened, so its size cannot be bounded.
        if (
            not is_bare_dicom(path)
            and pydicom().filereader.read_file_meta_info(path).get("TransferSyntaxUID")
            == pydicom().uid.DeflatedExplicitVRLittleEndian
        ):
            raise UnreadableImage(path, "deflated DICOM files are not read. Export it uncompressed")
        with open_dicom(path) as file:
            header = pydicom().dcmread(file, stop_before_pixels=True, specific_tags=list(keywords))
            return header, stored_frames(file, header)
    except dicom_errors() as error:
        raise damaged(path, error) from None


def damaged(path: Path, error: Exception) -> UnreadableImage:
    detail = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
    return UnreadableImage(
        path,
        f"the DICOM file cannot be decoded ({detail}): it is damaged, cut short or of an unknown compression."
        " Copy it again from its source, or export it uncompressed",
    )


def patient_of(header: "Dataset") -> str | None:
    """The first of id and name that tells patients apart; None where neither does, such as ANONYMOUS."""
    for keyword in ("PatientID", "PatientName"):
        text = text_of(header, keyword)
        if text is not None and not _NOBODY.fullmatch(re.sub(r"[\W_]+", "", text.casefold())):
            return text
    return None


def _moments(header: "Dataset") -> dict[Moment, float]:
    moments: dict[Moment, float] = {}
    for moment, ways in _TIMES.items():
        for way in ways:
            texts = [text for keyword in way if (text := text_of(header, keyword)) is not None]
            seconds = _seconds("".join(texts)) if len(texts) == len(way) else None
            if seconds is not None:
                moments.setdefault(moment, seconds)
    if header.get("InstanceNumber") not in (None, ""):
        moments[Moment.INSTANCE] = int(header.InstanceNumber)
    return moments


def _seconds(text: str) -> float | None:
    """Seconds since 1970 of a date and time as headers write them; without a zone, as if in UTC. None for others."""
    parts = _TIME.fullmatch(re.sub(r"(?<=\d):(?=\d)", "", text))
    if not parts:
        return None
    day, hours, minutes, seconds, fraction, sign, zone_hours, zone_minutes = parts.groups()
    try:
        start = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
    zone = timedelta(hours=int(zone_hours or 0), minutes=int(zone_minutes or 0)).total_seconds()
    clock = 3600 * int(hours) + 60 * int(minutes or 0) + int(seconds or 0) + float(f"0.{fraction or 0}")
    return start + clock + (zone if sign == "-" else -zone)


def _spacing(header: "Dataset") -> tuple[float, float] | None:
    for keyword in ("PixelSpacing", "ImagerPixelSpacing"):
        if is_filled(header, keyword):
            rows, columns = (float(value) for value in header[keyword].value)
            if rows > 0 and columns > 0:
                return rows, columns
    return None


def check_frame_count(path: Path, count: int) -> None:
    if not 0 <= count <= MAX_FRAMES:
        raise UnreadableImage(
            path, f"found {counted(count, 'frame')} in the header; 1 to {MAX_FRAMES:,} are read. Split the file"
        )
