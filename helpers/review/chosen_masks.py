"""The masks that go into an export: of which frame, who or what made them, and what they began from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from helpers.core.progress import track
from helpers.core.vocabulary import BeganFrom
from helpers.data.cases import Case
from helpers.data.dataset import Dataset
from helpers.data.exchange.exchanged import MadeBy, Making
from helpers.data.exported_masks import MaskBase, MaskOrigin, once
from helpers.data.frames.image_reading import natural_key
from helpers.metrics.case_scores import mask_digest
from helpers.review.corrections.merging import Merged
from helpers.review.corrections.origins import with_origins
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
        return MadeBy(self.making, once(one for base in self.bases for one in base.all_weights))


def _predicted_base(source: ReviewSource, reviewer: str | None, mask: np.ndarray | None) -> MaskBase:
    scored_run = source.scored_runs[0]
    base = MaskBase(
        BeganFrom.PREDICTION,
        reviewer,
        source.run,
        scored_run.run.config.first_sha256,
        source.prompt,
        weights_of(scored_run.model),
        None if mask is None else mask_digest(mask),
    )
    return _with_imported(source, base)


def predicted_masks(
    source: ReviewSource, case_ids: Sequence[str], words: str, flags: Mapping[str, Sequence[str]] | None = None
) -> Iterator[ChosenMask]:
    """The masks that the reviewed run predicted, read one by one.

    Args:
        words: what is done with them, for the bar.
        flags: case id -> words that a labelling tool shows at its mask; None for none.
    Raises:
        RefusedInput: for a damaged mask.
    """
    for case_id in track(case_ids, words, unit="case"):
        mask = source.scored_runs[0].mask(case_id)
        said = (flags or {}).get(case_id, ())
        yield ChosenMask(
            source.data_cases[case_id], mask, MaskOrigin.PREDICTED, (_predicted_base(source, None, mask),), flags=said
        )


def merged_masks(source: ReviewSource, merged: Merged, store: CorrectionStore, words: str) -> Iterator[ChosenMask]:
    """The corrections and accepted predictions of a merge, in natural order of their cases, read one by one.

    Args:
        store: that the corrections lie in.
        words: as of `predicted_masks`.
    Raises:
        RefusedInput: for a mask that is lost or damaged.
    """
    known = {record.id: record for record in store.records()}
    for case_id in track(sorted({*merged.records, *merged.accepted}, key=natural_key), words, unit="case"):
        case = source.data_cases[case_id]
        if case_id in merged.records:
            records = merged.records[case_id]
            bases = bases_of_records(source, records, known)
            yield ChosenMask(case, store.mask(records[0]), MaskOrigin.CORRECTED, bases, _making(records))
        else:
            mask = source.scored_runs[0].mask(case_id)
            bases = tuple(_predicted_base(source, one.reviewer, mask) for one in merged.accepted[case_id])
            yield ChosenMask(case, mask, MaskOrigin.ACCEPTED, bases)


def _making(records: Sequence[CorrectionRecord]) -> Making:
    """MANUAL where every reader drew it from empty, with nothing of a model or another program."""
    drawn = all(one.base.began_from is BeganFrom.EMPTY and _BY_HAND.issuperset(one.tools) for one in records)
    return Making.MANUAL if drawn else Making.SEMIAUTOMATIC


def bases_of_records(
    source: ReviewSource, records: Sequence[CorrectionRecord], known: Mapping[str, CorrectionRecord]
) -> tuple[MaskBase, ...]:
    """What corrections of one mask began from.

    Behind each stands what it was carried from, and, where it began from ground truth that the kit exported, whatever
    that began from. With an open run, where it was imported, stands what its masks began from.

    Args:
        known: all records of the corrections' folder by id, with every origin of `records`.
    """
    found = list[MaskBase]()
    for record in records:
        origins = with_origins(record, known)
        assert origins is not None  # by `helpers.review.corrections.merging.without_lost`
        for one in origins:
            base = _with_imported(source, _base_of(one))
            found += (base, *_bases_of_truth(source.dataset, source.data_cases.get(one.case_id), one))
    return tuple(dict.fromkeys(found))


def _with_imported(source: ReviewSource, base: MaskBase) -> MaskBase:
    """A base that names what the masks of imported runs began from, where it names one of the runs that are open."""
    for scored_run in source.scored_runs:
        if scored_run.run.config.first_sha256 in base.configs:
            origins = scored_run.origins
            base = replace(
                base,
                further_configs=once((*base.further_configs, *origins.configs)),
                further_weights=once((*base.further_weights, *origins.weights)),
            )
    return base


def _bases_of_truth(dataset: Dataset, case: Case | None, record: CorrectionRecord) -> tuple[MaskBase, ...]:
    exported = None if case is None else dataset.exported_mask(case)
    if exported is None or record.base.began_from is not BeganFrom.TRUTH:
        return ()
    return exported.bases if exported.mask_sha256 == record.base.mask_sha256 else ()


def _base_of(record: CorrectionRecord) -> MaskBase:
    """What a correction began from, for the record of an export."""
    base = record.base
    return MaskBase(
        base.began_from, record.reviewer, base.run, base.config, base.prompt, base.weights, base.mask_sha256,
        record.seconds, record.truth_seen, record.click_weights, record.further_configs, record.further_weights,
    )  # fmt: skip
