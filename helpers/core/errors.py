"""The errors a user can meet, each tied to one exit code, and what the system does to a command, in words.

A message says what was expected, what came, and what to do; it names the file.
"""

import errno
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# No more can be written: the disk is full, a quota of it is used up, or files may not become that large.
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
READ_ONLY = frozenset({errno.EROFS})
DENIED = frozenset({errno.EACCES, errno.EPERM})
# What a disk or network drive answers that is broken or away; not every system has every one of these.
_AWAY = frozenset(
    number
    for name in ("EIO", "ESTALE", "ENODEV", "ENXIO", "ENOTCONN", "ETIMEDOUT", "EHOSTDOWN", "EHOSTUNREACH", "EREMOTEIO")
    if (number := getattr(errno, name, None)) is not None
)
_GONE = frozenset({errno.ENOENT})
_NAME_TOO_LONG = frozenset({errno.ENAMETOOLONG})
_FREE = {
    errno.EDQUOT: "Free some space of yours, since your quota is used up",
    errno.EFBIG: "Free some space, or have your quota or the largest size of a file (`ulimit -f`) raised",
}
_LOOK = "Check that the disk or network drive is there"
OUT_OF_MEMORY = "the memory ran out"
MORE_MEMORY = "Close other programs, or have less done at a time (a smaller batch size, fewer processes)"


class VesselkitError(Exception):
    """Base of every error that the kit raises on purpose. Exit code 1."""

    exit_code = 1


class Stopped(VesselkitError):
    """The user or a scheduler ended the work; what was finished is kept. Exit code 130, as for any Ctrl-C."""

    exit_code = 130


class UsageProblem(VesselkitError):
    """A command or notebook was called with parameters that cannot work. Exit code 2."""

    exit_code = 2


class RefusedInput(VesselkitError):
    """An input file was read as far as needed and refused. Exit code 3."""

    exit_code = 3


@dataclass(frozen=True)
class OsErrorText:
    """An error of the system for people: what was found, and what to do, both without a full stop."""

    found: str
    advice: str


def in_words(error: OSError) -> OsErrorText | None:
    """What an error of the disk means; None for one that says nothing of the disk."""
    if error.errno in DISK_FULL:
        return OsErrorText("the disk became full", _FREE.get(error.errno, "Free some space"))
    if error.errno in READ_ONLY:
        return OsErrorText(f"cannot be written ({error.strerror})", "Name another folder, or make this one writable")
    if error.errno in DENIED:
        return OsErrorText(f"access was denied ({error.strerror})", "Name another folder, or give yourself access")
    if error.errno in _AWAY:
        return OsErrorText(f"the disk or network drive failed ({error.strerror})", _LOOK)
    if error.errno in _GONE:
        return OsErrorText(f"no longer exists ({error.strerror})", _LOOK)
    if error.errno in _NAME_TOO_LONG:
        return OsErrorText(f"a name is too long for this disk ({error.strerror})", "Name a folder with a shorter path")
    return None


@contextmanager
def explain_os_errors() -> Iterator[None]:
    """Raise VesselkitError in place of an error of the disk, or of the memory; others go on as they are.

    For commands: what knows more of its work says more itself.
    """
    try:
        yield
    except OSError as error:
        words = in_words(error)
        if words is None:
            raise
        place = "" if error.filename is None else f"{error.filename}: "
        raise VesselkitError(f"{place}{words.found}. {words.advice}, then give the same command again") from error
    except MemoryError as error:
        raise VesselkitError(f"{OUT_OF_MEMORY}. {MORE_MEMORY}, then give the same command again") from error


@contextmanager
def exit_as_interrupted() -> Iterator[None]:
    """Within the block a scheduler's request to end, or a lost terminal, is what Ctrl-C is: KeyboardInterrupt.

    A process that simply ends leaves half a result behind, and processes that it started. A signal that was to be
    ignored, as under nohup, stays so. Only the main thread can.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = ("SIGTERM", "SIGHUP")  # Windows knows no hang-up
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    taken = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
