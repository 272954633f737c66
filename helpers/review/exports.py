"""A run's masks, those to correct, and corrections as files for other tools, with a record of what they are."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from helpers.core.atomic import partial_folder, write_text_atomic
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.progress import track
from helpers.core.vocabulary import BeganFrom, Exchange, Exported
from helpers.data.cases import Case
from helpers.data.exchange.exchange_formats import case_check, write_cases
from helpers.data.exchange.exchanged import SentCase, SentSet
from helpers.data.exported_masks import ExportedMask, ExportedMasks, MaskBase, MaskOrigin, write_exported
from helpers.data.frames.frame_source import pixel_sha256, read_frame
from helpers.data.frames.image_reading import UnreadableImage, natural_key
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.layouts.detection import LAYOUTS
from helpers.data.rule_file import save_rules
from helpers.data.rules import Rules
from helpers.evaluation.scored_runs import require_predicted
from helpers.metrics.case_scores import mask_digest
from helpers.review.corrections.carrying import with_origins
from helpers.review.corrections.merging import Merged, merge, with_accepted
from helpers.review.corrections.record import CorrectionRecord
from helpers.review.corrections.store import CorrectionStore
from helpers.review.review_source import ReviewSource
from helpers.review.verdict_export import LIST_NAME, TABLE_NAME, Verdicts, cases_with, verdict_table
from helpers.review.verdicts import Verdict
from helpers.runs.weights import weights_of

_SENT = {
    Exported.MASKS: SentSet("predicted vessel", "Predictions. They are no ground truth.", False),
    Exported.TO_FIX: SentSet("prediction to correct", "Predictions to be corrected. They are no ground truth.", False),
    Exported.CORRECTIONS: SentSet("vessel", "Masks that people corrected or accepted: see exported.json.", True),
}
# How a data set in a format is read by the kit; None where it is not.
_LAYOUT = {
    Exchange.PNG: "paired",
    Exchange.LABELME: "labelme",
    Exchange.LABELME_POLYGONS: "labelme",
    Exchange.COCO: "coco",
    Exchange.NNUNET: "paired",
    Exchange.LABEL_STUDIO: None,
    Exchange.NIFTI: None,
}
_GROUPS_NAME = "cases.csv"


@dataclass
class ExportSummary:
    """What was written.

    Attributes:
        masks: number of cases with a mask.
        frames: number of cases without one, of which the frame alone was written.
        unreadable: ids of cases whose frame cannot be read; they are left out.
        left_out: ids of cases by the reason why they are left out.
        accepted: number of masks that are predictions which reviewers accepted.
        kept_names: whether the ids are the data set's own names, which nobody declared public.
    """

    folder: Path
    masks: int = 0
    frames: int = 0
    unreadable: list[str] = field(default_factory=list)
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)
    accepted: int = 0
    kept_names: bool = False

    def to_text(self) -> str:
        """What to tell the user."""
        lines = [f"{self.masks} masks written to {self.folder}"]
        if self.accepted:
            lines.append(f"{self.accepted} of them are accepted predictions, marked so in exported.json")
        if self.frames:
            lines.append(f"{self.frames} frames without a mask")
        if self.unreadable:
            lines.append(f"{len(self.unreadable)} frames cannot be read and are left out")
        if self.kept_names:
            lines.append("file names carry the data set's own names: look for patients' names before you pass them on")
        lines += [f"left out, {reason}: {len(ids)} ({_listed(ids)})" for reason, ids in self.left_out.items()]
        return "\n".join(lines)


@dataclass(frozen=True)
class _Chosen:
    """A mask to export, read when it is its turn."""

    case: Case
    mask: np.ndarray | None
    origin: MaskOrigin
    bases: tuple[MaskBase, ...]
    flags: Sequence[str] = ()


def export_masks(source: ReviewSource, folder: Path, kind: Exchange, case_ids: Sequence[str] = ()) -> ExportSummary:
    """Write the masks that a run predicted, of all cases or of some.

    Raises:
        UsageProblem: for a case that the run does not have, or where none has a mask.
        RefusedInput: where the folder holds something, files of the run are damaged, or the format lacks a word for it.
    """
    known = [case.case_id for case in source.cases]
    strays = [case_id for case_id in case_ids if case_id not in known]
    if strays:
        raise UsageProblem(f"cases: expected cases of the run, got {strays[0]!r}")
    wanted = [case_id for case_id in known if case_id in set(case_ids or known)]
    masked = [case_id for case_id in wanted if _has_mask(source, case_id)]
    if not masked:
        raise UsageProblem(f"expected cases with a mask to export, found none among {len(wanted)}")
    source.require_whole(masked)
    with partial_folder(folder) as unfinished:
        return _write(source, unfinished, folder, Exported.MASKS, kind, partial(_predicted, source, masked))


def export_to_fix(source: ReviewSource, folder: Path, kind: Exchange, verdicts: Verdicts) -> ExportSummary:
    """Write the frames that a reviewer rejected or wants fixed with their predictions, and the verdicts as a table.

    Args:
        verdicts: reviewer -> case id -> the verdict that stands.
    Raises:
        UsageProblem: where there is nothing to fix.
        RefusedInput: as `export_masks`.
    """
    wanted = cases_with(verdicts, {Verdict.REJECT, Verdict.FIX})
    if not wanted:
        raise UsageProblem("expected verdicts `fix` or `reject` on this run and prompt, found none: nothing is to fix")
    source.require_whole(wanted)
    flags = {
        case_id: sorted({str(one[case_id].verdict) for one in verdicts.values() if case_id in one})
        for case_id in wanted
    }
    with partial_folder(folder) as unfinished:
        write_text_atomic(unfinished / TABLE_NAME, verdict_table(source, verdicts))
        rejected = cases_with(verdicts, {Verdict.REJECT})
        write_text_atomic(unfinished / LIST_NAME, "".join(f"{case_id}\n" for case_id in rejected))
        return _write(
            source, unfinished, folder, Exported.TO_FIX, kind, partial(_predicted, source, wanted, flags=flags)
        )


def export_corrections(
    source: ReviewSource,
    folder: Path,
    kind: Exchange,
    store: CorrectionStore,
    *,
    adjudicator: str | None = None,
    accepted: Verdicts | None = None,
) -> ExportSummary:
    """Write a data set whose ground truth are corrections.

    Args:
        adjudicator: reader whose mask counts where readers differ; None leaves such cases out.
        accepted: verdicts that stand, whose accepted predictions become ground truth too; None for none.
    Raises:
        UsageProblem: for an adjudicator who corrected nothing, or where no mask remains.
        RefusedInput: as `export_masks`, and where a correction's mask is lost.
    """
    standing = store.standing()
    merged = merge(standing, _images(source, {one for of in standing.values() for one in of}), adjudicator)
    if accepted is not None:
        masks = [case.case_id for case in source.cases if _has_mask(source, case.case_id)]
        merged = with_accepted(merged, accepted, source.scored_runs[0].run.threshold, masks)
        source.require_whole(merged.accepted)
    if not merged.records and not merged.accepted:
        said = "; ".join(f"{len(ids)} cases: {reason}" for reason, ids in merged.left_out.items())
        raise UsageProblem(f"{store.folder}: expected corrections to export, found none{said and f' ({said})'}")
    with partial_folder(folder) as unfinished:
        chosen, what = partial(_merged, source, merged, store), Exported.CORRECTIONS
        return _write(source, unfinished, folder, what, kind, chosen, merged, adjudicator, accepted is not None)


def _images(source: ReviewSource, case_ids: Iterable[str]) -> dict[str, str | None]:
    """`image_sha256` of frames of the run's cases, as they are now; None of those that cannot be read."""
    by_id, images = {case.case_id: case for case in source.dataset.cases}, dict[str, str | None]()
    known = {case.case_id for case in source.cases}
    for case_id in track(sorted(set(case_ids) & known, key=natural_key), "comparing frames", unit="frame"):
        frame = by_id[case_id].frame
        try:
            images[case_id] = pixel_sha256(read_frame(frame.path, frame.index, frame.bits))
        except UnreadableImage:
            images[case_id] = None
    return images


