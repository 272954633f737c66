"""What the tests of conversion share."""

from pathlib import Path

import pytest

from helpers.checkpoints.convert import convert
from helpers.checkpoints.convert.key_map import canonical_name
from helpers.core.errors import RefusedInput
from tests.support.tiny_sources import TinySources


def stored_name(names, canonical: str) -> str:
    """The name under which a layout stores a canonical tensor."""
    return next(name for name in names if canonical_name(name) == canonical)


def refused(message: str, tiny: TinySources, output: Path, error=RefusedInput, **changes) -> None:
    """The conversion stops with this message and leaves nothing behind."""
    with pytest.raises(error, match=message):
        convert(tiny.request(output, **changes))
    assert not output.exists()
    assert not list(output.parent.glob(".partial-*"))


def without_config(content):
    content["meta"].pop("cfg")
