"""DICOM files for tests: made-up angiograms with planted identity."""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, XRayAngiographicImageStorage, generate_uid

PLANTED = ("Quibblewick", "PID-77123", "Sanatorium Nowhere", "19431224")


def angiogram(values: np.ndarray, bits: int = 10, photometric: str = "MONOCHROME2", **fields: object) -> Dataset:
    """A data set whose stored values are `values` (frames, H, W) or (H, W), or (H, W, 3) for RGB.

    `fields` are set last, by keyword; None takes a field away.
    """
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = XRayAngiographicImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    dataset.Modality = "XA"
    dataset.PatientName, dataset.PatientID = f"{PLANTED[0]}^Zeno", PLANTED[1]
    dataset.InstitutionName, dataset.PatientBirthDate = PLANTED[2], PLANTED[3]
    in_colour = photometric not in {"MONOCHROME1", "MONOCHROME2"}
    if values.ndim == 3 and not in_colour:
        dataset.NumberOfFrames = len(values)
    rows, columns = values.shape[:2] if in_colour else values.shape[-2:]
    dataset.Rows, dataset.Columns = rows, columns
    dataset.SamplesPerPixel = 3 if in_colour else 1
    if in_colour:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = 8 if bits <= 8 else 16
    dataset.BitsStored, dataset.HighBit = bits, bits - 1
    is_signed = fields.get("PixelRepresentation", 0)
    dataset.PixelRepresentation = is_signed
    kind = ("i" if is_signed else "u") + str(dataset.BitsAllocated // 8)
    pixels = values.astype(f"<{kind}").tobytes()
    dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)
    dataset["PixelData"].VR = "OB" if bits <= 8 else "OW"
    for keyword, value in fields.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def write(path: Path, dataset: Dataset, compression: UID | None = None) -> Path:
    """Write `dataset` as a Part 10 file, compressed by pydicom where asked for."""
    if compression is not None:
        dataset.compress(compression)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path
