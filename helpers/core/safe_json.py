"""JSON of unknown origin, read within bounds: bytes, depth, values and vertices."""

import json
from pathlib import Path
from typing import Any

from helpers.core.errors import RefusedInput

MAX_BYTES = 64_000_000
MAX_DEPTH = 32
MAX_VERTICES = 1_000_000

# Separators and brackets bound the number of Python objects, which take far more memory than their text.
MAX_VALUES = 8_000_000


def read_json(
    path: Path, max_bytes: int = MAX_BYTES, max_vertices: int = MAX_VERTICES, max_values: int | None = None
) -> Any:
    """The value in a JSON file.

    NaN and infinities are let through, for the polygon that holds them is what is broken. Of a key that comes twice the
    last counts. Two numbers in a list count as one vertex.

    Args:
        max_values: None for `MAX_VALUES`.
    Raises:
        RefusedInput: where the file is missing, larger than `max_bytes` (told before it is read), no UTF-8, no JSON,
            deeper than `MAX_DEPTH`, or holds too many values or vertices.
    """
    path = Path(path)
    if path.exists() and not path.is_file():  # opening a pipe would wait for its writer
        raise RefusedInput(f"{path}: expected a JSON file, found no regular file. Replace it by one")
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise RefusedInput(
                f"{path}: expected JSON of at most {max_bytes / 1e6:g} MB, found {size / 1e6:.0f} MB. "
                "Split it, for example by data split"
            )
        with path.open("rb") as file:
            raw = file.read(max_bytes + 1)
    except OSError as error:
        raise RefusedInput(f"{path}: cannot be read ({error.strerror}). Check the path") from error
    most = MAX_VALUES if max_values is None else max_values
    if sum(raw.count(mark) for mark in (b",", b"[", b"{")) > most:
        raise RefusedInput(f"{path}: expected at most {most:,} JSON values, found more. Split the file")
    try:
        value = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RefusedInput(f"{path}: expected JSON in UTF-8, found other bytes. Save it as UTF-8") from error
    except json.JSONDecodeError as error:
        raise RefusedInput(
            f"{path}: expected JSON, found a fault at line {error.lineno}, column {error.colno} ({error.msg}). "
            "Write the file again"
        ) from error
    except ValueError as error:  # a whole number of thousands of digits
        raise RefusedInput(f"{path}: expected JSON, found a number that is too long. Write the file again") from error
    except RecursionError as error:
        raise RefusedInput(_too_deep(path)) from error
    _check(path, value, max_vertices)
    return value


def _check(path: Path, value: Any, max_vertices: int) -> None:
    """Refuse what is too deep or holds too many numbers in lists; level by level, so that no depth overflows."""
    level, numbers = [value], 0
    for _ in range(MAX_DEPTH + 1):
        deeper = []
        for item in level:
            if isinstance(item, list):
                nested = [part for part in item if isinstance(part, (list, dict))]
                numbers += len(item) - len(nested) - sum(isinstance(part, str) for part in item)
                deeper += nested
            elif isinstance(item, dict):
                deeper += [part for part in item.values() if isinstance(part, (list, dict))]
        if numbers > 2 * max_vertices:
            raise RefusedInput(
                f"{path}: expected at most {max_vertices:,} polygon vertices, found more. Simplify or split the file"
            )
        if not deeper:
            return
        level = deeper
    raise RefusedInput(_too_deep(path))


def _too_deep(path: Path) -> str:
    return f"{path}: expected JSON of at most {MAX_DEPTH} levels, found more. This is not a known annotation file"
