"""Fixtures for all tests, and the rule that golden tests may be skipped only where the goldens are absent."""

import functools
import gc
import os
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from PIL import Image

from helpers.core import terminal
from tests.support.offline.no_network import block
from tests.support.offline.quick_start import leave_out, seed, seed_torch_when_imported

SHARED = Path(__file__).resolve().parents[2] / "shared"
OFFLINE = Path(__file__).resolve().parent / "support" / "offline"

# The same examples in every run; how long one takes depends on what else the machine does.
settings.register_profile("same", deadline=None, derandomize=True)
settings.load_profile("same")

# Who takes one of these, however far away, builds or loads a model, or opens a browser: left out of `make quick`.
MODEL_FIXTURES = {
    "fixture_folder", "fixture_folder_bfloat16", "converted_folder", "golden_model", "loaded", "finished", "tiny",
    "trained", "predictor", "published",
}  # fmt: skip
BROWSER_FIXTURES = {"browser", "opened"}
MODEL_FOLDERS = ("tests/train/",)  # where nearly all do without such a fixture

block()
leave_out()
seed_torch_when_imported()
# What is imported and collected stays, so that the search for garbage can pass over it: a tenth of the collection.
gc.disable()
gc.set_threshold(20_000, 20)
# The kit keeps a key of the machine in the user's configuration: tests keep theirs apart.
_CONFIG = tempfile.TemporaryDirectory(prefix="vesselkit-config-")
os.environ["XDG_CONFIG_HOME"] = _CONFIG.name
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(OFFLINE), os.environ.get("PYTHONPATH"))))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with the recorded outputs of the official implementation; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("../shared is absent: it holds the recorded outputs that this test compares with")
    return SHARED


@pytest.fixture(scope="session")
def fixture_folder(tmp_path_factory) -> Path:
    """The fixture's checkpoint as an exported folder, converted once for all tests that only read it."""
    from tests.support.fixture_model import convert_fixture  # here, since most tests run without a model

    return convert_fixture(tmp_path_factory.mktemp("fixture") / "model")


@pytest.fixture(scope="session")
def material(tmp_path_factory, fixture_folder) -> Path:
    """A folder with a model, frames, a data set with ground truth and a run of it; to be read only."""
    from tests.support.public_material import write_material  # as above

    folder = tmp_path_factory.mktemp("material")
    write_material(folder, fixture_folder)
    return folder


@pytest.fixture(scope="session")
def drawn_images(tmp_path_factory) -> list[Image.Image]:
    """Ten small frames of mode RGB, all different, see `draw_angiograms`."""
    from tests.support.fixture_model import draw_angiograms  # as above

    folder = draw_angiograms(tmp_path_factory.mktemp("frames") / "images", 10)
    return [Image.open(path).convert("RGB") for path in sorted(folder.iterdir())]


@pytest.fixture(autouse=True)
def _no_lines_of_progress(monkeypatch):
    """What commands write does not depend on how long they take, as on a machine with much to do."""
    for name in ("_FIRST_LINE_S", "_LINE_S", "_WORTH_S"):
        monkeypatch.setattr(terminal, name, 3600.0)


@pytest.fixture(autouse=True)
def _seeded():
    """The same random numbers in every test, whatever ran before it."""
    seed()


def pytest_configure(config):
    if not hasattr(config, "workerinput"):  # the workers of pytest-xdist report to this one
        config.pluginmanager.register(GoldenWatch(), "golden-watch")


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items):
    """Marks by fixtures; files with the longest tests come first, then slow ones: at the end no worker waits."""
    for item in items:
        for name, fixtures in (("model", MODEL_FIXTURES), ("browser", BROWSER_FIXTURES)):
            if fixtures.intersection(getattr(item, "fixturenames", ())):
                item.add_marker(name)
        if item.nodeid.startswith(MODEL_FOLDERS):
            item.add_marker("model")
    marked = {name: {item.path for item in items if item.get_closest_marker(name)} for name in ("longest", "slow")}
    items.sort(key=lambda item: (item.path not in marked["longest"], item.path not in marked["slow"]))


def pytest_collection_finish():
    if (typer := sys.modules.get("typer.main")) is not None:
        typer.get_command = functools.cache(typer.get_command)  # a process makes the commands once: these all call them
    gc.freeze()
    gc.enable()


class GoldenWatch:
    """Fails the session where the goldens are there and a test marked golden was skipped all the same."""

    def __init__(self):
        self.skipped = []

    def pytest_runtest_logreport(self, report):
        if report.skipped and "golden" in report.keywords and not hasattr(report, "wasxfail"):
            self.skipped.append(report.nodeid)

    def pytest_sessionfinish(self, session, exitstatus):
        if self.skipped and SHARED.is_dir() and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter):
        if self.skipped and SHARED.is_dir():
            terminalreporter.section("golden tests skipped although ../shared exists", red=True)
            for name in self.skipped:
                terminalreporter.write_line(name)
