"""Pairs to prefer between: a correction, and the prediction that it began from (docs/exchange.md)."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from helpers.core.atomic import partial_folder, write_text_atomic
from helpers.core.documents import document
from helpers.core.errors import UsageProblem
from helpers.core.progress import track
from helpers.core.shown_text import counted
from helpers.core.vocabulary import BeganFrom, Exported
from helpers.data.exchange.exchanged import plain_image
from helpers.data.exported_masks import ExportedMask, ExportedMasks, MaskOrigin, write_exported
from helpers.data.frames.frame import Frame
from helpers.data.frames.frame_source import read_frame
from helpers.data.frames.image_reading import natural_key
from helpers.data.ids.case_ids import IdPolicy
from helpers.metrics.case_scores import mask_digest
from helpers.metrics.overlap import count_pixels, iou
from helpers.review.chosen_masks import bases_of_records
from helpers.review.corrections.merging import Merged
from helpers.review.corrections.record import CorrectionRecord
from helpers.review.corrections.store import CorrectionStore
from helpers.review.review_source import ReviewSource
from helpers.review.tested_frames import tested_splits
from helpers.review.written_export import ExportSummary
from helpers.runs.weights import weights_of

SCHEMA, SCHEMA_VERSION = "vesselkit.pairs", 1
NAME = "pairs.jsonl"
_IMAGES, _CHOSEN, _REJECTED = "images", "chosen", "rejected"
_FILES = {"image": _IMAGES, "chosen": _CHOSEN, "rejected": _REJECTED}
_OF_TEST, _OF_UNKNOWN = "the patient is of the test split", "the patient is unknown and may be of the test split"
_UNSPLIT = "the patient has a frame of no split or of several, which may be of the test split"
_NO_SPLITS = "the data set states no splits: take the patients of your test set out of the pairs yourself"
_NO_TEST = "the data set states no test split: take the patients of your test set out of the pairs yourself"
_OTHER, _WITHIN = "the correction began from another mask than the run's as it is now", "within the margin"


@dataclass(frozen=True)
class _Pair:
    """A frame with the records of the readers whose correction it has, and how far the prediction lies from it."""

    frame: Frame
    records: tuple[CorrectionRecord, ...]
    iou: float


def write_pairs(
    source: ReviewSource, folder: Path, store: CorrectionStore, merged: Merged, margin: float, adjudicator: str | None
) -> ExportSummary:
    """Write the pairs of a run's cases into a new folder.

    Args:
        merged: the correction that counts, of each case.
        margin: 1 - intersection over union above which correction and prediction differ by more than readers do.
    Raises:
        UsageProblem: where no pair remains, or only one split was opened, which hides who is tested on.
        RefusedInput: where the folder holds something, or a file of the run or a mask is damaged or lost.
    """
    if source.dataset.split is not None:
        raise UsageProblem(
            f"split: expected the whole data set, so that patients with a frame of the test split are left out, got "
            f"the split {source.dataset.split!r}. Leave split out"
        )
    left_out = {str(reason): list(case_ids) for reason, case_ids in merged.left_out.items()}
    source.require_whole([case_id for case_id in merged.records if source.scored_runs[0].has_mask(case_id)])
    pairs = list(_pairs(source, store, merged, margin, left_out))
    if not pairs:
        reasons = (f"{counted(len(case_ids), 'case')}: {reason}" for reason, case_ids in left_out.items())
        said = "; ".join((*reasons, *merged.notes))
        raise UsageProblem(f"{store.folder}: expected pairs to export, found none{said and f' ({said})'}")
    masks = dict[str, ExportedMask]()
    known = {one.id: one for one in store.records()}
    with partial_folder(folder) as unfinished:
        for name in (_IMAGES, _CHOSEN, _REJECTED):
            (unfinished / name).mkdir()
        lines = []
        for pair in track(pairs, "export", unit="case"):
            frame, chosen, rejected = pair.frame, *_masks(source, store, pair.frame, pair.records)
            image = read_frame(frame.path, frame.index, frame.bits)
            plain_image(image).save(unfinished / _IMAGES / f"{frame.case_id}.png")
            for name, mask in ((_CHOSEN, chosen), (_REJECTED, rejected)):
                Image.fromarray(mask.astype(np.uint8) * 255).save(unfinished / name / f"{frame.case_id}.png")
            bases = bases_of_records(source, pair.records, known)
            masks[frame.case_id] = ExportedMask(MaskOrigin.CORRECTED, mask_digest(chosen), bases, frame.patient)
            values = {
                **_values(source, pair, margin),
                "chosen_sha256": mask_digest(chosen),
                "rejected_sha256": mask_digest(rejected),
            }
            lines.append(json.dumps(document(SCHEMA, SCHEMA_VERSION, values), allow_nan=False))
        write_text_atomic(unfinished / NAME, "".join(f"{line}\n" for line in lines))
        key = source.dataset.key_fingerprint
        write_exported(unfinished, ExportedMasks(Exported.PAIRS, key, masks, adjudicator, left_out=left_out))
    stated = any(frame.split is not None for frame in source.dataset.frames)
    notes = () if tested_splits(source.dataset) else (_NO_TEST if stated else _NO_SPLITS,)
    kept_names = source.dataset.ids is IdPolicy.KEEP
    return ExportSummary(folder, len(pairs), left_out=left_out, kept_names=kept_names, notes=(*notes, *merged.notes))


def _pairs(
    source: ReviewSource, store: CorrectionStore, merged: Merged, margin: float, left_out: dict[str, list[str]]
) -> Iterator[_Pair]:
    """The frames that have a pair; others are listed by reason."""
    frames = {frame.case_id: frame for frame in source.dataset.frames}
    test_splits = tested_splits(source.dataset)
    of_tests = [frame for frame in frames.values() if frame.split in test_splits]
    united = source.dataset.people.spellings.of
    tested = {united(frame.patient) for frame in of_tests}
    unsplit = {united(frame.patient) for frame in frames.values() if frame.split is None} if of_tests else set()
    for case_id in track(sorted(merged.records, key=natural_key), "compare", unit="case"):
        frame, records = frames[case_id], merged.records[case_id]
        reason = _OF_TEST if frame.split in test_splits else _of_test(united(frame.patient), tested, unsplit)
        if reason is None and not any(_began(source, record) for record in records):
            reason = _OTHER
        if reason is None:
            score = iou(count_pixels(*_masks(source, store, frame, records)))
            if 1 - score > margin:
                yield _Pair(frame, records, score)
                continue
            reason = _WITHIN
        left_out.setdefault(reason, []).append(case_id)


def _of_test(patient: str | None, tested: set[str | None], unsplit: set[str | None]) -> str | None:
    """Why a frame of no test split may be of a patient that a model is tested on; None where it is not.

    Args:
        patient: of the frame, and in the sets the id under which spellings of one patient count.
        tested: patients with a frame of a test split.
        unsplit: those with a frame that names no split, or several; empty where nobody is tested on.
    """
    if patient is None:
        return _OF_UNKNOWN if tested else None
    if patient in tested:
        return _OF_TEST
    return _UNSPLIT if patient in unsplit else None


def _began(source: ReviewSource, record: CorrectionRecord) -> bool:
    """Whether a correction began from the run's mask as it is now."""
    base, scored_run = record.base, source.scored_runs[0]
    if base.began_from is not BeganFrom.PREDICTION or base.prompt != source.prompt:
        return False
    if base.config != scored_run.run.config.first_sha256:
        return False
    mask = scored_run.mask(record.case_id)
    return mask is not None and mask_digest(mask) == base.mask_sha256


def _masks(
    source: ReviewSource, store: CorrectionStore, frame: Frame, records: Sequence[CorrectionRecord]
) -> tuple[np.ndarray, np.ndarray]:
    """The correction and the prediction, bool (H, W)."""
    rejected = source.scored_runs[0].mask(frame.case_id)
    assert rejected is not None  # by `_began`
    return store.mask(records[0]), rejected


def _values(source: ReviewSource, pair: _Pair, margin: float) -> dict[str, Any]:
    case_id, scored_run = pair.frame.case_id, source.scored_runs[0]
    return {
        "case_id": case_id,
        "patient": pair.frame.patient,
        **{name: f"{folder}/{case_id}.png" for name, folder in _FILES.items()},
        "prompt_id": source.prompt,
        "prompt": scored_run.run.prompts[source.prompt],
        "config": scored_run.run.config.first_sha256,
        "weights": weights_of(scored_run.model),
        "reviewers": [record.reviewer for record in pair.records],
        "margin": margin,
        "chosen_iou": None,  # the correction is the truth itself
        "rejected_iou": pair.iou,
    }
