"""Masks that were corrected in another program become a reader's corrections."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from pathlib import Path

import numpy as np

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.paths import plain_name
from helpers.core.progress import track
from helpers.core.shown_text import counted
from helpers.core.vocabulary import BEGAN_ELSEWHERE, BeganFrom, Exchange
from helpers.data.exchange.exchange_formats import read_masks
from helpers.data.exchange.exchanged import AS_LABELLED, VesselChoice
from helpers.data.exchange.file_matching import match, told_strays
from helpers.data.exported_masks import EXPORTED_NAME, ExportedMask, ExportedMasks, MaskOrigin, exported_above
from helpers.data.frames.image_reading import natural_key
from helpers.data.truth.full_masks import full_warning
from helpers.metrics.case_scores import mask_digest
from helpers.metrics.overlap import count_pixels, dice
from helpers.review.corrections.beginnings import Beginning, beginning
from helpers.review.corrections.origins import any_seen, with_all_of, with_exported, with_imported, with_origins
from helpers.review.corrections.record import CorrectionRecord, CorrectionTool, standing
from helpers.review.corrections.store import CorrectionStore
from helpers.review.kit_folders import UNCORRECTED, require_corrected_masks
from helpers.review.review_source import ReviewSource

_APART = 0.1  # Dice with the mask that it is said to begin from, below which hardly anything of it is left
_UNDO = "To undo: import the right masks, which take their place, or take a correction back in the viewer (X)"


class MaskFate(StrEnum):
    """What became of an imported mask of a case."""

    KEPT = "kept"  # it is the reader's correction now
    KNOWN = "known"  # it is the reader's correction already
    TAKEN_BACK = "taken back"  # it is what it began from again, and an earlier correction was taken back
    NEWER = "newer"  # what is kept of the case was drawn in the viewer and not sent with the masks, so that it stays
    UNCHANGED = "unchanged"  # it is what it began from, which says nothing of whether anybody looked at it
    PREDICTED = "predicted"  # it is the run's own, though it is said to have begun otherwise


_SAID = {
    MaskFate.KNOWN: "{number} there already",
    MaskFate.TAKEN_BACK: "{earlier} taken back, where the imported mask is what it began from again ({listed})",
    MaskFate.NEWER: (
        "{number} left out: the correction that is kept of the case was drawn in the viewer and was not sent with "
        "these masks, so it stays ({listed}). To have the imported mask of one in its place, take that correction "
        "back in the viewer (X) and import again"
    ),
    MaskFate.UNCHANGED: "{masks} without a change: no correction",
    MaskFate.PREDICTED: (
        "{masks} as the run predicted, to the pixel, whatever is said to be the beginning: no correction ({listed})"
    ),
}


@dataclass(frozen=True)
class TakenOver:
    """What became of the masks.

    Attributes:
        fates: by case id, in natural order.
        strays: number of masks that belong to no case of the run.
        notes: what else was found, and how many images nothing was drawn on.
        told_strays: which they are, for the user alone.
    """

    fates: Mapping[str, MaskFate]
    strays: int = 0
    notes: tuple[str, ...] = ()
    told_strays: str = field(default="", repr=False)

    @property
    def any_stands(self) -> bool:
        """Whether a correction of the reader stands of any of these cases."""
        return any(self.of(fate) for fate in (MaskFate.KEPT, MaskFate.KNOWN, MaskFate.NEWER))

    def of(self, fate: MaskFate) -> tuple[str, ...]:
        """Ids of the cases whose mask had this fate."""
        return tuple(case_id for case_id, own in self.fates.items() if own is fate)

    def to_text(self) -> str:
        """What to tell the user."""
        changed = self.any_stands or self.of(MaskFate.TAKEN_BACK)
        lines = [
            f"{counted(len(self.of(MaskFate.KEPT)), 'correction')} kept{'' if changed else ': change a mask first'}"
        ]
        for fate, words in _SAID.items():
            case_ids = self.of(fate)
            number = len(case_ids)
            masks, earlier = counted(number, "mask"), counted(number, "earlier correction")
            if case_ids:
                lines.append(words.format(number=number, masks=masks, earlier=earlier, listed=_listed(case_ids)))
        if self.strays:
            lines.append(f"{counted(self.strays, 'mask')} of no case of this run{self.told_strays}")
        return "\n".join((*lines, *self.notes))


def _listed(case_ids: Sequence[str]) -> str:
    return ", ".join(case_ids[:5]) + (" and more" if len(case_ids) > 5 else "")


def take_over(
    path: Path,
    kind: Exchange,
    source: ReviewSource,
    store: CorrectionStore,
    reviewer: str,
    began_from: BeganFrom,
    choice: VesselChoice = AS_LABELLED,
) -> TakenOver:
    """Keep the masks of a folder as corrections of a run's cases. All are checked before the first is kept.

    Where the kit exported the masks, its record beside them says what the reader began with. A mask that is what it
    began from again takes the reader's earlier correction of the case back. A correction that was drawn in the viewer
    is replaced or taken back only where that record shows that it was sent. A mask that the run predicted, to the
    pixel, is no correction, whatever it is said to have begun from; an empty one may be.

    Args:
        path: folder or annotation file of another program.
        began_from: what the reader began with there.
        choice: what the user says of the masks.
    Raises:
        UsageProblem: for a reader whose name cannot be a folder's, or a case without such a mask to begin from; where
            the viewer keeps a correction of a case meanwhile, too, and then the cases before it are kept.
        RefusedInput: for a folder that the kit wrote and nobody corrected; where masks are not certain, of another size
            than their frames, or of several cases, or were exported from another run or prompt, or from a prediction
            that is another one now.
    """
    require_corrected_masks(path)
    plain_name(reviewer, "reviewer")
    if began_from not in BEGAN_ELSEWHERE:
        raise UsageProblem(f"began_from: expected one of {', '.join(BEGAN_ELSEWHERE)}, got {began_from}")
    given = read_masks(path, kind, source.dataset.frames, choice)
    if given.of_run:
        raise RefusedInput(
            f"{path}: expected masks that a reader corrected, found a run's own coco.json. {UNCORRECTED}"
        )
    reads = {f"{one.name}.png": one.read for one in given.masks}
    if len(reads) < len(given.masks):
        raise RefusedInput(f"{path}: expected one mask for each image, found several of one name. Export it again")
    predicted = {case.case_id for case in source.cases}
    # Among all frames of the data set: a mask of a frame that the run does not have is no other frame's.
    of_set, strays = match(source.dataset.frames, source.dataset.root, list(reads), stated=given.stated)
    matched = {case_id: name for case_id, name in of_set.items() if case_id in predicted}
    strays += len(of_set) - len(matched)
    if reads and not matched:
        raise RefusedInput(
            f"{path}: expected masks named as the frames of the run or by case id, found {len(reads)}, none of a case. "
            "Check the folder and --data"
        )
    exported = exported_above(path)
    if exported is not None:
        _require_same_beginning(path, exported, matched, source, began_from)
    all_known = {one.id: one for one in store.records()}
    own = sorted((one for one in all_known.values() if one.reviewer == reviewer), key=lambda one: one.moment)
    last = {one.case_id: one for one in own}
    kept_by_case = standing(own).get(reviewer, {})
    fates, shares, apart = dict[str, MaskFate](), dict[str, float](), dict[str, float]()
    for case_id in track(sorted(matched, key=natural_key), "check", unit="case"):
        start, mask = _begun(source, case_id, began_from, reads[matched[case_id]](), path)
        record = start.record(reviewer, mask)
        kept, sent = kept_by_case.get(case_id), None if exported is None else exported.masks.get(case_id)
        fates[case_id] = _fate(record, kept, sent, is_start=np.array_equal(mask, start.mask))
        if fates[case_id] is MaskFate.KEPT and mask.any() and record.mask_sha256 == _predicted_digest(source, case_id):
            fates[case_id] = MaskFate.PREDICTED
        if fates[case_id] is MaskFate.KEPT:
            shares[case_id] = float(mask.mean())
            if mask.any() and start.mask.any():
                apart[case_id] = dice(count_pixels(start.mask, mask))
            if sent is not None:
                _require_same_mask(path, sent, start)
            _with_earlier(record, kept, sent, all_known)  # what cannot be told is refused before anything is kept
    warnings = [one for one in (full_warning(shares), _apart_warning(apart, began_from)) if one is not None]
    known = {name.removesuffix(".png") for name in matched.values()}
    told = told_strays([one.name for one in given.masks], known, source.dataset.ids)
    notes = (*given.said, *warnings, *([_UNDO] if warnings else ()))
    taken = TakenOver(fates, strays, notes, told)
    for case_id in track(taken.of(MaskFate.KEPT), "import", unit="case"):
        start, mask = _begun(source, case_id, began_from, reads[matched[case_id]](), path)
        seen = True if began_from is BeganFrom.TRUTH else None
        record = start.record(reviewer, mask, tools=[CorrectionTool.ELSEWHERE], truth_seen=seen, after=own[-1:])
        sent = None if exported is None else exported.masks.get(case_id)
        if began_from is BeganFrom.TRUTH and sent is None:
            sent = source.dataset.exported_mask(source.data_cases[case_id])
        record = _with_earlier(record, kept_by_case.get(case_id), sent, all_known)
        own.append(with_imported(record, source.scored_runs))
        store.save(own[-1], mask, partial(_require_same, last.get(case_id)))
    for case_id in taken.of(MaskFate.TAKEN_BACK):
        own.append(beginning(source, case_id, began_from).record(reviewer, None, after=own[-1:]))
        store.save(own[-1], None, partial(_require_same, last.get(case_id)))
    return taken


def _apart_warning(dices: Mapping[str, float], began_from: BeganFrom) -> str | None:
    """What to tell of masks that hardly overlap what they are said to begin from; None where all do.

    Args:
        dices: case id -> Dice of the mask with that one, neither being empty.
    """
    apart = [case_id for case_id, value in dices.items() if value < _APART]
    if not apart:
        return None
    return (
        f"WARNING: {len(apart)} of {counted(len(dices), 'mask')} with a Dice under {_APART} with the {began_from} that "
        f"they are said to begin from ({_listed(apart)}): check whether names are swapped, and --began-from"
    )


def _fate(
    record: CorrectionRecord, kept: CorrectionRecord | None, sent: ExportedMask | None, *, is_start: bool
) -> MaskFate:
    """What becomes of a mask, unless it is the run's own.

    Args:
        record: of the mask, were it kept.
        kept: the reader's correction of the case so far.
        sent: what the kit's record beside the masks says.
        is_start: whether the mask is what it began from.
    """
    if kept is not None and kept.image_sha256 == record.image_sha256:
        if kept.mask_sha256 == record.mask_sha256:
            return MaskFate.KNOWN
        if not _was_sent(kept, sent):
            return MaskFate.NEWER
    if kept is not None and (is_start or record.mask_sha256 == kept.base.mask_sha256):
        return MaskFate.TAKEN_BACK
    if is_start or (sent is not None and record.mask_sha256 == sent.mask_sha256):
        return MaskFate.UNCHANGED
    return MaskFate.KEPT


def _was_sent(kept: CorrectionRecord, sent: ExportedMask | None) -> bool:
    """Whether the other program had a correction that stands: it was sent there, or came from such a one."""
    return kept.tools == (CorrectionTool.ELSEWHERE,) or (sent is not None and sent.mask_sha256 == kept.mask_sha256)


def _require_same(before: CorrectionRecord | None, last: CorrectionRecord | None) -> None:
    """Refuse to write over a record that the reader's viewer kept since the folder was read."""
    if last is not None and last != before:
        raise UsageProblem(
            f"{last.case_id}: the viewer kept a correction of this case meanwhile, which stays. Import again"
        )


