"""Resuming a run folder: decides for every case, also of a finished run, whether to compute it, and why."""

import json
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from helpers.core.progress import track
from helpers.core.shown_text import counted
from helpers.data.frames.frame import Frame
from helpers.data.frames.frame_source import current_sha256
from helpers.runs.case_parts import done_part, part_or_none, part_path
from helpers.runs.provenance import (
    PACKAGES,
    file_state,
    is_as_found,
    making_text,
    making_words,
    write_source,
)
from helpers.runs.result_rows import listed
from helpers.runs.run_config import MANIFEST_NAME
from helpers.runs.status import PredictionStatus

logger = logging.getLogger(__name__)


class RecomputeReason(StrEnum):
    """Why a case is computed."""

    NEW = "not done yet"
    DAMAGED = "their files in the run are damaged or incomplete"
    CHANGED = "their image file changed since it was predicted, or has become readable"
    OUT_OF_MEMORY = "the memory did not suffice last time"
    CUT = "the limit of before cut their batch or sequence"
    SEQUENCE = "another frame of their sequence is computed again"


def open_cases(
    run: Path, config_sha256: str, frames: Sequence[Frame], earlier: Mapping[str, Collection[str]] | None = None
) -> dict[str, RecomputeReason]:
    """The cases to compute, in the frames' order, with the reason.

    A case stays as it is where its part and artefacts are whole, its image still holds the pixels that were predicted,
    and the memory sufficed. An image that could not be read is tried again; one that cannot be read any more, as on a
    disk that is away, takes back no result.

    Args:
        earlier: SHA-256 of a configuration of before the run grew -> the cases that its parts count for, those whose
            batch or sequence is the same now.
    """
    found = {}
    for frame in track(frames, "check", unit="case"):
        reason = _reason(run, config_sha256, frame, earlier or {})
        if reason is not None:
            found[frame.case_id] = reason
    return found


def reopen(run: Path, reasons: Mapping[str, RecomputeReason]) -> None:
    """Take back that cases are done, and that the run is finished, before any of them is written again.

    Only the process that holds the cases' shard and may finish the run may call this.
    """
    if reasons:
        (run / MANIFEST_NAME).unlink(missing_ok=True)
    for case_id, reason in reasons.items():
        if reason is not RecomputeReason.NEW:
            part_path(run, case_id).unlink(missing_ok=True)


def tell(reasons: Mapping[str, RecomputeReason]) -> None:
    """Log how many done cases are computed again, which, and why."""
    for reason in RecomputeReason:
        case_ids = [case_id for case_id, found in reasons.items() if found is reason]
        if case_ids and reason is not RecomputeReason.NEW:
            logger.warning("%s computed again (%s): %s", counted(len(case_ids), "case"), reason, listed(case_ids))


def tell_making(run: Path, case_ids: Iterable[str], made_with: Mapping[str, str | None]) -> None:
    """Log where cases that stay were computed under other versions, or on another machine, than those to come.

    Of cases that do not say it, the manifest of the run says under which versions they were finished.

    Args:
        case_ids: that are not computed now; those that are not there yet are skipped.
        made_with: of this process, as `making` gives it.
    """
    finished = _finished_with(run)
    tell_mixture(
        Counter(
            making_text(part.made_with or finished)
            for case_id in case_ids
            if part_path(run, case_id).exists() and (part := part_or_none(run, case_id)) is not None
        ),
        made_with,
    )


def tell_mixture(found: Mapping[str | None, int], made_with: Mapping[str, str | None]) -> None:
    """The same of numbers of cases by `making_text`."""
    for text, count in found.items():
        before = {} if text is None else json.loads(text)
        other = [name for name in made_with if made_with[name] != before.get(name, made_with[name])]
        if text is None:
            logger.warning("%s of this run computed under versions that are not known", counted(count, "case"))
        elif other:
            logger.warning(
                "%s of this run computed with %s, those to come with %s: results may differ by that alone. To have all "
                "from one, predict into a new folder",
                counted(count, "case"),
                making_words(before, other),
                making_words(made_with, other),
            )


def _finished_with(run: Path) -> dict[str, str] | None:
    """The versions in the manifest of a run; None where there is none that can be read."""
    try:
        versions = json.loads((run / MANIFEST_NAME).read_text(encoding="utf-8"))["versions"]
        return {name: str(versions[name]) for name in ("vesselkit", *PACKAGES)}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _reason(
    run: Path, config_sha256: str, frame: Frame, earlier: Mapping[str, Collection[str]]
) -> RecomputeReason | None:
    part = done_part(run, config_sha256, frame.case_id, earlier)
    if part is None:
        return RecomputeReason.DAMAGED if part_path(run, frame.case_id).exists() else RecomputeReason.NEW
    if frame.case_id not in earlier.get(part.config_sha256, (frame.case_id,)):
        return RecomputeReason.CUT
    if any(row.status is PredictionStatus.OOM for row in part.rows):
        return RecomputeReason.OUT_OF_MEMORY
    known = part.rows[0].image_sha256
    if known is not None and is_as_found(run, frame, known):
        return None
    # Before the reading, so that a file which changes meanwhile counts as changed.
    state = file_state(frame.path, frame.bits)
    found = current_sha256(frame)
    if found is None:
        return None
    if found != known:
        return RecomputeReason.CHANGED
    if state is not None:
        write_source(run, frame.case_id, state, known)
    return None
