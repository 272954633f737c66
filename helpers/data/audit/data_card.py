"""The card of a data set: what it holds, in numbers, for who is to use it or a model that was trained on it.

It names no file, no case and no patient.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median

from helpers.core.atomic import write_text_atomic
from helpers.core.card_parts import CARD_NAME, NOT_TOLD, marked, one_line, rewrite, with_part
from helpers.core.errors import UsageProblem
from helpers.core.shown_text import counted, markdown_table
from helpers.data.audit.audit import AuditReport
from helpers.data.cases import Case
from helpers.data.dataset import Dataset
from helpers.data.frames.dicom_header import is_dicom
from helpers.data.frames.frame import Frame, listing_sha256
from helpers.data.frames.image_reading import UNIT, image_depth
from helpers.data.groups.case_groups import UNKNOWN, CaseGroups, GroupSource, case_groups
from helpers.data.ids.privacy import may_name_a_person
from helpers.data.rules import TRUTH_RULES

_PART = "data"
# Columns, or words of DICOM headers, that say how frames came about and name nobody.
_GROUPS = ("view", "vendor")
_PLACE = re.compile(r"[/~\\]|[A-Za-z]:[/\\]")  # on a machine
# Words of HuggingFace's Hub for how many frames there are: those of the first number that is larger.
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (math.inf, "n>1M"))
_KNOWN_SIZE = re.compile(
    rf"^(size_categories:\r?\n- )(?:{'|'.join(re.escape(name) for _, name in _SIZES)})(?=\r?$)", re.MULTILINE
)
_FRAME = """\
---
task_categories:
- image-segmentation
tags:
- medical
- vesselkit
size_categories:
- {size}
---

# Data set card

Frames for the segmentation of blood vessels. Not for clinical use.

## What it holds

{facts}

## What people must say