def _has_mask(source: ReviewSource, case_id: str) -> bool:
    return source.scored_runs[0].run.prediction(case_id, source.prompt)[0].mask_pixels is not None


def _base_of(source: ReviewSource, reviewer: str | None, mask: np.ndarray | None) -> MaskBase:
    scored_run = source.scored_runs[0]
    return MaskBase(
        BeganFrom.PREDICTION,
        reviewer,
        source.run,
        scored_run.run.config.first_sha256,
        source.prompt,
        weights_of(scored_run.model),
        None if mask is None else mask_digest(mask),
    )


def _predicted(
    source: ReviewSource, case_ids: Sequence[str], words: str, flags: Mapping[str, Sequence[str]] | None = None
) -> Iterator[_Chosen]:
    by_id = {case.case_id: case for case in source.dataset.cases}
    for case_id in track(case_ids, words, unit="case"):
        mask = source.scored_runs[0].mask(case_id)
        said = (flags or {}).get(case_id, ())
        yield _Chosen(by_id[case_id], mask, MaskOrigin.PREDICTED, (_base_of(source, None, mask),), said)


def _merged(source: ReviewSource, merged: Merged, store: CorrectionStore, words: str) -> Iterator[_Chosen]:
    by_id = {case.case_id: case for case in source.dataset.cases}
    by_record = {record.id: record for record in store.records()}
    for case_id in track(sorted({*merged.records, *merged.accepted}, key=natural_key), words, unit="case"):
        case = by_id[case_id]
        if case_id in merged.records:
            records = merged.records[case_id]
            bases = tuple(_base(one) for record in records for one in with_origins(record, by_record))
            yield _Chosen(case, store.mask(records[0]), MaskOrigin.CORRECTED, tuple(dict.fromkeys(bases)))
        else:
            mask = source.scored_runs[0].mask(case_id)
            bases = tuple(_base_of(source, one.reviewer, mask) for one in merged.accepted[case_id])
            yield _Chosen(case, mask, MaskOrigin.ACCEPTED, bases)


