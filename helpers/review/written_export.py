"""An export as it is written: frames, masks, what they are, and what makes the folder a data set."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image
from scipy.special import expit

from helpers.core.atomic import write_text_atomic
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.shown_text import counted
from helpers.core.vocabulary import Exchange, Exported, Identity
from helpers.data.cases import Case
from helpers.data.dataset import Dataset
from helpers.data.exchange.exchange_formats import case_check, write_cases
from helpers.data.exchange.exchanged import SentCase, SentSet
from helpers.data.exported_masks import NNUNET_CHANNEL, ExportedMask, ExportedMasks, MaskOrigin, write_exported
from helpers.data.frames.frame_source import read_frame
from helpers.data.frames.image_reading import UnreadableImage
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.layouts.detection import LAYOUTS
from helpers.data.rule_file import save_rules
from helpers.data.rules import Rules
from helpers.data.splits.looks import carry_looks
from helpers.data.splits.split import Split
from helpers.evaluation.scored_runs import require_predicted
from helpers.metrics.case_scores import mask_digest
from helpers.review.chosen_masks import ChosenMask
from helpers.review.corrections.merging import Merged
from helpers.review.review_source import ReviewSource
from helpers.review.tested_frames import split_of_some, tested_note

_SENT = {
    Exported.MASKS: SentSet("predicted vessel", "Predictions, not ground truth.", False),
    Exported.TO_FIX: SentSet("prediction to correct", "Predictions to be corrected, not ground truth.", False),
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
    Exchange.DICOM_SEG: None,
    Exchange.DICOM_SEG_FRACTIONAL: None,
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
        notes: what the format has to say beside.
    """

    folder: Path
    masks: int = 0
    frames: int = 0
    unreadable: list[str] = field(default_factory=list)
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)
    accepted: int = 0
    kept_names: bool = False
    notes: Sequence[str] = ()

    def to_text(self) -> str:
        """What to tell the user."""
        lines = [f"{counted(self.masks, 'mask')} written to {self.folder}"]
        if self.accepted:
            lines.append(f"accepted predictions among them, marked so in exported.json: {self.accepted}")
        if self.frames:
            lines.append(f"{counted(self.frames, 'frame')} without a mask")
        if self.unreadable:
            lines.append(f"{counted(len(self.unreadable), 'frame')} left out, since they cannot be read")
        if self.kept_names:
            lines.append("file names carry the data set's own names: look for patients' names before you pass them on")
        lines += self.notes
        lines += [f"left out, {reason}: {len(ids)} ({_listed(ids)})" for reason, ids in self.left_out.items()]
        return "\n".join(lines)


def write_export(
    source: ReviewSource,
    unfinished: Path,
    folder: Path,
    chosen: Callable[[str], Iterator[ChosenMask]],
    *,
    what: Exported,
    kind: Exchange,
    merged: Merged | None = None,
    adjudicator: str | None = None,
    accepted_as_truth: bool = False,
    identity: Identity = Identity.DECLARED,
) -> ExportSummary:
    """Write masks with their frames, the record of what they are, and what makes the folder a data set.

    Args:
        unfinished: the folder to write into, which its caller gives the name of `folder` once this returns.
        folder: as the summary names it.
        chosen: gives the masks, once for each pass over them; its argument is what its bar says.
        merged: of which corrections they are, for what was left out; None for predictions.
        adjudicator, accepted_as_truth: how these were merged, for the record.
        identity: whose identity DICOM files carry.
    Raises:
        UsageProblem: where no frame can be read.
        RefusedInput: where a mask has another size than its frame, a frame is not the one that was predicted, or the
            format lacks a word for a case.
        OSError: where it cannot be written.
    """
    left_out = {} if merged is None else {str(reason): ids for reason, ids in merged.left_out.items()}
    # Names that a user keeps are no pseudonyms, and nobody declared them public.
    ids = IdPolicy.KEEP if source.dataset.ids is IdPolicy.KEEP else IdPolicy.PUBLIC
    summary = ExportSummary(folder, left_out=left_out, kept_names=ids is IdPolicy.KEEP)
    written: dict[str, ChosenMask] = {}
    masks: dict[str, ExportedMask] = {}

    def readable(words: str) -> Iterator[tuple[ChosenMask, Image.Image]]:
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

    def case_of(one: ChosenMask, image: Image.Image) -> SentCase:
        frame, probability = one.case.frame, None
        if kind is Exchange.DICOM_SEG_FRACTIONAL:
            logits = source.scored_runs[0].run.full_map(frame.case_id, source.prompt)
            probability = None if logits is None else expit(logits)
        patient = None if summary.kept_names else frame.patient
        return SentCase(frame.case_id, image, one.mask, one.flags, frame, patient, one.made_by, probability)

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
            yield case_of(one, image)

    require_case = case_check(kind)
    if require_case is not None:
        for one, image in readable("check"):
            require_case(case_of(one, image))
    summary.notes = write_cases(kind, unfinished, sent(), replace(_SENT[what], identity=identity))
    if not written:
        raise UsageProblem(f"expected frames to export, found none: all {len(summary.unreadable)} cannot be read")
    exported = ExportedMasks(
        what, source.dataset.key_fingerprint, masks, adjudicator, accepted_as_truth, summary.left_out
    )
    write_exported(unfinished, exported)
    if what is Exported.CORRECTIONS:
        cases = [one.case for one in written.values()]
        split = _write_rules(unfinished, kind, cases, ids, source.dataset)
        note = tested_note([case.frame for case in cases], source.dataset, split)
        said = () if merged is None else merged.notes
        summary.notes = (*summary.notes, *([] if note is None else [note]), *said)
    elif (unfinished / "images").is_dir():
        save_rules(unfinished / "images", Rules(layout="images", ids=ids), LAYOUTS)
    return summary


def _write_rules(folder: Path, kind: Exchange, cases: Sequence[Case], ids: IdPolicy, dataset: Dataset) -> Split | None:
    """What makes the folder a data set with the patients that it had, under the ids that it had, in the same parts.

    Looks at those of them who are sealed go with them. Gives the split that it keeps; None for none.
    """
    layout = _LAYOUT[kind]
    if layout is None:
        return None
    grouped = any(case.frame.patient is not None for case in cases)
    if grouped:
        write_text_atomic(folder / _GROUPS_NAME, _groups(cases, NNUNET_CHANNEL if kind is Exchange.NNUNET else ""))
    rule = "column:patient" if grouped else None
    split = split_of_some([case.frame for case in cases], dataset)
    save_rules(folder, Rules(layout=layout, ids=ids, group_by=rule, split=split), LAYOUTS)
    if split is not None:
        united = dataset.people.spellings.united
        sealed = {patient: united.get(patient, patient) for patient in split.sealed_patients}
        carry_looks(dataset.root, folder, sealed, dataset.key_fingerprint)
    return split


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
