"""Under whose identity DICOM frames leave: their own, or a pseudonym under which frames are written anew.

A frame that is written anew holds what is listed here, and nothing else of its header: numbers of how the image was
taken and is to be shown, and words that the standard defines. Its UIDs are drawn from the source's under the machine's
key, so that two exports of one source open together; without the key nothing leads back.
"""

import hashlib
import hmac
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.core.errors import RefusedInput
from helpers.data.exchange.dicom_listed import listed
from helpers.data.exchange.dicom_pixels import bare_pixels
from helpers.data.frames.dicom_file import dicom_errors, open_dicom, pydicom
from helpers.data.frames.dicom_frames import text_of
from helpers.data.frames.dicom_header import patient_of

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_DRAWN_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
# Type 2: to be there, also where nothing may be said.
_EMPTY = (
    *("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID", "AccessionNumber"),
    *("ReferringPhysicianName", "Manufacturer", "PatientOrientation", "Laterality", "SeriesNumber", "InstanceNumber"),
)
_METHOD = "vesselkit: listed attributes alone, UIDs drawn anew"


def is_declared_removed(header: "Dataset") -> bool:
    """Whether a header says that the patient's identity was removed from the file."""
    return text_of(header, "PatientIdentityRemoved") == "YES"


def drawn_uid(uid: str, key: bytes) -> str:
    """A UID that stands for another one under a key."""
    digest = _digest("uid", uid, key)
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=4).int}"


def drawn_patient(header: "Dataset", key: bytes) -> str:
    """A pseudonym of the patient for where the data set has none: by what tells patients apart, else by study.

    ANONYMOUS and the like tell nothing: archives would merge all patients of such an id.
    """
    known = patient_of(header) or text_of(header, "StudyInstanceUID") or ""
    return f"VK-{_digest('patient', known, key).hex()[:12]}"


def pseudonymised(path: Path, patient: str | None, key: bytes) -> "Dataset":
    """A DICOM file's image under drawn UIDs and a pseudonym, in the compression that it has.

    Args:
        patient: pseudonym; None draws one.
    Raises:
        RefusedInput: for a damaged file, a SOP class outside the standard, and what `listed` and `bare_pixels` refuse.
    """
    library = pydicom()
    try:
        with open_dicom(path) as file:
            source = library.dcmread(file)
            dataset = listed(path, source)
            dataset.PixelData = bare_pixels(path, source)
    except dicom_errors() as error:
        raise RefusedInput(f"{path}: expected a DICOM file that can be copied, found a damaged one") from error
    dataset["PixelData"].VR = source["PixelData"].VR
    if source.SOPClassUID.type != "SOP Class":
        raise RefusedInput(
            f"{path}: expected a SOP class of the standard, found another text. Export with --identity source"
        )
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


def _digest(kind: str, text: str, key: bytes) -> bytes:
    return hmac.new(key, f"vesselkit dicom {kind} 1:{text}".encode(), hashlib.sha256).digest()
