"""What a reviewer says of a case, as one line of a file that is only ever appended to (docs/review.md)."""

import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

SCHEMA, SCHEMA_VERSION = "vesselkit.verdict", 1
MAX_NOTE = 2000

# What Python and a browser read alike. Without a zone a text is a moment of nobody knows where.
_MOMENT = re.compile(
    r"[12]\d{3}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)

_TEXTS = ("id", "time", "reviewer", "run", "prompt", "case_id", "note")


class NoMoment(ValueError):
    """A time that names no moment."""


class Verdict(StrEnum):
    """What is to become of a prediction."""

    ACCEPT = "accept"
    FIX = "fix"  # of use once corrected
    REJECT = "reject"


class Reason(StrEnum):
    """Why, in words that can be counted. Any number of them may be given."""

    MISSED_BRANCH = "missed branch"
    BROKEN_VESSEL = "broken vessel"
    FALSE_VESSEL = "false vessel"
    CATHETER = "catheter"
    TOO_WIDE = "too wide"
    TOO_THIN = "too thin"
    WRONG_TRUTH = "wrong ground truth"
    IMAGE_QUALITY = "image quality"


@dataclass(frozen=True)
class VerdictRecord:
    """One line of a verdict file.

    Attributes:
        id: 32 hexadecimal digits, drawn for the record; the same record is never counted twice.
        time: ISO 8601 with its zone, in UTC where the kit wrote it; see `moment`.
        run: fingerprint of the reviewed run, as a whole.
        verdict: None where the record only takes back an earlier one.
        reasons: each once.
        threshold: of the mask that was looked at, 0 .. 1; None where unknown.
        withdraws: id of the record by the same reviewer that this one takes back; None for a verdict.
        prediction: fingerprint of what the run says of the case, which other cases do not change; None in records of
            versions that did not keep it.
    """

    id: str
    time: str
    reviewer: str
    run: str
    prompt: str
    case_id: str
    verdict: Verdict | None
    reasons: tuple[Reason, ...] = ()
    note: str = ""
    threshold: float | None = None
    withdraws: str | None = None
    prediction: str | None = None

    @property
    def moment(self) -> datetime:
        """When the record was given, aware, to the microsecond. Raises NoMoment as `moment_of`."""
        return moment_of(self.time)

    def __post_init__(self) -> None:
        if (self.verdict is None) is (self.withdraws is None):
            raise ValueError("expected a verdict, or the id of one to take back")
        if len(self.note) > MAX_NOTE:
            raise ValueError(f"note: expected at most {MAX_NOTE} characters, got {len(self.note)}")

    def to_json(self) -> dict[str, Any]:
        """The record as a JSON object."""
        return {"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **asdict(self), "reasons": list(self.reasons)}

    def to_line(self) -> str:
        """The record as JSON on one line, with its line feed."""
        return json.dumps(self.to_json()) + "\n"

    @classmethod
    def from_json(cls, values: Any) -> "VerdictRecord":
        """The record of a parsed line. Raises ValueError for anything else."""
        if not isinstance(values, Mapping) or values.get("schema") != SCHEMA:
            raise ValueError(f"expected an object of schema {SCHEMA}")
        if values.get("schema_version") != SCHEMA_VERSION:
            raise ValueError(f"expected version {SCHEMA_VERSION}, got {values.get('schema_version')!r}")
        if not all(isinstance(values.get(name), str) for name in _TEXTS):
            raise ValueError(f"expected texts as {', '.join(_TEXTS)}")
        "".join(values[name] for name in _TEXTS).encode()  # half a character, which no table takes, is a ValueError
        moment_of(values["time"])
        threshold, withdraws, reasons = (values.get(name) for name in ("threshold", "withdraws", "reasons"))
        prediction = values.get("prediction")
        if not isinstance(threshold, int | float | None) or not isinstance(withdraws, str | None):
            raise ValueError("expected a number as threshold and an id as withdraws, or null")
        if not isinstance(prediction, str | None):
            raise ValueError("expected a fingerprint as prediction, or null")
        if threshold is not None and not 0 <= threshold <= 1:
            raise ValueError(f"threshold: expected 0 to 1, got {threshold}")
        if not isinstance(reasons, list):
            raise ValueError("expected a list as reasons")
        return cls(
            **{name: values[name] for name in _TEXTS},
            verdict=None if values.get("verdict") is None else Verdict(values["verdict"]),
            reasons=tuple(dict.fromkeys(Reason(reason) for reason in reasons)),
            threshold=None if threshold is None else float(threshold),
            withdraws=withdraws,
            prediction=prediction,
        )


def moment_of(text: str) -> datetime:
    """The moment that a time of a record names, aware, to the microsecond.

    Args:
        text: such as 2026-05-01T12:00:00.000Z or 2026-05-01T14:00+02:00, of the years 1000 to 2999.
    Raises:
        NoMoment: for anything else.
    """
    try:
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:  # a day that its month does not have
        pass
    raise NoMoment(f"time: expected a moment with its zone, such as 2026-05-01T12:00:00Z, got {text[:40]!r}")


def is_on(record: VerdictRecord, run: str, prediction: str | None) -> bool:
    """Whether a record is on what a run says of the record's case.

    Args:
        run: fingerprint of the run as it is now.
        prediction: fingerprint of what it says of the case now; None where unknown.
    """
    return record.run == run if record.prediction is None else record.prediction == prediction


def elsewhere(count: int) -> str:
    """What to tell of records that are kept and play no part."""
    return (
        f"{count} verdicts play no part: they are on another run or prompt, or on what this run said before it was "
        "predicted again. They are kept"
    )


def new_id() -> str:
    """An id that no other record has."""
    return secrets.token_hex(16)


def now(after: Iterable[VerdictRecord] = ()) -> str:
    """The present time as records carry it, but later than the moments of the given records.

    The last verdict stands, and a clock may have been set back since the one before.
    """
    time, last = datetime.now(UTC), max((record.moment for record in after), default=None)
    if last is not None and moment_of(_written(time)) <= last:
        time = max(time, last.astimezone(UTC) + timedelta(milliseconds=1))
    return _written(time)


def _written(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def current(records: Iterable[VerdictRecord]) -> dict[str, dict[str, VerdictRecord]]:
    """Reviewer -> case id -> the verdict that stands.

    The last of a reviewer's verdicts on a case stands; where it was taken back, the one before it.

    Args:
        records: of one run and prompt, in any order but among those of the same moment.
    """
    records = sorted(records, key=lambda record: record.moment)
    gone = {(record.reviewer, record.withdraws) for record in records if record.withdraws}
    found: dict[str, dict[str, VerdictRecord]] = {}
    for record in records:
        if record.verdict is not None and (record.reviewer, record.id) not in gone:
            found.setdefault(record.reviewer, {})[record.case_id] = record
    return found
