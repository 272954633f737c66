"""Masks that were corrected in another program become a reader's corrections."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helpers.core.errors import RefusedInput
from helpers.core.paths import plain_name
from helpers.core.progress import track
from helpers.core.vocabulary import BeganFrom, Exchange
from helpers.data.exchange.exchange_formats import read_masks
from helpers.data.exchange.file_matching import match
from helpers.data.frames.image_reading import natural_key
from helpers.review.corrections.beginnings import Beginning, beginning
from helpers.review.corrections.record import CorrectionTool, standing
from helpers.review.corrections.store import CorrectionStore
from helpers.review.review_source import ReviewSource


@dataclass(frozen=True)
class TakenOver:
    """What became of the masks.

    Attributes:
        saved: ids of the cases that got a correction.
        unchanged: ids of cases whose mask is what it began from, which says nothing of whether anybody looked at it.
        known: ids of cases whose mask is the reader's correction already.
        strays: number of masks that belong to no case of the run.
        untouched: number of images that nothing was drawn on.
        notes: what else was found.
    """

    saved: tuple[str, ...]
    unchanged: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    strays: int = 0
    untouched: int = 0
    notes: tuple[str, ...] = ()

    def to_text(self) -> str:
        """What to tell the user."""
        lines = [f"{len(self.saved)} corrections kept"]
        if self.known:
            lines.append(f"{len(self.known)} are there already")
        if self.unchanged:
            lines.append(f"{len(self.unchanged)} masks are as they were, and are no corrections")
        if self.untouched:
            lines.append(f"{self.untouched} images without a shape: whether they are empty or undone is not certain")
        if self.strays:
            lines.append(f"{self.strays} masks of no case of this run")
        return "\n".join((*lines, *self.notes))


def take_over(
    path: Path, kind: Exchange, source: ReviewSource, store: CorrectionStore, reviewer: str, began_from: BeganFrom
) -> TakenOver:
    """Keep the masks of a folder as corrections of a run's cases. All are checked before the first is kept.

    Args:
        path: folder or annotation file of another program.
        began_from: what the reader began with there.
    Raises:
        UsageProblem: for a reader whose name cannot be a folder's, or a case without such a mask to begin from.
        RefusedInput: where masks are not certain, of another size than their frames, or of several cases.
    """
    plain_name(reviewer, "reviewer")
    given = read_masks(path, kind)
    reads = {f"{one.name}.png": one.read for one in given.masks}
    if len(reads) < len(given.masks):
        raise RefusedInput(f"{path}: expected one mask for each image, found several of one name. Export it again")
    predicted = {case.case_id for case in source.cases}
    frames = [frame for frame in source.dataset.frames if frame.case_id in predicted]
    matched, strays = match(frames, source.dataset.root, list(reads))
    if reads and not matched:
        raise RefusedInput(
            f"{path}: expected masks named as the frames of the run or by case id, found {len(reads)}, none of a case. "
            "Check the folder and --data"
        )
    own = sorted((one for one in store.records() if one.reviewer == reviewer), key=lambda one: one.moment)
    kept_by_case = standing(own).get(reviewer, {})
    changed: list[str] = []
    unchanged: list[str] = []
    known: list[str] = []
    for case_id in track(sorted(matched, key=natural_key), "check", unit="case"):
        start, mask = _begun(source, case_id, began_from, reads[matched[case_id]](), path)
        record = start.record(reviewer, mask)
        kept = kept_by_case.get(case_id)
        if kept is not None and (kept.mask_sha256, kept.image_sha256) == (record.mask_sha256, record.image_sha256):
            known.append(case_id)
        elif np.array_equal(mask, start.mask):
            unchanged.append(case_id)
        else:
            changed.append(case_id)
    for case_id in track(changed, "import", unit="case"):
        start, mask = _begun(source, case_id, began_from, reads[matched[case_id]](), path)
        own.append(start.record(reviewer, mask, tools=[CorrectionTool.ELSEWHERE], after=own[-1:]))
        store.save(own[-1], mask)
    return TakenOver(tuple(changed), tuple(unchanged), tuple(known), strays, given.untouched, given.notes)


def _begun(
    source: ReviewSource, case_id: str, began_from: BeganFrom, mask: np.ndarray, path: Path
) -> tuple[Beginning, np.ndarray]:
    """Where the correction of a case began, and its mask, which must be of the frame's size."""
    start = beginning(source, case_id, began_from)
    if mask.shape != start.mask.shape:
        (height, width), (expected_height, expected_width) = mask.shape, start.mask.shape
        raise RefusedInput(
            f"{path}: case {case_id}: expected a mask of {expected_width}x{expected_height} pixels as its frame has, "
            f"found {width}x{height}. Export it at the frame's size"
        )
    return start, mask
