"""DICOM frames that have a place in space, which other tools ask of what they segment, and no one's identity."""

from pathlib import Path

import numpy as np
from pydicom.uid import SecondaryCaptureImageStorage

from helpers.data.frames.frame import Frame
from tests.support.dicom_files import angiogram, write

_FACTS = {
    "SOPClassUID": SecondaryCaptureImageStorage,
    "StudyInstanceUID": "2.25.71",
    "SeriesInstanceUID": "2.25.72",
    "FrameOfReferenceUID": "2.25.73",
    "PixelSpacing": [1, 1],
    "PatientName": "Synthetic",
    "PatientID": "S1",
    "PatientBirthDate": "",
    "InstitutionName": None,
    "SliceThickness": "1",
    "StudyDate": "",
    "StudyTime": "",
    "StudyID": "",
    "AccessionNumber": "",
    "ReferringPhysicianName": "",
    "PatientSex": "",
    "Manufacturer": "",
    "PatientOrientation": ["L", "P"],
    "SeriesNumber": "1",
}


def placed_frames(folder: Path, count: int, height: int, width: int, **fields: object) -> list[Frame]:
    """Frames of single-frame files `00.dcm` and on, one above the other, always under the same UIDs."""
    frames = []
    for place in range(count):
        own = {"InstanceNumber": str(place + 1), **_plane(place), **fields}
        dataset = angiogram(
            np.full((height, width), place),
            8,
            **_FACTS,
            **{name: value for name, value in own.items() if value is not None},
        )
        uid = f"2.25.8{place}"
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        path = write(folder / f"{place:02d}.dcm", dataset)
        frames.append(Frame(f"case-{place}", path))
    return frames


def _plane(place: int) -> dict[str, object]:
    return {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "ImagePositionPatient": [0, 0, place]}
