"""pydicom, imported when the first DICOM file is read: only they need it."""

import logging
import struct
import warnings
import zlib
from functools import cache
from types import ModuleType

from helpers.core.extras import needed

__all__ = ["dicom_errors", "pydicom"]

_ERRORS = (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError, EOFError)


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
