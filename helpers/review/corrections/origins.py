"""What took part in a correction beside its own beginning: earlier corrections, and runs whose logits were shown."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from helpers.data.exported_masks import ExportedMask, once
from helpers.evaluation.scored_runs import ScoredRun
from helpers.review.corrections.record import CorrectionRecord


def with_origins(
    record: CorrectionRecord, records: Mapping[str, CorrectionRecord]
) -> tuple[CorrectionRecord, ...] | None:
    """A record and all that it was carried from, through any number of steps; itself first.

    None where one of them is unknown: whatever that one began from took part, and nobody can say what it was.

    Args:
        records: of all readers by id.
    """
    found, ids = {record.id: record}, list(record.base.carried_from)
    while ids:
        origin = records.get(ids.pop())
        if origin is None:
            return None
        if origin.id not in found:
            found[origin.id] = origin
            ids += origin.base.carried_from
    return tuple(found.values())


def with_truth_of_origins(record: CorrectionRecord, records: Mapping[str, CorrectionRecord]) -> CorrectionRecord:
    """A record whose `truth_seen` holds for the corrections too that it was carried from.

    Args:
        records: as `with_origins` takes them.
    """
    origins = with_origins(record, records)
    if origins is None:
        return replace(record, truth_seen=any_seen((record.truth_seen, None)))
    return replace(record, truth_seen=any_seen((record.truth_seen, *(one.truth_seen for one in origins[1:]))))


def any_seen(flags: Iterable[bool | None]) -> bool | None:
    """True where one is, and unknown (None) where that cannot be ruled out."""
    given = tuple(flags)
    if True in given:
        return True
    return None if None in given else False


def with_further(
    record: CorrectionRecord,
    configs: Iterable[str | None] = (),
    weights: Iterable[str | None] = (),
    clicks: Iterable[str] = (),
) -> CorrectionRecord:
    """A record that names further runs and models, but for its base's own; None stands for one that is unknown."""
    return replace(
        record,
        further_configs=once((*record.further_configs, *configs), record.base.config),
        further_weights=once((*record.further_weights, *weights), record.base.weights),
        click_weights=once((*record.click_weights, *clicks)),
    )


def with_all_of(record: CorrectionRecord, other: CorrectionRecord) -> CorrectionRecord:
    """A record that names every run and model of another one too."""
    return with_further(
        record,
        (other.base.config, *other.further_configs),
        (other.base.weights, *other.further_weights),
        other.click_weights,
    )


def with_exported(record: CorrectionRecord, mask: ExportedMask) -> CorrectionRecord:
    """A record that names every run and model that a mask began from which the kit exported."""
    for base in mask.bases:
        record = with_further(record, base.configs, (base.weights, *base.further_weights), base.click_weights)
    return record


def with_imported(record: CorrectionRecord, scored_runs: Iterable[ScoredRun]) -> CorrectionRecord:
    """A record that names what the masks of imported runs began from, where it names one of the runs that are open.

    It is kept with the record: when the correction is exported, another run may be open.
    """
    named = {record.base.config, *record.further_configs}
    for one in scored_runs:
        if one.run.config.first_sha256 in named:
            record = with_further(record, one.origins.configs, one.origins.weights)
    return record


def goes_on_with(record: CorrectionRecord, before: CorrectionRecord) -> bool:
    """Whether a record may go on with an earlier one of the reader, whose base and tools it then has."""
    return record.base == before.base and set(before.tools) <= set(record.tools)
