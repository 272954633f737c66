"""What `vesselkit data check` finds in the data set of an evaluation, so that no score goes without it."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from helpers.data.audit import SeenFrame, audit
from helpers.data.dataset import Dataset
from helpers.data.findings import Finding, Severity
from helpers.evaluation.subjects import Subject

# No score depends on these.
_OF_PRIVACY = frozenset(("name_in_path", "identity_in_header", "burned_in"))


def checked_data(dataset: Dataset, subjects: Sequence[Subject], case_ids: Sequence[str]) -> list[dict[str, Any]]:
    """The errors and warnings of the check, one JSON object for each kind: `severity`, `kind`, `count`, `case_id`,
    `what` and `advice` of the first, and whether it is `of_privacy`.

    Args:
        case_ids: cases whose frames are those that the subjects were made from, see `require_same_frames`; what one of
            them read is not read again.
    """
    by_kind: dict[tuple[Severity, str], list[Finding]] = {}
    for found in audit(dataset, _seen(subjects, set(case_ids))).findings:
        if found.severity is not Severity.NOTE:
            by_kind.setdefault((found.severity, found.kind), []).append(found)
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
    return [check_text(found) for found in checked if not found["of_privacy"]]


def _seen(subjects: Sequence[Subject], known: Set[str]) -> dict[str, SeenFrame]:
    """Those of the known frames that a run read, by case id."""
    return {
        row.case_id: SeenFrame((row.width, row.height), row.image_sha256)
        for subject in subjects
        for row in subject.run.rows
        if row.case_id in known and row.image_sha256 is not None and row.width and row.height
    }
