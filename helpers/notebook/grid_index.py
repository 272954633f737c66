"""How the jobs of a grid stand: a mark beside each that is done, and an index of all as a page and a JSON file."""

import html
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from helpers.core import paths
from helpers.core.atomic import write_json_atomic, write_text_atomic
from helpers.core.documents import write_document
from helpers.core.errors import UsageProblem
from helpers.notebook.grid_file import Grid, Job
from helpers.notebook.grid_keys import existing_input

SCHEMA = "vesselkit.batch"
SCHEMA_VERSION = 1

_STYLE = (
    "body{font:15px/1.4 system-ui,sans-serif;margin:2em}table{border-collapse:collapse}"
    "td,th{border:1px solid #bbb;padding:.3em .6em;text-align:left;vertical-align:top}"
    ".failed{background:#fdd}.done,.kept{background:#efe}"
)


class JobStatus(StrEnum):
    """How a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    KEPT = "kept"  # done by an earlier run
    FAILED = "failed"
    STOPPED = "stopped"  # by an interrupt


@dataclass(frozen=True)
class JobState:
    """A job's line in the index.

    Attributes:
        notebook: name of the executed copy (of the failed one, where it failed); None where there is none.
        started: seconds since 1970; None where it did not start.
        exit_code: of its process; None where it did not end.
    """

    status: JobStatus = JobStatus.WAITING
    notebook: str | None = None
    started: float | None = None
    seconds: float | None = None
    exit_code: int | None = None


def write_index(grid: Grid, states: dict[int, JobState]) -> None:
    """Write `index.json` and `index.html` into the grid's folder.

    Args:
        states: by job number; one for each job.
    """
    rows = [
        {
            "job": job.name,
            "key": job.key,
            "varied": {
                name: _shown(value, name, grid.settings.grid[name].index(value) + 1)
                for name, value in job.varied.items()
            },
            "status": states[job.number].status.value,
            "started": _utc(states[job.number].started),
            "seconds": states[job.number].seconds,
            "exit_code": states[job.number].exit_code,
            "notebook": states[job.number].notebook,
        }
        for job in grid.jobs
    ]
    counts = {status.value: sum(row["status"] == status for row in rows) for status in JobStatus}
    index = {
        "notebook": grid.settings.notebook.name,
        "project": grid.settings.project,
        "counts": counts,
        "jobs": rows,
    }
    write_document(grid.folder / "index.json", SCHEMA, SCHEMA_VERSION, index)
    write_text_atomic(grid.folder / "index.html", _page(grid, index))


def write_mark(job: Job, output: Path, since: float, seconds: float) -> None:
    """Say that a job is done, beside its executed notebook.

    Args:
        since: seconds since 1970 when it began.
        seconds: how long it took.
    """
    mark = {"key": job.key, "started": since, "seconds": seconds, "notebook": output.name}
    write_json_atomic(output.with_suffix(".json"), mark)


def kept_state(folder: Path, job: Job) -> JobState | None:
    """The state of a job that an earlier run finished, whatever its number was then."""
    for path in sorted(folder.glob(f"job-*-{job.short_key}.json")):
        try:
            mark = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue
        if mark.get("key") == job.key and path.with_suffix(".ipynb").is_file():
            return JobState(JobStatus.KEPT, path.with_suffix(".ipynb").name, mark["started"], mark["seconds"], 0)
    return None


def _page(grid: Grid, index: dict[str, Any]) -> str:
    """The index as one HTML page that needs nothing else."""
    title = html.escape(f"{grid.folder.name}: {index['notebook']}, project {index['project']}")
    counts = ", ".join(f"{count} {status}" for status, count in index["counts"].items() if count)
    names = list(grid.settings.grid)
    heads = "".join(f"<th>{html.escape(text)}</th>" for text in ("job", *names, "status", "started (UTC)", "seconds"))
    lines = []
    for row in index["jobs"]:
        seconds = "" if row["seconds"] is None else f"{row['seconds']:.1f}"
        label = html.escape(row["job"])
        if row["notebook"]:
            label = f'<a href="{html.escape(row["notebook"])}">{label}</a>'
        cells = [label, *(html.escape(str(row["varied"][name])) for name in names)]
        cells += [row["status"], row["started"] or "", seconds]
        lines.append(f'<tr class="{row["status"]}">' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>{title}</h1>\n<p>{html.escape(counts)}</p>\n"
        f"<table>\n<tr>{heads}</tr>\n" + "\n".join(lines) + "\n</table>\n</body></html>\n"
    )


def _shown(value: Any, name: str, place: int) -> Any:
    """A grid value as the index shows it: of a path its last name if that is plain, else its place in the grid."""
    if isinstance(value, list):
        return [_shown(item, name, place) for item in value]
    if not isinstance(value, str) or not (os.path.isabs(value) or existing_input(value)):
        return value
    try:
        return paths.plain_name(Path(value).name, name)
    except UsageProblem:
        return f"{name} {place}"


def _utc(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
