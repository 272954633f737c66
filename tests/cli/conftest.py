"""Calling the command line within the test's process."""

from dataclasses import dataclass

import pytest

from helpers.cli.app import main
from helpers.core.paths import ROOT_VARIABLE


@dataclass(frozen=True)
class Ended:
    """How a call ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def model(fixture_folder):
    """A model's folder, which commands only read."""
    return fixture_folder


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """`call("inspect", "x.pth")`, with an empty project root that is the working directory."""
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        captured = capsys.readouterr()
        return Ended(ended.value.code or 0, captured.out, captured.err)

    return run
