"""One browser for the tests of a module; it is gone when another module opens its own, since two cannot be at once."""

import contextlib
import shutil

import pytest

from tests.browser import _ARGUMENTS, _NAMES


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium; tests are skipped where there is none, or no playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    executable = next(filter(None, map(shutil.which, _NAMES)), None)
    if executable is None:
        pytest.skip("no Chromium is installed: the viewer is not looked at in a browser")
    with (
        playwright.sync_playwright() as driver,
        contextlib.closing(driver.chromium.launch(executable_path=executable, args=_ARGUMENTS)) as found,
    ):
        yield found
