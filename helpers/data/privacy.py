"""Signs of patient data in file names and DICOM headers. What was found is told by its kind, never repeated."""

import re
from pathlib import Path

from helpers.images.dicom_header import dicom_facts, is_dicom
from helpers.images.reading import UnreadableImage

_PATTERNS = {
    "a family and a given name": re.compile(r"(?<![A-Za-z])[A-Z][a-z]+[_ ,]+[A-Z](?:[a-z]+|(?![A-Za-z0-9]))"),
    "a number in brackets": re.compile(r"\(\d{6,}\)"),
    "a DICOM person name (^)": re.compile(r"\^"),
    "a date": re.compile(
        r"(?<!\d)(?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?!\d)"
        r"|(?<!\d)(?:0?[1-9]|[12]\d|3[01])([-_.])(?:0?[1-9]|1[0-2])\2(?:19|20)\d\d(?!\d)"
    ),
    "a long number": re.compile(r"(?<!\d)\d{7,}(?!\d)"),
}


def name_signs(name: str) -> tuple[str, ...]:
    """Kinds of patient data that a file's name or path may hold, such as `a date`; empty where it seems plain."""
    return tuple(kind for kind, pattern in _PATTERNS.items() if pattern.search(name))


def header_signs(path: Path) -> tuple[tuple[str, ...], bool | None]:
    """Identifying header fields that are filled, by their DICOM keywords, and whether text is burned into the pixels.

    Returns:
        The keywords, empty for what is no readable DICOM file; and BurnedInAnnotation, None where nothing is said.
    """
    if not is_dicom(path):
        return (), None
    try:
        facts = dicom_facts(path)
    except UnreadableImage:
        return (), None
    return facts.identity_fields, facts.burned_in
