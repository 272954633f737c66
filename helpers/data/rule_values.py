"""The values of rules in a file: each is what its rule can hold, None where it is not there, or refused by name."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from helpers.core.errors import RefusedInput


def choice(path: Path, value: Mapping[str, Any], name: str, known: Collection[str], kind: type = str) -> Any:
    """One of the known texts, as `kind`."""
    given = value.get(name)
    if given is None:
        return None
    if not isinstance(given, str) or given not in known:
        raise _wrong(path, name, f"one of {', '.join(known)}", given)
    return kind(given)


def text(path: Path, value: Mapping[str, Any], name: str) -> str | None:
    """A text that is not blank."""
    given = value.get(name)
    if given is not None and (not isinstance(given, str) or not given.strip()):
        raise _wrong(path, name, "a text", given)
    return given


def texts(path: Path, value: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    """Different texts, one at least."""
    given = value.get(name)
    if given is None:
        return None
    sound = isinstance(given, list) and given and all(isinstance(one, str) and one.strip() for one in given)
    if not sound or len(set(given)) < len(given):
        raise _wrong(path, name, "a list of different texts", given)
    return tuple(given)


def whole(path: Path, value: Mapping[str, Any], name: str, known: range) -> int | None:
    """A whole number out of a range."""
    given = value.get(name)
    if given is not None and (isinstance(given, bool) or not isinstance(given, int) or given not in known):
        raise _wrong(path, name, f"a whole number from {known[0]} to {known[-1]}", given)
    return given


def _wrong(path: Path, name: str, expected: str, given: Any) -> RefusedInput:
    return RefusedInput(f"{path}: {name}: expected {expected}, found {given!r}. Correct it, or save the rules again")
