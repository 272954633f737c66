"""A DICOM file opened with pydicom, also without the preamble and its marker, as some archives and stations write it.

pydicom is imported when the first file is read: only they need it. A file without the marker is read only where it
proves itself: a header that states what it is, and pixel data of the very length that the header promises. Compressed
ones without a file header do not say how, and are not read.
"""

import logging
import re
import struct
import warnings
import zlib
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

from helpers.core.extras import needed

__all__ = ["dicom_errors", "is_bare_dicom", "looks_bare", "open_dicom", "pydicom"]

_ERRORS = (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError, EOFError)

_PREAMBLE = bytes(128) + b"DICM"
_START = 16
_FILE_GROUP, _FIRST_GROUP = 0x0002, 0x0008
_MOST_FIRST = 0x0018  # elements that a data set may begin with
_VR = re.compile(rb"[A-Z]{2}")
_LONGEST = 1 << 12  # of a first element
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_META = 4096
_MOST_BYTES = 2_000_000_000
_NEEDED = ("SOPClassUID", "Modality", "Rows", "Columns", "BitsAllocated", "PixelData")
_COUNTED = ("SamplesPerPixel", "NumberOfFrames", "PhotometricInterpretation")


# Its warnings and log lines quote values of headers.
warnings.filterwarnings("ignore", module=r"pydicom\b")
logging.getLogger("pydicom").setLevel(logging.CRITICAL)


@cache
def pydicom() -> ModuleType:
    """The package, with what is used of it.

    Raises:
        UsageProblem: where it is not installed.
    """
    library = needed("pydicom")
    for name in ("config", "dataset", "encaps", "errors", "filereader", "filewriter", "pixels", "uid"):
        needed(f"pydicom.{name}")
    library.config.settings.reading_validation_mode = library.config.IGNORE
    return library


def dicom_errors() -> tuple[type[Exception], ...]:
    """What pydicom and its decoders raise on damaged or hostile files."""
    own = pydicom().errors
    return (own.InvalidDicomError, own.BytesLengthException, *_ERRORS, struct.error, zlib.error)


def looks_bare(path: Path) -> bool:
    """Whether a file begins as a DICOM data set or file header does, without the marker in front."""
    try:
        if not Path(path).is_file():
            return False
        with Path(path).open("rb") as file:
            start = file.read(_START)
    except OSError:
        return False
    if len(start) < _START:
        return False
    group, element, length = struct.unpack("<HHL", start[:8])
    if group not in {_FILE_GROUP, _FIRST_GROUP} or element > _MOST_FIRST:
        return False
    return bool(_VR.fullmatch(start[4:6])) or length <= _LONGEST


def is_bare_dicom(path: Path) -> bool:
    """Whether a file without the marker is a DICOM image beyond doubt."""
    if not looks_bare(path):
        return False
    try:
        state = Path(path).stat()
        return _is_proven(Path(path), state.st_size, state.st_mtime_ns)
    except OSError:
        return False


def open_dicom(path: Path) -> BinaryIO:
    """The bytes of a DICOM file, with a preamble and file header where it lacks them."""
    return BytesIO(_completed(path)) if is_bare_dicom(path) else path.open("rb")


@lru_cache(maxsize=4096)
def _is_proven(path: Path, size: int, changed: int) -> bool:
    """As `is_bare_dicom`; `changed` is there so that a file that was written again is looked at again."""
    if size > _MOST_BYTES:
        return False
    try:
        content = _completed(path)
        if _DEFLATED in content[:_META]:  # inflated as a whole, so that its size cannot be bounded
            return False
        header = pydicom().dcmread(BytesIO(content), specific_tags=list(_NEEDED + _COUNTED))
        if header.file_meta.TransferSyntaxUID.is_encapsulated:
            return all(keyword in header for keyword in _NEEDED)
        samples = 2 if header.get("PhotometricInterpretation") == "YBR_FULL_422" else int(header.SamplesPerPixel)
        frames = int(header.get("NumberOfFrames") or 1)
        promised = header.Rows * header.Columns * samples * int(header.BitsAllocated) // 8 * frames
        return bool(header.SOPClassUID.is_valid and promised) and len(header.PixelData) == promised + promised % 2
    except _ERRORS:
        return False


def _completed(path: Path) -> bytes:
    """The file with what stands in front of a data set; a file header of its own is kept."""
    content = path.read_bytes()
    if struct.unpack("<H", content[:2])[0] == _FILE_GROUP:
        return _PREAMBLE + content
    uid, meta = pydicom().uid, pydicom().dataset.FileMetaDataset()
    is_explicit = _VR.fullmatch(content[4:6])
    meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian if is_explicit else uid.ImplicitVRLittleEndian
    head = BytesIO()
    pydicom().filewriter.write_file_meta_info(head, meta, enforce_standard=False)
    return _PREAMBLE + head.getvalue() + content