def _predicted_digest(source: ReviewSource, case_id: str) -> str | None:
    """Of the mask that the reviewed run predicted for a case; None where there is none."""
    mask = source.scored_runs[0].mask(case_id)
    return None if mask is None else mask_digest(mask)


def _with_earlier(
    record: CorrectionRecord,
    earlier: CorrectionRecord | None,
    sent: ExportedMask | None,
    known: Mapping[str, CorrectionRecord],
) -> CorrectionRecord:
    """A record that says what the mask that was sent and the reader's correction of the frame so far say, too.

    How long the other program was at work is unknown, and so are the seconds of both.

    Args:
        sent: what the kit's record beside the masks says; None where there is none.
        known: all records by id.
    Raises:
        RefusedInput: where that correction was carried from one that is lost.
    """
    seen = [record.truth_seen]
    if sent is not None:
        record = with_exported(record, sent)
        seen += [base.truth_seen for base in sent.bases]
    if earlier is not None and earlier.image_sha256 == record.image_sha256:
        origins = with_origins(earlier, known)
        if origins is None:
            raise RefusedInput(
                f"case {record.case_id}: expected the corrections that {record.reviewer}'s was carried from, found "
                "that one is lost, so that nobody can tell what it began from. Take that correction back in the viewer"
            )
        for one in origins:
            record = with_all_of(record, one)
            seen.append(one.truth_seen)
        record = replace(record, tools=tuple(dict.fromkeys((*earlier.tools, *record.tools))))
    return replace(record, truth_seen=any_seen(seen))


