"""Choice of the scored cases: those with ground truth that every run was made for."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted
from helpers.data.audit.audit import SeenFrame, audit
from helpers.data.audit.findings import AuditFinding, AuditSeverity
from helpers.data.dataset import Dataset
from helpers.data.frames.frame import Frame, in_sequences
from helpers.data.frames.image_reading import natural_key
from helpers.evaluation.scored_runs import ScoredRun
from helpers.runs.result_rows import PredictionRow

# No score depends on these.
_OF_PRIVACY = frozenset(("name_in_path", "identity_in_header", "burned_in"))


@dataclass(frozen=True)
class ChosenCases:
    """The cases to score.

    Attributes:
        case_ids: in the data set's order.
        left_out: why cases are not scored -> their ids.
        warnings: of what the runs have and the data set has no more.
    """

    case_ids: tuple[str, ...] = field(repr=False)
    left_out: Mapping[str, tuple[str, ...]] = field(repr=False)
    warnings: tuple[str, ...] = ()


def choose_cases(scored_runs: Sequence[ScoredRun], dataset: Dataset) -> ChosenCases:
    """The cases with ground truth that every run was made for.

    A run was made for the cases that it has and, unless it was limited, for the others of the splits that it has cases
    of: one that lacks such a case missed it, and is scored there as an empty mask.

    Raises:
        RefusedInput: where no case is left.
    """
    with_truth = [case for case in dataset.cases if case.truth is not None]
    chosen = []
    expected = [_expected(scored_run, dataset) for scored_run in scored_runs]
    for case in with_truth:
        if all(case.case_id in one for one in expected):
            chosen.append(case.case_id)
    if not with_truth:
        raise RefusedInput(
            f"{dataset.root}: expected ground truth to score against, found none with its "
            f"{counted(len(dataset.cases), 'case')} (layout {dataset.layout}). Name the folder that holds frames and "
            "masks, or an annotation file; DICOM files and videos state no ground truth"
        )
    if not chosen:
        raise RefusedInput(
            f"expected cases with ground truth that each of {counted(len(scored_runs), 'run')} was made for, found "
            f"none among {counted(len(dataset.cases), 'case')} of the data set, {len(with_truth)} of them with ground "
            "truth. Check --data and --split"
        )
    known = {case.case_id: case.frame for case in dataset.cases}
    splits = {frame.split for frame in known.values()}
    strangers = {
        row.case_id: row.split for scored_run in scored_runs for row in scored_run.run.rows if row.case_id not in known
    }
    # A data set of exported corrections holds some of the cases that it comes from: nothing is gone.
    gone = [case_id for case_id, split in strangers.items() if split in splits and dataset.exported is None]
    lost = set(gone)
    absent = [case_id for case_id in strangers if case_id not in lost]
    elsewhere = "they are not in the data set" if splits == {None} or dataset.exported else "they are of other splits"
    kept = set(chosen)
    left_out = {
        "cases with ground truth left out, since not every run was made for them": [
            case.case_id for case in with_truth if case.case_id not in kept
        ],
        "cases of the runs left out, since the data set has them no more": gone,
        f"cases of the runs left out, since {elsewhere}": absent,
    }
    warnings = []
    if gone:
        warnings.append(
            f"{counted(len(gone), 'predicted case')}, the first {gone[0]}, gone from the data set and not scored"
        )
    regrouped = {
        row.case_id
        for scored_run in scored_runs
        for row in scored_run.run.rows
        if row.case_id in kept and not _same_groups(row, known[row.case_id])
    }
    if regrouped:
        warnings.append(
            f"{counted(len(regrouped), 'case')} of another patient or sequence now than when predicted, the first "
            f"{min(regrouped)}; the data set's groups of today are taken"
        )
    for scored_run in scored_runs:
        otherwise = _in_other_order(scored_run, dataset)
        if otherwise:
            warnings.append(
                f"{scored_run.name}: {counted(len(otherwise), 'sequence')} followed in another order of frames than "
                f"the data set has now, the first {otherwise[0]}. Predict the run again"
            )
    return ChosenCases(
        tuple(chosen), {reason: tuple(sorted(ids)) for reason, ids in left_out.items() if ids}, tuple(warnings)
    )


def _same_groups(row: PredictionRow, frame: Frame) -> bool:
    """Whether the groups that a run knew of a case are those of the data set."""
    pairs = ((row.patient, frame.patient), (row.sequence, frame.sequence))
    return all(known in (None, now) for known, now in pairs)


def _in_other_order(scored_run: ScoredRun, dataset: Dataset) -> list[str]:
    """The sequences that a run followed in another order than is the data set's; none of a run of single frames.

    A run of before positions were kept took frames by their numbers, those without one first.
    """
    run = scored_run.run
    if run.config.values.get("mode") is None:
        return []
    rows = {row.case_id: row for row in run.rows}
    frames = [case.frame for case in dataset.cases if case.case_id in rows]
    reordered = []
    for group in in_sequences(frames, lambda frame: frame):
        own, sequence = [rows[frame.case_id] for frame in group], group[0].sequence
        positions = [row.position for row in own if row.position is not None]
        if len(positions) < len(own):
            then = sorted(own, key=lambda row: (-1 if row.frame is None else row.frame, natural_key(row.case_id)))
        else:
            then = [row for _, row in sorted(zip(positions, own, strict=True), key=lambda pair: pair[0])]
        if sequence is not None and then != own and len({row.sequence for row in own}) == 1:
            reordered.append(sequence)
    return reordered


def _expected(scored_run: ScoredRun, dataset: Dataset) -> set[str]:
    own = set(scored_run.run.cases())
    if scored_run.run.config.values.get("limit") is not None:
        return own
    splits = {case.frame.split for case in dataset.cases if case.case_id in own}
    return own | {case.case_id for case in dataset.cases if case.frame.split in splits}


def checked_data(dataset: Dataset, scored_runs: Sequence[ScoredRun], case_ids: Sequence[str]) -> list[dict[str, Any]]:
    """The errors and warnings of the check, one JSON object for each kind: `severity`, `kind`, `count`, `case_id`,
    `what` and `advice` of the first, and whether it is `of_privacy`.

    Args:
        case_ids: cases whose frames are those that the scored runs were made from, see `require_same_frames`; what one
            of them read is not read again.
    """
    by_kind: dict[tuple[AuditSeverity, str], list[AuditFinding]] = {}
    for finding in audit(dataset, _seen(scored_runs, set(case_ids))).findings:
        if finding.severity is not AuditSeverity.NOTE:
            by_kind.setdefault((finding.severity, finding.kind), []).append(finding)
    return [
        {
            "severity": severity.value,
            "kind": kind,
            "count": len(findings),
            "case_id": findings[0].case_id,
            "what": findings[0].what,
            "advice": findings[0].advice,
            "of_privacy": kind in _OF_PRIVACY,
        }
        for (severity, kind), findings in by_kind.items()
    ]


def check_text(found: Mapping[str, Any]) -> str:
    """A sentence on one kind of finding, an object of `checked_data`."""
    first = "" if found["case_id"] is None else f"{found['case_id']}: "
    more = "" if found["count"] == 1 else f" (the first of {found['count']})"
    return f"data check, {found['kind']}: {first}{found['what']}{more}; {found['advice']}"


def score_warnings(checked: Sequence[Mapping[str, Any]]) -> list[str]:
    """Of `checked_data` what bears on scores, a sentence for each kind."""
    return [check_text(entry) for entry in checked if not entry["of_privacy"]]


def _seen(scored_runs: Sequence[ScoredRun], known: Set[str]) -> dict[str, SeenFrame]:
    """Those of the known frames that a run read, by case id."""
    return {
        row.case_id: SeenFrame((row.width, row.height), row.image_sha256)
        for scored_run in scored_runs
        for row in scored_run.run.rows
        if row.case_id in known and row.image_sha256 is not None and row.width and row.height
    }
