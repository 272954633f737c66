"""The kit's JSON documents: each is an object that names its schema and version, and says what to do when it does not.

Files that people or other tools write are read by `helpers.core.safe_json`.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from helpers.core.atomic import write_json_atomic
from helpers.core.errors import RefusedInput

VERSION_KEY = "schema_version"


def document(schema: str, version: int, values: Mapping[str, Any], version_key: str = VERSION_KEY) -> dict[str, Any]:
    """A JSON object with its schema and version before all other fields."""
    return {"schema": schema, version_key: version, **values}


def write_document(path: Path, schema: str, version: int, values: Mapping[str, Any]) -> None:
    """Write a document whole or not at all; an earlier file is replaced.

    Raises:
        OSError: where the file cannot be written.
        ValueError: for NaN and infinity, which JSON lacks.
    """
    write_json_atomic(path, document(schema, version, values))


def read_document(
    path: Path,
    schema: str,
    version: int | tuple[int, ...],
    fields: Collection[str] = (),
    advice: str = "",
    version_key: str = VERSION_KEY,
) -> dict[str, Any]:
    """The JSON object of a file, after a check of what it claims to be.

    Args:
        schema: the name that the file must give, such as `vesselkit.run`.
        version: the version that the file must give, or all that can be read, the newest last.
        fields: names that the object must have; their values are not looked at.
        advice: what to do about a file that is refused, a sentence without a full stop.
        version_key: where the object says its version.
    Raises:
        RefusedInput: for a file that cannot be read, is no JSON object, or has another schema or version, or lacks a
            field. The message names the file, what was expected, what was found, and the advice.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise _refused(path, schema, version, f"it cannot be read ({error.strerror})", advice) from error
    return parse_document(path, content, schema, version, fields, advice, version_key)


def parse_document(
    path: Path,
    content: bytes,
    schema: str,
    version: int | tuple[int, ...],
    fields: Collection[str] = (),
    advice: str = "",
    version_key: str = VERSION_KEY,
) -> dict[str, Any]:
    """`read_document` of bytes that were read already, for who handles a failing disk apart. `path` names the file."""
    try:
        values = json.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise _refused(path, schema, version, f"it is not readable as JSON ({error})", advice) from error
    if not isinstance(values, dict) or "schema" not in values or version_key not in values:
        raise _refused(path, schema, version, "found another file", advice)
    versions = version if isinstance(version, tuple) else (version,)
    if values["schema"] != schema or values[version_key] not in versions:
        raise _refused(path, schema, version, f"found {values['schema']} version {values[version_key]}", advice)
    missing = [name for name in fields if name not in values]
    if missing:
        raise _refused(path, schema, version, f"it lacks {', '.join(missing)}: the file is damaged", advice)
    return values


@contextmanager
def refuse_damaged(path: Path, schema: str, version: int | tuple[int, ...], advice: str = "") -> Iterator[None]:
    """Raise RefusedInput in place of what values of another kind cause while they are taken out of a document."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise _refused(path, schema, version, f"the file is damaged ({error!r})", advice) from error


def _refused(path: Path, schema: str, version: int | tuple[int, ...], found: str, advice: str) -> RefusedInput:
    newest = version[-1] if isinstance(version, tuple) else version
    return RefusedInput(f"{path}: expected {schema} version {newest}, {found}" + (f". {advice}" if advice else ""))