def _require_same_beginning(
    path: Path, exported: ExportedMasks, case_ids: Iterable[str], source: ReviewSource, began_from: BeganFrom
) -> None:
    """Refuse masks that began otherwise than is said, or from a prediction of another run or prompt."""
    config = source.scored_runs[0].run.config.first_sha256
    for case_id in case_ids:
        mask = exported.masks.get(case_id)
        for base in () if mask is None else mask.bases:
            if base.began_from is not began_from:
                # The masks of a data set of corrections are its ground truth; `_require_same_mask` compares them.
                if began_from is BeganFrom.TRUTH and mask is not None and mask.origin is not MaskOrigin.PREDICTED:
                    continue
                raise RefusedInput(
                    f"{path}: case {case_id}: expected masks that began from {began_from}, and {EXPORTED_NAME} beside "
                    f"them says {base.began_from}. Import them as what they began from"
                )
            if began_from is BeganFrom.PREDICTION and (base.config, base.prompt) != (config, source.prompt):
                raise RefusedInput(
                    f"{path}: case {case_id}: expected masks that began from run {_run(source.run, config)}, prompt "
                    f"{source.prompt}, and {EXPORTED_NAME} beside them says run {_run(base.run, base.config)}, prompt "
                    f"{base.prompt}. Name the run and prompt that were exported"
                )


def _require_same_mask(path: Path, sent: ExportedMask, start: Beginning) -> None:
    """Refuse a mask that was drawn on another one than the case would now be said to begin with."""
    if start.base.began_from is BeganFrom.TRUTH:
        began: set[str | None] = {sent.mask_sha256}
    else:
        began = {base.mask_sha256 for base in sent.bases}
    others = sorted(str(one) for one in began - {start.base.mask_sha256})
    if others:
        raise RefusedInput(
            f"{path}: case {start.case_id}: expected a mask that began from the {start.base.began_from} as it is now, "
            f"{str(start.base.mask_sha256)[:12]}, and {EXPORTED_NAME} beside it says {others[0][:12]}: "
            "it was computed again after the export. Export it again and correct that, or move this case's file "
            "out of the folder"
        )


def _run(run: str | None, config: str | None) -> str:
    """A run by the beginnings of its fingerprints."""
    return f"{(run or 'unknown')[:12]} (config {(config or 'unknown')[:12]})"


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
