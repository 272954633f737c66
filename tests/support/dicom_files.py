"""DICOM files for tests: made-up angiograms with planted identity."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, XRayAngiographicImageStorage, generate_uid

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
        dataset.compress(compression, encoding_plugin="pydicom")  # gdcm aborts on odd numbers of bytes
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def gdcm_lossless_jpeg(source, target, kind="JPEGLosslessProcess14_1"):
    """Compress a written file by gdcm, since pydicom has no encoder for lossless JPEG and JPEG-LS."""
    gdcm = pytest.importorskip("gdcm")
    reader = gdcm.ImageReader()
    reader.SetFileName(str(source))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, kind)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(target))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return target


def jpeg_2000(values: np.ndarray, bits: int) -> Dataset:
    """A data set of one frame (H, W) in lossless JPEG 2000."""
    dataset = angiogram(values, bits)
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    dataset.PixelData = encapsulate([jpeg_2000_bytes(values, bits)])
    return dataset


def jpeg_2000_bytes(values: np.ndarray, bits: int) -> bytes:
    """A lossless codestream of grey values (H, W), encoded by FFmpeg, since pydicom has no encoder."""
    pixels = {8: "gray", 10: "gray10le", 12: "gray12le", 14: "gray14le", 16: "gray16le"}[bits]
    encoder = av.CodecContext.create("jpeg2000", "w")
    encoder.height, encoder.width = values.shape
    encoder.pix_fmt, encoder.time_base = pixels, Fraction(1)
    encoder.options = {"format": "j2k", "pred": "dwt53"}
    frame = av.VideoFrame.from_ndarray(values.astype(np.uint8 if bits == 8 else np.uint16), format=pixels)
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