def _base(record: CorrectionRecord) -> MaskBase:
    base = record.base
    return MaskBase(
        base.began_from, record.reviewer, base.run, base.config, base.prompt, base.weights, base.mask_sha256,
        record.seconds, record.truth_seen, record.click_weights,
    )  # fmt: skip


def _write(
    source: ReviewSource,
    unfinished: Path,
    folder: Path,
    what: Exported,
    kind: Exchange,
    chosen: Callable[[str], Iterator[_Chosen]],
    merged: Merged | None = None,
    adjudicator: str | None = None,
    accepted_as_truth: bool = False,
) -> ExportSummary:
    """Write the cases that `chosen` gives, whose argument says on its bar what is done with them."""
    left_out = {} if merged is None else {str(reason): ids for reason, ids in merged.left_out.items()}
    # Names that a user keeps are no pseudonyms, and nobody declared them public.
    ids = IdPolicy.KEEP if source.dataset.ids is IdPolicy.KEEP else IdPolicy.PUBLIC
    summary = ExportSummary(folder, left_out=left_out, kept_names=ids is IdPolicy.KEEP)
    written: dict[str, _Chosen] = {}
    masks: dict[str, ExportedMask] = {}

    def readable(words: str) -> Iterator[tuple[_Chosen, Image.Image]]:
        for one in chosen(words):
            frame = one.case.frame
            try:
                image = read_frame(frame.path, frame.index, frame.bits)
            except UnreadableImage:
                if frame.case_id not in summary.unreadable:
                    summary.unreadable.append(frame.case_id)
                continue
            if one.origin is not MaskOrigin.CORRECTED:
                require_predicted(frame.case_id, image, source.scored_runs[:1])
            if one.mask is not None and one.mask.shape != image.size[::-1]:
                height, width = one.mask.shape
                raise RefusedInput(
                    f"{frame.case_id}: expected a mask of {image.size[0]}x{image.size[1]} pixels as its frame has, got "
                    f"{width}x{height}. The data set was changed since: predict it again"
                )
            yield one, image

    def sent() -> Iterator[SentCase]:
        for one, image in readable("export"):
            frame = one.case.frame
            written[frame.case_id] = one
            if one.mask is not None:
                masks[frame.case_id] = ExportedMask(one.origin, mask_digest(one.mask), one.bases, frame.patient)
                summary.masks += 1
                summary.accepted += one.origin is MaskOrigin.ACCEPTED
            else:
                summary.frames += 1
            yield SentCase(frame.case_id, image, one.mask, one.flags)

    require_case = case_check(kind)
    if require_case is not None:
        for one, image in readable("check"):
            require_case(SentCase(one.case.case_id, image, one.mask))
    write_cases(kind, unfinished, sent(), _SENT[what])
    if not written:
        raise UsageProblem(f"expected frames to export, found none: all {len(summary.unreadable)} cannot be read")
    exported = ExportedMasks(
        what, source.dataset.key_fingerprint, masks, adjudicator, accepted_as_truth, summary.left_out
    )
    write_exported(unfinished, exported)
    if what is Exported.CORRECTIONS:
        _write_rules(unfinished, kind, [one.case for one in written.values()], ids)
    elif (unfinished / "images").is_dir():
        save_rules(unfinished / "images", Rules(layout="images", ids=ids), LAYOUTS)
    return summary


def _write_rules(folder: Path, kind: Exchange, cases: Sequence[Case], ids: IdPolicy) -> None:
    """What makes the folder a data set with the patients that it had, under the ids that it had."""
    layout = _LAYOUT[kind]
    if layout is None:
        return
    grouped = any(case.frame.patient is not None for case in cases)
    if grouped:
        write_text_atomic(folder / _GROUPS_NAME, _groups(cases, "_0000" if kind is Exchange.NNUNET else ""))
    rule = "column:patient" if grouped else None
    save_rules(folder, Rules(layout=layout, ids=ids, group_by=rule), LAYOUTS)


def _groups(cases: Sequence[Case], ending: str) -> str:
    """CSV: patient, sequence and frame of every image, by the ids that they have; empty where unknown."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("name", "patient", "sequence", "frame"))
    for case in cases:
        frame = case.frame
        sequence = None if frame.sequence is None else frame.sequence.removeprefix(f"{frame.patient}-")
        writer.writerow((f"{frame.case_id}{ending}.png", frame.patient, sequence, frame.number))
    return buffer.getvalue()


def _listed(case_ids: Sequence[str], most: int = 5) -> str:
    more = f" and {len(case_ids) - most} more" if len(case_ids) > most else ""
    return ", ".join(case_ids[:most]) + more
