"""One browser for the tests of a module; it is gone when another module opens its own, since two cannot be at once."""

import pytest

from tests.browser import chromium


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium. Skips as `chromium`."""
    with chromium() as found:
        yield found
