"""What `verify --receipt` found, kept in a model folder's `conversion.json`: docs/receipt-format.md."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helpers.checkpoints.convert.conversion_record import RECORD_NAME, read_record
from helpers.core.atomic import write_json_atomic
from helpers.core.documents import document

FIELD = "official_check"
SCHEMA, SCHEMA_VERSION = "vesselkit.official-check", 1


def keep_check(folder: Path, values: Mapping[str, Any]) -> None:
    """Put the result of a check into the record of a model folder; an earlier one is replaced.

    Args:
        values: a JSON object with the fingerprints `tensors_sha256` and `files_sha256` of the folder that was checked.
    Raises:
        RefusedInput: where the folder has no record.
        OSError: where it cannot be written.
    """
    record = dict(read_record(folder).values)
    record[FIELD] = document(SCHEMA, SCHEMA_VERSION, values)
    write_json_atomic(folder / RECORD_NAME, record)


def check_of(folder: Path, identity: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The result of the check of a model folder; None where there is none.

    Args:
        identity: the folder's `tensors_sha256` and `files_sha256`.
    Raises:
        RefusedInput: for a record that cannot be read.
    """
    if not (folder / RECORD_NAME).is_file():
        return None
    return kept_check(read_record(folder).values, identity["tensors_sha256"], identity["files_sha256"])


def kept_check(record: Mapping[str, Any], tensors_sha256: str | None, files_sha256: str) -> Mapping[str, Any] | None:
    """The result of the check of a model; None where there is none, or it is of another version or model.

    Args:
        record: values of the folder's conversion record.
        tensors_sha256, files_sha256: fingerprints of the folder as it is now.
    """
    found = record.get(FIELD)
    if not isinstance(found, Mapping):
        return None
    wanted = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "tensors_sha256": tensors_sha256,
        "files_sha256": files_sha256,
    }
    return found if all(found.get(name) == value for name, value in wanted.items()) else None