Nobody can tell this from the files. Write here: where and when the frames come from, on which devices, who drew the
masks and how, what patients or the ethics committee allowed, who may use it and under which licence (`license:` at the
head of this file), and what it must not be used for."""


def write_card(dataset: Dataset, report: AuditReport, folder: Path) -> Path:
    """Write the card into a folder; of an earlier one the kit's own part and size are written anew, the rest stays.

    Returns:
        The file.
    """
    path, facts = folder / CARD_NAME, facts_text(dataset, report)
    size = next(name for most, name in _SIZES if report.cases < most)
    if path.is_file():
        rewrite(path, lambda card: with_part(_KNOWN_SIZE.sub(rf"\g<1>{size}", card, count=1), _PART, facts))
    else:
        write_text_atomic(path, _FRAME.format(size=size, facts=marked(_PART, facts)) + "\n")
    return path


def facts_text(dataset: Dataset, report: AuditReport) -> str:
    """The part of a card that the kit writes: tables of numbers."""
    frames = dataset.frames
    rows = [
        ("frames", str(len(frames))),
        ("with ground truth", str(report.truths)),
        ("sequences", _number(frame.sequence for frame in frames)),
        ("patients", _number(_patients(dataset, frames))),
        ("frames of a patient", _spread(_patients(dataset, frames))),
        ("layout", f"`{dataset.layout}`"),
        ("case ids", dataset.ids.value),
        ("labels", _labels(dataset)),
        ("fingerprint of the pixels", NOT_TOLD if report.pixels_sha256 is None else f"`{report.pixels_sha256}`"),
        ("fingerprint of ids, groups and splits", f"`{listing_sha256(frames)}`"),
    ]
    parts = [markdown_table(("fact", "value"), rows), _splits(dataset)]
    parts += [_groups(dataset, name) for name in _GROUPS]
    parts += [
        _counted("size in pixels", report.sizes),
        _counted("depth", Counter(_depth(case) for case in dataset.cases)),
        _findings(report),
    ]
    return "\n".join(part for part in parts if part).rstrip()


def _patients(dataset: Dataset, frames: Iterable[Frame]) -> list[str | None]:
    """Of each frame, its patient, several spellings of one counted as one."""
    united = dataset.people.spellings.united
    return [None if frame.patient is None else united.get(frame.patient, frame.patient) for frame in frames]


def _number(units: Iterable[str | None]) -> str:
    """How many different ones; where some are unknown it says so."""
    known = list(units)
    lacking = sum(unit is None for unit in known)
    if lacking == len(known):
        return UNKNOWN
    number = str(len(set(known) - {None}))
    return f"{number}, and {counted(lacking, 'frame')} of unknown ones" if lacking else number


def _spread(patients: Sequence[str | None]) -> str:
    frames = sorted(Counter(patient for patient in patients if patient is not None).values())
    return f"{frames[0]} to {frames[-1]}, median {median(frames):g}" if frames else UNKNOWN


def _labels(dataset: Dataset) -> str:
    """What is vessel, as it was decided or found; and whether the kit exported the masks."""
    said = []
    if dataset.undecided is not None:
        said.append("undecided: the ground truth cannot be used yet")
    elif dataset.labels is not None and dataset.labels.text:
        said.append(one_line(dataset.labels.text))
    decided = dataset.rules.decided()
    for name in TRUTH_RULES:
        if name in decided:
            value = decided[name]
            said.append(f"{name}: {one_line(', '.join(value) if isinstance(value, tuple) else str(value))}")
    if dataset.exported is not None:
        said.append("masks that vesselkit exported (`exported.json`)")
    return "; ".join(said) or ("vessel or background" if any(case.truth for case in dataset.cases) else "none")


def _splits(dataset: Dataset) -> str:
    by_split: dict[str | None, list[Frame]] = defaultdict(list)
    for frame in dataset.frames:
        by_split[frame.split].append(frame)
    if set(by_split) == {None}:
        return "No split is kept with the data."
    sealed = () if dataset.rules.split is None else dataset.rules.split.sealed
    rows = [
        (
            UNKNOWN if name is None else one_line(name) + (" (sealed)" if name in sealed else ""),
            str(len(frames)),
            _number(frame.sequence for frame in frames),
            _number(_patients(dataset, frames)),
        )
        for name, frames in sorted(by_split.items(), key=lambda one: (one[0] is None, one[0] or ""))
    ]
    return "\n" + markdown_table(("split", "frames", "sequences", "patients"), rows)


def _groups(dataset: Dataset, name: str) -> str:
    """Frames and patients by a column, else by a header word; "not told" where nothing says it in words for groups."""
    groups = _groups_of(dataset, f"column:{name}") or _groups_of(dataset, f"dicom:{name}")
    if groups is None:
        return f"\n{name.capitalize()}: {NOT_TOLD}."
    by_value: dict[str | None, list[Frame]] = defaultdict(list)
    for frame in dataset.frames:
        by_value[groups.by_case[frame.case_id]].append(frame)
    rows = [
        (UNKNOWN if value is None else one_line(value), str(len(frames)), _number(_patients(dataset, frames)))
        for value, frames in sorted(by_value.items(), key=lambda one: -len(one[1]))
    ]
    return "\n" + markdown_table((name, "frames", "patients"), rows)


def _groups_of(dataset: Dataset, column: str) -> CaseGroups | None:
    try:
        groups = case_groups(dataset, column)
    except UsageProblem:  # no such column and no such header, or cells that may name somebody
        return None
    # Nobody asked for this column by its name, as with --groups: what is doubtful is left out.
    cells = set(groups.by_case.values()) - {None} if groups.source is GroupSource.CSV else ()
    return None if any(may_name_a_person(cell) or _PLACE.match(cell) for cell in cells if cell) else groups


def _depth(case: Case) -> str:
    """Of a frame as its file holds it, before it is read as 8 bits."""
    frame = case.frame
    if is_dicom(frame.path):
        return "DICOM, as each header says"
    if frame.index is not None:
        return "8 bits, of a video"
    depth = image_depth(frame.path)
    if depth is None:
        return "8 bits"
    if depth.full_scale is not None:
        return f"0 to {depth.full_scale}"
    return "floats of 0 to 1" if frame.bits == UNIT else f"{frame.bits} bits"


def _counted(title: str, numbers: Mapping[str, int]) -> str:
    ordered = sorted(numbers.items(), key=lambda one: -one[1])
    return "\n" + markdown_table((title, "frames"), [(name, str(number)) for name, number in ordered])


def _findings(report: AuditReport) -> str:
    kinds = Counter((found.severity.value, found.kind) for found in report.findings)
    if not kinds:
        return "\nThe check found nothing."
    rows = [(severity, f"`{kind}`", str(number)) for (severity, kind), number in kinds.items()]
    return "\n" + markdown_table(("the check found", "kind", "times"), rows)
