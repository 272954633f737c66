"""`vesselkit`, as an environment knows it that was installed since there is such an import."""

import sys

import pytest

import helpers.api


@pytest.fixture(autouse=True)
def vesselkit(monkeypatch):
    """What `import vesselkit` gives in this process, also where the installed environment is older than it."""
    monkeypatch.setitem(sys.modules, "vesselkit", helpers.api)
    return helpers.api
