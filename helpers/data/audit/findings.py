"""Findings of an audit: one row each, without names; and those in the ground truth of one case."""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum

import numpy as np

from helpers.core.errors import RefusedInput
from helpers.core.shown_text import aligned, counted, safe_text
from helpers.data.cases import Case, Truth
from helpers.data.frames.frame import MOST_VESSEL
from helpers.data.truth.full_masks import SWAPPED
from helpers.data.truth.ground_truth import PolygonTruth, UnionTruth
from helpers.data.truth.rescaled_truth import RescaledTruth
from helpers.data.truth.shape_labels import LabelledTruth, united
from helpers.data.truth.shapes import enclosed
from helpers.data.truth.truth_problem import ProblemKind, TruthProblem, texts

# Of one kind, in the text for people; the files hold all.
_SHOWN = 5


class AuditSeverity(StrEnum):
    """ERROR: results would be wrong. WARNING: a person must look. NOTE: good to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


_ORDER = tuple(AuditSeverity)


@dataclass(frozen=True)
class AuditFinding:
    """One thing that is not in order.

    Attributes:
        kind: such as `size_mismatch`.
        case_id: None where it concerns the data set as a whole.
        what: what was found, without names.
        advice: what to do.
    """

    severity: AuditSeverity
    kind: str
    case_id: str | None
    what: str
    advice: str


def of_case(severity: str, kind: str, case: Case, what: str, advice: str) -> AuditFinding:
    """A finding about one case. Raises ValueError for a severity that is none of `AuditSeverity`."""
    return AuditFinding(AuditSeverity(severity), str(kind), case.case_id, what, advice)


def ordered(findings: Iterable[AuditFinding]) -> tuple[AuditFinding, ...]:
    """Errors first, kinds together, otherwise as they came."""
    findings = tuple(findings)
    kinds = {kind: place for place, kind in enumerate(dict.fromkeys(finding.kind for finding in findings))}
    return tuple(sorted(findings, key=lambda finding: (_ORDER.index(finding.severity), kinds[finding.kind])))


def counts(findings: Iterable[AuditFinding]) -> dict[str, int]:
    """Number of findings of each severity, zeros included."""
    by_severity = Counter(finding.severity for finding in findings)
    return {severity.value: by_severity[severity] for severity in AuditSeverity}


def to_csv(findings: Iterable[AuditFinding]) -> str:
    """A table with a header; a text that a spreadsheet would run as a formula gets an apostrophe in front."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([field.name for field in fields(AuditFinding)])
    for finding in findings:
        writer.writerow([safe_text(value or "") for value in asdict(finding).values()])
    return buffer.getvalue()


def to_text(findings: Sequence[AuditFinding]) -> str:
    """A table for people, a few rows of each kind."""
    rows = [("severity", "kind", "case", "what", "what to do")]
    seen: Counter[tuple[AuditSeverity, str]] = Counter()
    totals = Counter((finding.severity, finding.kind) for finding in findings)
    for finding in findings:
        group = finding.severity, finding.kind
        seen[group] += 1
        if seen[group] <= _SHOWN:
            rows.append((finding.severity.value, finding.kind, finding.case_id or "-", finding.what, finding.advice))
        elif seen[group] == _SHOWN + 1:
            rows.append((finding.severity.value, finding.kind, "...", f"and {totals[group] - _SHOWN} more", ""))
    return aligned(rows)


def truth_findings(
    case: Case, size: tuple[int, int] | None, annotated: bool, undecided: str | None
) -> Iterator[AuditFinding]:
    """Problems of a case's annotation, one finding for each kind, and a mask that is empty, full or has filled holes.

    Args:
        size: width and height of the frame, pixels; None where it cannot be read.
        annotated: whether other cases of the data set have a ground truth.
        undecided: the problem that stands once for the whole data set, and not here; None without one.
    """
    truth = case.truth
    if truth is None:
        if annotated:
            yield of_case("warning", "missing_truth", case, "has no ground truth, others have", "add its mask")
        return
    problems = truth.problems(*(size or (None, None)))
    if undecided is not None and undecided in texts(problems):
        return
    by_kind: dict[ProblemKind, list[TruthProblem]] = defaultdict(list)
    for problem in problems:
        by_kind[problem.kind].append(problem)
    for kind, (first, *others) in by_kind.items():
        what = f"{first.text}; and {len(others)} more such" if others else first.text
        yield of_case("warning" if kind.is_remark else "error", kind, case, what, first.advice)
    if size is None or not all(problem.kind.is_remark for problem in problems):
        return
    try:
        share = float(np.mean(truth.mask(*size)))
    except RefusedInput:
        yield of_case("error", "broken_truth", case, "the ground truth cannot be drawn", "correct the annotation")
        return
    if share == 0:
        yield of_case("warning", "empty_truth", case, "the ground truth is empty", "check that it is meant so")
    elif share > MOST_VESSEL:
        said = f"the ground truth fills {share:.0%} of the frame"
        yield of_case("warning", "full_truth", case, said, SWAPPED)
    count = enclosed_polygons(truth, *size)
    if count:
        polygons = counted(count, "polygon")
        said = (
            f"{polygons} wholly inside another one of the object, counted as vessel, which is wrong where it is a hole"
        )
        yield of_case(
            "warning", "enclosed_polygon", case, said, "export masks with holes as mask files or as run-length codes"
        )


def enclosed_polygons(truth: Truth, width: int, height: int) -> int:
    """How many polygons of a truth lie wholly inside another one of their object. Other kinds of truth have none.

    Args:
        truth: without problems.
        width, height: of the frame in pixels; a size that the truth itself states goes first.
    """
    if isinstance(truth, RescaledTruth):
        return enclosed_polygons(truth.given, *(truth.size or (width, height)))
    if isinstance(truth, UnionTruth):
        return sum(enclosed_polygons(part, width, height) for part in truth.parts)
    if isinstance(truth, LabelledTruth):
        if not truth.in_order:
            return sum(enclosed_polygons(part, width, height) for _, part in truth.parts)
        truth = united(truth)
    if not isinstance(truth, PolygonTruth):
        return 0
    objects: dict[Hashable, list[tuple[float, ...]]] = defaultdict(list)
    for number, polygon in enumerate(truth.polygons):
        objects[truth.objects[number] if truth.objects else None].append(polygon)
    return sum(enclosed(polygons, *(truth.size or (width, height))) for polygons in objects.values())
