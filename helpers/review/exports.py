"""A run's masks, those to correct, and corrections as files for other tools, with a record of what they are."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from helpers.core.atomic import partial_folder, write_text_atomic
from helpers.core.errors import UsageProblem
from helpers.core.progress import track
from helpers.core.shown_text import counted
from helpers.core.vocabulary import Exchange, Exported, Identity
from helpers.data.frames.frame_source import current_sha256
from helpers.data.frames.image_reading import natural_key
from helpers.review.chosen_masks import merged_masks, predicted_masks
from helpers.review.corrections.merging import Merged, merge, with_accepted, without_lost
from helpers.review.corrections.store import RECORD_NAME, CorrectionStore
from helpers.review.pairs import write_pairs
from helpers.review.review_source import ReviewSource
from helpers.review.verdict_export import LIST_NAME, TABLE_NAME, Verdicts, cases_with, verdict_table
from helpers.review.verdicts import Verdict
from helpers.review.written_export import ExportSummary, write_export


def export_masks(
    source: ReviewSource,
    folder: Path,
    kind: Exchange,
    case_ids: Sequence[str] = (),
    identity: Identity = Identity.DECLARED,
) -> ExportSummary:
    """Write the masks that a run predicted, of all cases or of some.

    Args:
        identity: whose identity DICOM files carry.
    Raises:
        UsageProblem: for a case that the run does not have, or where none has a mask.
        RefusedInput: where the folder holds something, files of the run are damaged, or the format lacks a word for it.
    """
    known, asked = [case.case_id for case in source.cases], set(case_ids)
    strays = sorted(asked - set(known))
    if strays:
        raise UsageProblem(f"cases: expected cases of the run, got {strays[0]!r}")
    wanted = [case_id for case_id in known if not asked or case_id in asked]
    masked = [case_id for case_id in wanted if source.scored_runs[0].has_mask(case_id)]
    if not masked:
        raise UsageProblem(f"expected cases with a mask to export, found none among {len(wanted)}")
    source.require_whole(masked)
    with partial_folder(folder) as unfinished:
        chosen = partial(predicted_masks, source, masked)
        return write_export(source, unfinished, folder, chosen, what=Exported.MASKS, kind=kind, identity=identity)


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
        raise UsageProblem(
            "expected verdicts `fix` or `reject` on this run and prompt, found none: there is nothing to fix"
        )
    source.require_whole(wanted)
    flags = {
        case_id: sorted({str(one[case_id].verdict) for one in verdicts.values() if case_id in one})
        for case_id in wanted
    }
    with partial_folder(folder) as unfinished:
        write_text_atomic(unfinished / TABLE_NAME, verdict_table(source, verdicts))
        rejected = cases_with(verdicts, {Verdict.REJECT})
        write_text_atomic(unfinished / LIST_NAME, "".join(f"{case_id}\n" for case_id in rejected))
        chosen = partial(predicted_masks, source, wanted, flags=flags)
        return write_export(source, unfinished, folder, chosen, what=Exported.TO_FIX, kind=kind)


def export_corrections(
    source: ReviewSource,
    folder: Path,
    kind: Exchange,
    store: CorrectionStore,
    *,
    adjudicator: str | None = None,
    accepted: Verdicts | None = None,
    identity: Identity = Identity.DECLARED,
) -> ExportSummary:
    """Write a data set whose ground truth are corrections.

    Args:
        adjudicator: reader whose mask counts where readers differ; None leaves such cases out.
        accepted: verdicts that stand, whose accepted predictions become ground truth too; None for none.
        identity: whose identity DICOM files carry.
    Raises:
        UsageProblem: for an adjudicator who corrected nothing, or where no mask remains.
        RefusedInput: as `export_masks`, and where a correction's mask is lost.
    """
    merged = _merged(source, store, adjudicator)
    if accepted is not None:
        masks = [case.case_id for case in source.cases if source.scored_runs[0].has_mask(case.case_id)]
        merged = with_accepted(merged, accepted, source.scored_runs[0].run.threshold, masks)
        source.require_whole(merged.accepted)
    if not merged.records and not merged.accepted:
        reasons = (f"{counted(len(ids), 'case')}: {reason}" for reason, ids in merged.left_out.items())
        said = "; ".join((*reasons, *merged.notes))
        if not said and not store.records():
            said = f"no reader's folder with {RECORD_NAME} lies in it: check the path"
        raise UsageProblem(f"{store.folder}: expected corrections to export, found none{said and f' ({said})'}")
    with partial_folder(folder) as unfinished:
        return write_export(
            source,
            unfinished,
            folder,
            partial(merged_masks, source, merged, store),
            what=Exported.CORRECTIONS,
            kind=kind,
            merged=merged,
            adjudicator=adjudicator,
            accepted_as_truth=accepted is not None,
            identity=identity,
        )


def export_pairs(
    source: ReviewSource, folder: Path, store: CorrectionStore, margin: float, *, adjudicator: str | None = None
) -> ExportSummary:
    """Write corrections beside the predictions that they began from.

    Args:
        margin: 1 - intersection over union above which a correction differs by more than readers do.
        adjudicator: as of `export_corrections`.
    Raises:
        UsageProblem: for an adjudicator who corrected nothing, or where no pair remains.
        RefusedInput: as `export_corrections`.
    """
    return write_pairs(source, folder, store, _merged(source, store, adjudicator), margin, adjudicator)


def _merged(source: ReviewSource, store: CorrectionStore, adjudicator: str | None) -> Merged:
    """The correction that counts, of each case that has one of the frame as it is now."""
    standing = store.standing()
    merged = merge(standing, _images(source, {one for of in standing.values() for one in of}), adjudicator, store.mask)
    return without_lost(merged, {record.id: record for record in store.records()})


def _images(source: ReviewSource, case_ids: Iterable[str]) -> dict[str, str | None]:
    """`image_sha256` of frames of the run's cases, as they are now; None of those that cannot be read."""
    known = sorted(set(case_ids) & {case.case_id for case in source.cases}, key=natural_key)
    compared = track(known, "comparing frames", unit="frame")
    return {case_id: current_sha256(source.data_cases[case_id].frame) for case_id in compared}
