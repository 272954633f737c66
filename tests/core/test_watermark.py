"""What the stamp says, and that a run keeps it."""

import json

import pytest

from helpers.core.watermark import VARIABLE, stamp_notebook, stamp_text
from helpers.runs.run_folder import open_run
from tests.support.review_runs import write_run


@pytest.fixture(autouse=True)
def _unsaid(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


def test_there_is_none_unless_something_says_so(monkeypatch):
    assert stamp_text() is None and stamp_text(None, "") is None
    monkeypatch.setenv(VARIABLE, "")
    assert stamp_text() is None


def test_each_text_stands_once(monkeypatch):
    assert stamp_text("tiny", None, "tiny") == "tiny"
    monkeypatch.setenv(VARIABLE, "synthetic")
    assert stamp_text("tiny", "synthetic") == "synthetic; tiny"


def test_a_run_carries_what_was_said_while_it_was_made(tmp_path, monkeypatch):
    assert open_run(write_run(tmp_path / "own")).stamp is None
    assert "stamp" not in json.loads((tmp_path / "own/manifest.json").read_text())
    monkeypatch.setenv(VARIABLE, "synthetic")
    write_run(tmp_path / "demo")
    monkeypatch.delenv(VARIABLE)
    demo = open_run(tmp_path / "demo")
    assert demo.stamp == "synthetic"
    assert demo.config.config_sha256 == open_run(tmp_path / "own").config.config_sha256


def test_a_notebook_has_the_stamps_of_the_runs_that_it_is_about_and_of_no_earlier_ones():
    stamp_notebook("tiny", None)
    assert stamp_text() == stamp_text("tiny") == "tiny"
    stamp_notebook(None)
    assert stamp_text() is None


@pytest.mark.parametrize("said", [None, ["a"], {"a": 1}, 3])
def test_what_is_no_text_is_no_stamp(tmp_path, said):
    path = write_run(tmp_path / "run") / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "stamp": said}))
    assert open_run(path.parent).stamp is None
