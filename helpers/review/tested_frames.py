"""Frames that a model is tested on: by the split that is kept with the data, or by the name of a layout's split."""

import re
from collections.abc import Sequence
from dataclasses import replace

from helpers.core.shown_text import counted
from helpers.data.dataset import Dataset
from helpers.data.frames.frame import Frame
from helpers.data.splits.split import Split

_TEST = re.compile(r"(?<![a-z])test", re.IGNORECASE)  # testA, test_1 and my-testing too; not latest


def tested_splits(dataset: Dataset) -> frozenset[str]:
    """The splits that patients are tested on: those named so, and those that the data set's own split seals."""
    splits = {frame.split for frame in dataset.frames if frame.split is not None}
    sealed = () if dataset.rules.split is None else dataset.rules.split.sealed
    return frozenset(name for name in splits if name in sealed or _TEST.search(name) is not None)


def split_of_some(frames: Sequence[Frame], dataset: Dataset) -> Split | None:
    """The split that goes with some frames of a data set; None where there is nothing to hold back.

    It is the one kept with the data, sealed as it was, without patients who have no frame among these. Where only the
    layout states splits, one of them tests, and a frame of it is among these, its patients are sealed.
    """
    kept = dataset.rules.split
    if kept is None or not kept.parts:
        return _of_layout(frames, dataset)
    parts = _parts([frame for frame in frames if frame.split in kept.parts])
    return replace(kept, parts=parts, sealed=tuple(name for name in kept.sealed if name in parts)) if parts else None


def tested_note(frames: Sequence[Frame], dataset: Dataset, split: Split | None) -> str | None:
    """What to say of the frames that test among exported ones; None where there are none.

    Args:
        split: that goes with them; None for a folder that holds none.
    """
    names = tested_splits(dataset)
    tested = [frame for frame in frames if frame.split in names]
    if not tested:
        return None
    sealed = frozenset() if split is None else split.sealed_patients
    free = sum(frame.patient not in sealed for frame in tested)
    said = (
        f"{len(tested)} of {counted(len(frames), 'case')} are of the test split ({', '.join(sorted(names))}): score "
        "with them, do not train on them"
    )
    if not free:
        return f"{said}. Training on this folder is refused unless other parts are named (--split)"
    of = "" if free == len(tested) else f" of {free} of them"
    return f"{said}. Nothing in this folder tells training so{of}: take them out before you train on it"


def _of_layout(frames: Sequence[Frame], dataset: Dataset) -> Split | None:
    """The splits of a layout by patient; one with a frame that tests, even one that is not among these, tests."""
    names, united = tested_splits(dataset), dataset.people.spellings.of
    tested = [frame for frame in dataset.frames if frame.split in names and frame.patient is not None]
    tests = {united(frame.patient): frame.split for frame in tested}
    parts = _parts([replace(frame, split=tests.get(united(frame.patient), frame.split)) for frame in frames])
    sealed = tuple(name for name in parts if name in names)
    return Split(parts, sealed, dataset.key_fingerprint) if sealed else None


def _parts(frames: Sequence[Frame]) -> dict[str, tuple[str, ...]]:
    """The ids of the patients of each split; one with frames of several is of the first."""
    part_of: dict[str, str] = {}
    for frame in frames:
        if frame.split is not None and frame.patient is not None:
            part_of.setdefault(frame.patient, frame.split)
    parts: dict[str, tuple[str, ...]] = {}
    for patient, name in part_of.items():
        parts[name] = (*parts.get(name, ()), patient)
    return parts
