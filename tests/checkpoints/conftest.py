"""What the tests of conversion are given: the fixture's sources, and a finished conversion of them."""

import pytest

from helpers.checkpoints.convert import convert
from tests.support.tiny_sources import TinySources, copy_sources


@pytest.fixture
def tiny(tmp_path) -> TinySources:
    folder = tmp_path / "sources"
    folder.mkdir()
    return copy_sources(folder)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished conversion of untouched sources."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "sources").mkdir()
    tiny = copy_sources(folder / "sources")
    record = convert(tiny.request(folder / "model"))
    return tiny, folder / "model", record
