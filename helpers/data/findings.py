"""What an audit finds: one row each, without names."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum

from helpers.data.record import Case
from helpers.tables_text import aligned, safe_text

# Of one kind, in the text for people; the files hold all.
_SHOWN = 5


class Severity(StrEnum):
    """ERROR: results would be wrong. WARNING: a person must look. NOTE: good to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


_ORDER = tuple(Severity)


@dataclass(frozen=True)
class Finding:
    """One thing that is not in order.

    Attributes:
        kind: such as `size_mismatch`.
        case_id: None where it concerns the data set as a whole.
        what: what was found, without names.
        advice: what to do.
    """

    severity: Severity
    kind: str
    case_id: str | None
    what: str
    advice: str


def of_case(severity: str, kind: str, case: Case, what: str, advice: str) -> Finding:
    """A finding about one case. Raises ValueError for a severity that is none of `Severity`."""
    return Finding(Severity(severity), kind, case.case_id, what, advice)


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors first, kinds together, otherwise as they came."""
    findings = tuple(findings)
    kinds = {kind: place for place, kind in enumerate(dict.fromkeys(found.kind for found in findings))}
    return tuple(sorted(findings, key=lambda found: (_ORDER.index(found.severity), kinds[found.kind])))


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """Number of findings of each severity, zeros included."""
    found = Counter(finding.severity for finding in findings)
    return {severity.value: found[severity] for severity in Severity}


def to_csv(findings: Iterable[Finding]) -> str:
    """A table with a header; a text that a spreadsheet would run as a formula gets an apostrophe in front."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([field.name for field in fields(Finding)])
    for found in findings:
        writer.writerow([safe_text(value or "") for value in asdict(found).values()])
    return buffer.getvalue()


def to_text(findings: Sequence[Finding]) -> str:
    """A table for people, a few rows of each kind."""
    rows = [("severity", "kind", "case", "what", "what to do")]
    seen: Counter[tuple[Severity, str]] = Counter()
    totals = Counter((found.severity, found.kind) for found in findings)
    for found in findings:
        group = found.severity, found.kind
        seen[group] += 1
        if seen[group] <= _SHOWN:
            rows.append((found.severity.value, found.kind, found.case_id or "-", found.what, found.advice))
        elif seen[group] == _SHOWN + 1:
            rows.append((found.severity.value, found.kind, "...", f"and {totals[group] - _SHOWN} more", ""))
    return aligned(rows)
