"""The local key under which case ids are drawn: a file of 32 random bytes, created once, read by its owner alone."""

import hashlib
import logging
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from helpers.core.atomic import write_text_atomic
from helpers.core.errors import RefusedInput, UsageProblem, VesselkitError
from helpers.core.paths import resolve

_NAME_MACHINE_KEY = "vesselkit"
_KEY_NAME = "machine.key"
_log = logging.getLogger(__name__)

FOLDER = ".vesselkit"
_NAME = "id.key"
_BYTES = 32
_WAIT_SECONDS = 120


def default_key_path(root: Path) -> Path:
    """Where the key of the data set in the folder `root` lies unless it is named: `.vesselkit/id.key`."""
    return root / FOLDER / _NAME


@contextmanager
def locked(key: Path) -> Iterator[None]:
    """Keep other processes from the key and its map within the block; their folder is made where it is missing.

    Raises:
        UsageProblem: where the folder cannot be written.
        VesselkitError: where another process holds it for two minutes.
    """
    lock = FileLock(key.with_suffix(".lock"), timeout=_WAIT_SECONDS, mode=0o600)
    try:
        make_folder(key.parent)
        lock.acquire()
    except Timeout as error:
        raise VesselkitError(
            f"{key.parent}: another process holds the case ids; try again when it has ended"
        ) from error
    except OSError as error:
        raise _not_writable(key.parent, error) from error
    try:
        yield
    finally:
        lock.release()


def read_key(path: Path) -> bytes:
    """The key, 32 bytes; a file that others may read is made its owner's alone.

    Raises `RefusedInput` where the file is missing or holds something else.
    """
    _make_private(path)
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise RefusedInput(f"{path}: expected {2 * _BYTES} hexadecimal digits, found none. Restore the key") from error
    if len(key) != _BYTES:
        raise RefusedInput(f"{path}: expected {2 * _BYTES} hexadecimal digits, found {2 * len(key)}. Restore the key")
    return key


def create_key(path: Path) -> bytes:
    """Make a new key, which `locked` must guard; an existing file is never replaced (FileExistsError)."""
    if path.exists():
        raise FileExistsError(path)
    key = secrets.token_bytes(_BYTES)
    write_private(path, key.hex() + "\n")
    return key


def fingerprint(key: bytes) -> str:
    """16 hexadecimal digits that tell keys apart and do not give them away."""
    return hashlib.sha256(b"vesselkit id key" + key).hexdigest()[:16]


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read (mode 600), complete or not at all.

    Raises:
        UsageProblem: where the folder cannot be written.
    """
    partial = path.with_name(f".partial-{path.name}-{secrets.token_hex(4)}")
    try:
        handle = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise _not_writable(path.parent, error) from error
    finally:
        partial.unlink(missing_ok=True)


def _make_private(path: Path) -> None:
    """Take the rights of group and others from a file of ours, where the system knows them and lets us."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if os.name == "posix" and mode & 0o077:
            path.chmod(0o600)
            _log.warning("the key of the case ids could be read by others (mode %o); its mode is 600 now", mode)
    except OSError as error:
        _log.warning("the mode of the key of the case ids could not be set to 600 (%s)", error.strerror)


def keep_from_git(folder: Path, *names: str) -> None:
    """Have git ignore these files of a folder, where it lies in a work tree: `.gitignore` there gets them.

    Raises:
        UsageProblem: where it cannot be written.
    """
    if not any((above / ".git").exists() for above in (folder, *folder.parents)):
        return
    ignore = folder / ".gitignore"
    try:
        said = ignore.read_text(encoding="utf-8") if ignore.is_file() else ""
        lines = said.splitlines()
        wanted = ["/" + re.sub(r"([\\*?\[])", r"\\\1", name) for name in names]
        missing = [] if "*" in lines else [line for line in wanted if line not in lines]
        if missing:
            end = "" if not said or said.endswith("\n") else "\n"
            write_text_atomic(ignore, said + end + "".join(f"{line}\n" for line in missing))
    except OSError as error:
        raise _not_writable(folder, error) from error


def make_folder(folder: Path) -> None:
    """Make a folder where it is missing; git ignores all in one named `.vesselkit`."""
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if folder.name == FOLDER and not ignore.exists():
        ignore.write_text("*\n", encoding="ascii")


def _not_writable(folder: Path, error: OSError) -> UsageProblem:
    return UsageProblem(
        f"{folder}: the key and the map of the case ids cannot be written here ({error.strerror or error}). Name a "
        "file in a folder of your own with --id-key FILE, the same one every time"
    )


def machine_folder() -> Path:
    """Where what belongs to this user and machine is kept: `vesselkit` in XDG_CONFIG_HOME, else in `~/.config`."""
    given = os.environ.get("XDG_CONFIG_HOME")
    return (Path(given) if given and Path(given).is_absolute() else resolve("~/.config")) / _NAME_MACHINE_KEY


def machine_key_path() -> Path:
    """The file of the key; it need not exist."""
    return machine_folder() / _KEY_NAME


def key_at(path: Path) -> bytes:
    """The key in a file, which is made where there is none.

    Raises:
        UsageProblem: where its folder cannot be written.
        RefusedInput: where the file holds no key.
    """
    with locked(path):
        return read_key(path) if path.is_file() else create_key(path)
