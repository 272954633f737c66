"""Verdicts of reviewers: one line each, in files that only grow (docs/review.md)."""

import json
import logging
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock

from helpers.core.errors import RefusedInput
from helpers.core.json_lines import MAX_BYTES, append_line
from helpers.core.paths import plain_name
from helpers.core.shown_text import counted

logger = logging.getLogger(__name__)
SUFFIX = ".jsonl"
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


class Timed(Protocol):
    """A record of when something was said or done."""

    @property
    def moment(self) -> datetime: ...


class Verdict(StrEnum):
    """What is to become of a prediction."""

    ACCEPT = "accept"
    FIX = "fix"  # of use once corrected
    REJECT = "reject"


class VerdictReason(StrEnum):
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
    reasons: tuple[VerdictReason, ...] = ()
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
            reasons=tuple(dict.fromkeys(VerdictReason(reason) for reason in reasons)),
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
        f"{counted(count, 'verdict')} kept without a part here: on another run or prompt, or on what this run said "
        "before it was predicted again"
    )


def new_id() -> str:
    """An id that no other record has."""
    return secrets.token_hex(16)


def now(after: Iterable[Timed] = ()) -> str:
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
    latest: dict[str, dict[str, VerdictRecord]] = {}
    for record in records:
        if record.verdict is not None and (record.reviewer, record.id) not in gone:
            latest.setdefault(record.reviewer, {})[record.case_id] = record
    return latest


@dataclass(frozen=True)
class VerdictStore:
    """The verdicts of all reviewers on one run, in `folder`."""

    folder: Path

    def append(self, record: VerdictRecord) -> None:
        """Add a record to its reviewer's file.

        Raises:
            UsageProblem: for a reviewer whose name cannot be that of a file.
            OSError: where it cannot be written.
        """
        self._write(record.reviewer, [record])

    def merge(self, records: Iterable[VerdictRecord]) -> int:
        """Add records from elsewhere, such as a downloaded file; how many were new. Raises as `append`."""
        by_reviewer: dict[str, list[VerdictRecord]] = {}
        for record in records:
            by_reviewer.setdefault(record.reviewer, []).append(record)
        for reviewer in by_reviewer:
            plain_name(reviewer, "reviewer")  # all or none are taken
        return sum(self._write(reviewer, found) for reviewer, found in by_reviewer.items())

    def records(self) -> tuple[VerdictRecord, ...]:
        """All records, reviewer by reviewer, each in the order in which they were given."""
        return tuple(record for path in sorted(self.folder.glob(f"*{SUFFIX}")) for record in read_lines(path))

    def _write(self, reviewer: str, records: list[VerdictRecord]) -> int:
        path = self.folder / f"{plain_name(reviewer, 'reviewer')}{SUFFIX}"
        self.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            known = {record.id for record in read_lines(path)} if path.exists() else set()
            new = [record for record in records if record.id not in known]
            if new:
                append_line(path, "".join(record.to_line() for record in new))
        return len(new)


def read_lines(path: Path) -> tuple[VerdictRecord, ...]:
    """The records of a verdict file. Lines that are none are skipped, and counted in a warning.

    Raises:
        RefusedInput: for a file that cannot be read, is too large, or holds lines and none of them is a record.
    """
    return _without_spoilt(path, *_parsed(path))


def read_taken(path: Path) -> tuple[VerdictRecord, ...]:
    """The records of a file from elsewhere, as `read_lines` gives them.

    Raises:
        RefusedInput: as `read_lines`, and for a record whose time names no moment: which verdict stands is unknown.
    """
    records, spoilt = _parsed(path)
    timeless = {number: error for number, error in spoilt.items() if isinstance(error, NoMoment)}
    if timeless:
        number, error = next(iter(timeless.items()))
        raise RefusedInput(
            f"{path}: line {number}: {error}. So it is in {counted(len(timeless), 'line')}, and "
            "it is unclear which of a reviewer's verdicts is the last. Take the file as the page wrote it, "
            "or correct the times; nothing was imported"
        )
    return _without_spoilt(path, records, spoilt)


def _parsed(path: Path) -> tuple[Sequence[VerdictRecord], Mapping[int, Exception]]:
    """The records of a file, and by number of the line what is wrong with the others."""
    try:
        state = path.stat()
        return _parsed_of(path, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise RefusedInput(f"{path}: expected a file of verdicts ({error.strerror}). Check the path") from error


@lru_cache(maxsize=64)
def _parsed_of(path: Path, size: int, changed: int) -> tuple[Sequence[VerdictRecord], Mapping[int, Exception]]:
    """As `_parsed`; `changed` is there so that a file that was written again is read again."""
    if size > MAX_BYTES:
        raise RefusedInput(f"{path}: expected a file of verdicts, found more than {MAX_BYTES:,} bytes")
    lines = path.read_bytes().split(b"\n")
    records, spoilt = list[VerdictRecord](), dict[int, Exception]()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
            if not _is_other_record(values):
                records.append(VerdictRecord.from_json(values))
        except (ValueError, RecursionError) as error:
            spoilt[number] = error.with_traceback(None)  # which would keep the whole file
    return records, spoilt


def _is_other_record(values: Any) -> bool:
    """Whether a line is a record of the kit, but no verdict: the page's file holds drawn corrections too."""
    schema = values.get("schema") if isinstance(values, dict) else None
    return isinstance(schema, str) and schema.startswith("vesselkit.") and schema != SCHEMA


def _without_spoilt(
    path: Path, found: Sequence[VerdictRecord], spoilt: Mapping[int, Exception]
) -> tuple[VerdictRecord, ...]:
    if spoilt and not found and len(spoilt) > 1:
        raise RefusedInput(f"{path}: expected verdicts as docs/review.md has them, one a line, found none. Check it")
    if spoilt:
        logger.warning("a verdict file has %s cut or damaged, skipped", counted(len(spoilt), "line"))
    return tuple(found)
