"""Signs of patient data in file names and DICOM headers. What was found is told by its kind, never repeated."""

import re
from pathlib import Path

from helpers.data.frames.dicom_header import DicomFacts, dicom_facts, is_dicom
from helpers.data.frames.image_reading import UnreadableImage

_PERSON = "a family and a given name"
_PATTERNS = {
    _PERSON: re.compile(r"(?<![A-Za-z])[A-Z][a-z]+[_ ,]+[A-Z](?:[a-z]+|(?![A-Za-z0-9]))"),
    "a number in brackets": re.compile(r"\(\d{6,}\)"),
    "a DICOM person name (^)": re.compile(r"\^"),
    "a date": re.compile(
        r"(?<!\d)(?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])(?!\d)"
        r"|(?<!\d)(?:0?[1-9]|[12]\d|3[01])([-_.])(?:0?[1-9]|1[0-2])\2(?:19|20)\d\d(?!\d)"
    ),
    "an e-mail address": re.compile(r"[\w.+-]@[^\W\d_][\w-]*\.[\w.-]*[^\W\d_]{2,}"),
    "a long number": re.compile(r"(?<!\d)\d{7,}(?!\d)"),
}


# Two words side by side, of letters alone; what stands in _PLAIN is not a person's name.
_WORDS = re.compile(r"(?<![^\W_])(?=([^\W\d_]{3,})[_ ,.-]+([^\W\d_]{3,})(?![^\W_]))")
_PLAIN = frozenset(
    ("image", "images", "img", "imgs", "frame", "frames", "picture", "pictures", "photo", "scan", "slice", "file")
    + ("original", "raw", "data", "dataset", "set", "sample", "samples", "demo", "example", "synthetic", "phantom")
    + ("train", "training", "val", "valid", "validation", "test", "testing", "split", "fold", "part", "batch", "group")
    + ("mask", "masks", "label", "labels", "seg", "segmentation", "segmentations", "ground", "truth", "groundtruth")
    + ("annotation", "annotations", "manual", "prediction", "predictions", "result", "results", "overlay", "new", "old")
    + (
        "patient",
        "patients",
        "pat",
        "case",
        "cases",
        "subject",
        "sub",
        "study",
        "series",
        "sequence",
        "seq",
        "run",
        "cine",
    )
    + ("angio", "angios", "angiogram", "angiograms", "angiography", "xray", "ray", "dsa", "fluoro", "dicom", "video")
    + ("vessel", "vessels", "artery", "arteries", "vein", "coronary", "main", "stem", "branch", "catheter", "stent")
    + ("stenosis", "lesion", "lesions", "occlusion", "normal", "healthy", "disease", "good", "bad", "pre", "post")
    + ("left", "right", "anterior", "posterior", "descending", "circumflex", "diagonal", "marginal", "septal", "distal")
    + ("proximal", "mid", "lao", "rao", "cranial", "caudal", "spider", "lateral", "view", "views", "projection")
    + ("aorta", "aortic", "root", "anonymous", "anonymized", "unknown", "without", "key", "background")
    + ("lca", "rca", "lad", "lcx", "lmca", "ramus", "heart", "cardiac", "contrast", "injection", "balloon", "wire")
    + (
        "retina",
        "retinal",
        "fundus",
        "eye",
        "image",
        "and",
        "with",
        "the",
        "for",
        "ppa",
        "psa",
        "gray",
        "grey",
        "color",
    )
    + (
        "png",
        "jpg",
        "jpeg",
        "tif",
        "tiff",
        "bmp",
        "gif",
        "pgm",
        "ppm",
        "pnm",
        "pbm",
        "webp",
        "dcm",
        "avi",
        "mov",
        "mkv",
    )
    + ("center", "centre", "site", "hospital", "clinic", "cohort", "copy", "final", "full", "small", "large", "size")
)


# Who makes machines, in words that could be two names of a person.
_MAKERS = frozenset(
    ("siemens", "healthineers", "philips", "general", "electric", "healthcare", "medical", "systems")
    + ("canon", "toshiba", "shimadzu", "united", "imaging", "hitachi", "fujifilm", "ziehm", "corporation")
)


def name_signs(name: str) -> tuple[str, ...]:
    """Kinds of patient data that a file's name or path may hold, such as `a date`; empty where it seems plain."""
    signs = [kind for kind, pattern in _PATTERNS.items() if pattern.search(name)]
    stem = re.sub(r"\.[A-Za-z0-9]{2,5}$", "", name)
    if _PERSON not in signs and _has_two_names(stem, _PLAIN):
        signs.insert(0, _PERSON)
    return tuple(signs)


def tells_of_a_person(text: str) -> bool:
    """Whether a text holds a date, a long number, a mail address or a DICOM name. `Left Main` tells of none."""
    return any(pattern.search(text) for kind, pattern in _PATTERNS.items() if kind != _PERSON)


def may_name_a_person(text: str) -> bool:
    """Whether a view or vendor may name somebody: two words side by side, neither usual nor a maker's, are enough."""
    return tells_of_a_person(text) or _has_two_names(text, _PLAIN | _MAKERS)


def _has_two_names(text: str, plain: frozenset[str]) -> bool:
    pairs = (match.groups() for match in _WORDS.finditer(text))
    return any(plain.isdisjoint(map(str.casefold, pair)) for pair in pairs)


def header_signs(path: Path) -> tuple[tuple[str, ...], bool | None]:
    """Identifying header fields that are filled, by their DICOM keywords, and whether text is burned into the pixels.

    Returns:
        The keywords, empty for anything but a readable DICOM file; and BurnedInAnnotation, None where nothing is said.
    """
    facts = header_facts(path)
    return ((), None) if facts is None else (facts.identity_fields, facts.burned_in)


def header_facts(path: Path) -> DicomFacts | None:
    """What the header of a DICOM file says; None where it cannot be read as one."""
    if not is_dicom(path):
        return None
    try:
        return dicom_facts(path)
    except UnreadableImage:
        return None
