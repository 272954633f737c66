"""One browser for the tests of a module, gone when another opens its own, since two cannot be at once; and a page."""

import pytest

from helpers.review.page import write_page
from helpers.review.review_source import open_source
from tests.support.browser import chromium
from tests.support.opened_page import open_page
from tests.support.review_runs import write_data, write_run


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium. Skips as `chromium`."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    data = write_data(folder / "data")
    source = open_source(write_run(folder / "run"), data, against=write_run(folder / "other", seed=7, threshold=0.35))
    return source, write_page(source, folder / "review.html")


@pytest.fixture
def opened(made, browser):
    yield from open_page(browser, made[1])
