"""The masks that go into an export: of which frame, who or what made them, and what they began from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from helpers.core.progress import track
from helpers.core.vocabulary import BeganFrom
from helpers.data.cases import Case
from helpers.data.exchange.exchanged import MadeBy, Making
from helpers.data.exported_masks import MaskBase, MaskOrigin
from helpers.data.frames.image_reading import natural_key
from helpers.metrics.case_scores import mask_digest
from helpers.review.corrections.carrying import with_origins
from helpers.review.corrections.merging import Merged
from helpers.review.corrections.record import CorrectionRecord, CorrectionTool
from helpers.review.corrections.store import CorrectionStore
from helpers.review.review_source import ReviewSource
from helpers.runs.weights import weights_of

_BY_HAND = frozenset({CorrectionTool.BRUSH, CorrectionTool.ERASER, CorrectionTool.PIECE})


@dataclass(frozen=True)
class ChosenMask:
    """A mask to export, read when it is its turn."""

    case: Case
    mask: np.ndarray | None
    origin: MaskOrigin
    bases: tuple[MaskBase, ...]
    making: Making = Making.AUTOMATIC
    flags: Sequence[str] = ()

    @property
    def made_by(self) -> MadeBy:
        """How the mask came about, and the models that took part."""
        known = (one for base in self.bases for one in (base.weights, *base.click_weights))
        return MadeBy(self.making, tuple(dict.fromkeys(one for one in known if one is not None)))


def has_mask(source: ReviewSource, case_id: str) -> bool:
    return source.scored_runs[0].run.prediction(case_id, source.prompt)[0].mask_pixels is not None


def _predicted_base(source: ReviewSource, reviewer: str | None, mask: np.ndarray | None) -> MaskBase:
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


def predicted_masks(
    source: ReviewSource, case_ids: Sequence[str], words: str, flags: Mapping[str, Sequence[str]] | None = None
) -> Iterator[ChosenMask]:
    by_id = {case.case_id: case for case in source.dataset.cases}
    for case_id in track(case_ids, words, unit="case"):
        mask = source.scored_runs[0].mask(case_id)
        said = (flags or {}).get(case_id, ())
        yield ChosenMask(by_id[case_id], mask, MaskOrigin.PREDICTED, (_predicted_base(source, None, mask),), flags=said)


def merged_masks(source: ReviewSource, merged: Merged, store: CorrectionStore, words: str) -> Iterator[ChosenMask]:
    by_id = {case.case_id: case for case in source.dataset.cases}
    by_record = {record.id: record for record in store.records()}
    for case_id in track(sorted({*merged.records, *merged.accepted}, key=natural_key), words, unit="case"):
        case = by_id[case_id]
        if case_id in merged.records:
            records = merged.records[case_id]
            bases = tuple(base_of(one) for record in records for one in with_origins(record, by_record))
            made = tuple(dict.fromkeys(bases)), _making(records)
            yield ChosenMask(case, store.mask(records[0]), MaskOrigin.CORRECTED, *made)
        else:
            mask = source.scored_runs[0].mask(case_id)
            bases = tuple(_predicted_base(source, one.reviewer, mask) for one in merged.accepted[case_id])
            yield ChosenMask(case, mask, MaskOrigin.ACCEPTED, bases)


def _making(records: Sequence[CorrectionRecord]) -> Making:
    """MANUAL where every reader drew it from empty, with nothing of a model or another program."""
    drawn = all(one.base.began_from is BeganFrom.EMPTY and _BY_HAND.issuperset(one.tools) for one in records)
    return Making.MANUAL if drawn else Making.SEMIAUTOMATIC


def base_of(record: CorrectionRecord) -> MaskBase:
    """What a correction began from, for the record of an export."""
    base = record.base
    return MaskBase(
        base.began_from, record.reviewer, base.run, base.config, base.prompt, base.weights, base.mask_sha256,
        record.seconds, record.truth_seen, record.click_weights,
    )  # fmt: skip
