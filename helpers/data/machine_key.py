"""A key of this machine, in the user's configuration folder, for hashes that stay here: made once, mode 600."""

import os
from pathlib import Path

from helpers.data.id_key import create_key, locked, read_key
from helpers.paths import resolve

_NAME = "vesselkit"
_KEY_NAME = "machine.key"


def machine_folder() -> Path:
    """Where what belongs to this user and machine is kept: `vesselkit` in XDG_CONFIG_HOME, else in `~/.config`."""
    given = os.environ.get("XDG_CONFIG_HOME")
    return (Path(given) if given and Path(given).is_absolute() else resolve("~/.config")) / _NAME


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
