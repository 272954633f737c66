"""JSON that holds, last, the SHA-256 of all else in it, so that a changed one is noticed."""

import hashlib
from collections.abc import Mapping
from typing import Any

from helpers.runs.durable import json_bytes

# How a JSON object ends as `json_bytes` writes it, and its last entry.
_END = b"\n}\n"
_SEAL = b',\n "sha256": "%s"'


def sealed(values: Mapping[str, Any]) -> bytes:
    """A JSON object, at least one field and none named `sha256`, with its seal."""
    content = json_bytes(values)
    return content.removesuffix(_END) + _SEAL % hashlib.sha256(content).hexdigest().encode() + _END


def unsealed(content: bytes) -> bytes:
    """The JSON of a sealed object without its seal. Raises ValueError where that does not fit."""
    seal = len(_SEAL % bytes(64)) + len(_END)
    inner = content[:-seal] + _END
    if content != inner.removesuffix(_END) + _SEAL % hashlib.sha256(inner).hexdigest().encode() + _END:
        raise ValueError("changed since it was written")
    return inner
