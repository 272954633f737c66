"""Frames of two splits that show the same picture in other pixels: saved with loss, in another size or depth."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from PIL import Image

from helpers.core.shown_text import counted
from helpers.data.audit.findings import AuditFinding, AuditSeverity
from helpers.data.cases import Case

# Means of so many by so many parts of a frame tell it from others; compression moves each by less than a grey or two.
_PARTS, _NEAR = 16, 2.0
_FLAT = 4.0  # standard deviation of the parts, below which a frame shows too little to tell


def picture_of(image: Image.Image) -> np.ndarray:
    """The means of the parts of a frame, float32 (256,), 0 .. 255."""
    small = image.convert("L").resize((_PARTS, _PARTS), Image.Resampling.BOX)
    return np.asarray(small, np.float32).ravel()


def near_copy_findings(cases: Sequence[Case], pictures: Mapping[str, np.ndarray]) -> Iterator[AuditFinding]:
    """One finding for the data set where frames of different splits are nearly the same.

    Args:
        pictures: of cases that were read, by case id, one of each that have equal pixels.
    """
    told = [case for case in cases if case.frame.split is not None and case.case_id in pictures]
    told = [case for case in told if pictures[case.case_id].std() >= _FLAT]
    if len({case.frame.split for case in told}) < 2:
        return
    told.sort(key=lambda case: float(pictures[case.case_id].mean()))
    rows = np.stack([pictures[case.case_id] for case in told])
    splits = np.array([str(case.frame.split) for case in told])
    means = rows.mean(axis=1)
    pairs = []
    for at in range(len(told)):
        until = int(np.searchsorted(means, means[at] + _NEAR, side="right"))
        near = np.abs(rows[at + 1 : until] - rows[at]).max(axis=1) <= _NEAR if until > at + 1 else np.zeros(0, bool)
        pairs += [(at, at + 1 + int(other)) for other in np.flatnonzero(near) if splits[at + 1 + other] != splits[at]]
    if pairs:
        first, second = (told[at].case_id for at in pairs[0])
        said = (
            f"{counted(len({pair[1] for pair in pairs}), 'frame')} nearly the same as a frame of another split, as one "
            f"picture saved with loss or in another size is, such as {second} and {first}"
        )
        advice = "keep the copies, and the patient, in one split only"
        yield AuditFinding(AuditSeverity.WARNING, "near_copy_across_splits", None, said, advice)
