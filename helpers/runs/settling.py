"""Cases that are done, compared with their parts and put on the disk while others are computed."""

import contextlib
import queue
import threading
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.runs.case_parts import CasePart, done_part, part_path
from helpers.runs.durable import flush_each

_PAUSE = 0.25  # seconds between two looks for cases of other processes


@dataclass(frozen=True)
class _Settled:
    """A part, and the state of its file before it was read."""

    part: CasePart
    state: tuple[int, int, int]


class Settling:
    """Settles cases on a thread of its own: their files are compared with their parts, and put on the disk.

    Within its block; what is not settled when it ends is left to the end of the run, as is what cannot be.
    """

    def __init__(self, run: Path, config_sha256: str, earlier: Collection[str], others: Iterable[str] = ()):
        """Prepare for a run.

        Args:
            config_sha256, earlier: as of `done_part`.
            others: case ids that other processes compute meanwhile.
        """
        self._run, self._config, self._earlier = run, config_sha256, earlier
        self._others = set(others)
        self._waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._settled: dict[str, _Settled] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._settle_all, name="settle", daemon=True)

    def __enter__(self) -> "Settling":
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._ended.set()
        self._waiting.put("")  # wakes the thread
        self._thread.join()

    def put(self, case_id: str) -> None:
        """Queue a case that this process has just committed; from any thread."""
        self._waiting.put(case_id)

    def part(self, case_id: str) -> CasePart | None:
        """The part of a settled case; None where it is not, or its part or a file was written again since."""
        known = self._settled.get(case_id)
        if known is None or known.state != _state(part_path(self._run, case_id)):
            return None
        sizes = ((self._run / name, wanted.nbytes) for name, wanted in known.part.artefacts.items())
        return known.part if all(_size(path) == wanted for path, wanted in sizes) else None

    def _settle_all(self) -> None:
        # What cannot be read or written is met again, and said, where the run is finished.
        with contextlib.suppress(OSError):
            for case_id in self._to_settle():
                self._settle(case_id)

    def _to_settle(self) -> Iterator[str]:
        while not self._ended.is_set():
            try:
                case_id = self._waiting.get(timeout=_PAUSE)
                if not self._ended.is_set():
                    yield case_id
            except queue.Empty:
                there = [case_id for case_id in self._others if part_path(self._run, case_id).exists()]
                self._others.difference_update(there)
                for case_id in there:
                    if not self._ended.is_set():
                        yield case_id

    def _settle(self, case_id: str) -> None:
        path = part_path(self._run, case_id)
        state = _state(path)
        part = done_part(self._run, self._config, case_id, self._earlier)
        if part is None or state is None:
            return
        files = [self._run / name for name in part.artefacts]
        flush_each([path, *files, *{file.parent for file in files}])
        self._settled[case_id] = _Settled(part, state)


def _state(path: Path) -> tuple[int, int, int] | None:
    """What changes where a file is written again; None for none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _size(path: Path) -> int | None:
    """Bytes of a file; None for none."""
    state = _state(path)
    return None if state is None else state[2]
