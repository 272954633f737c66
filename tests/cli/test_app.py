"""Exit codes and messages of the command line."""

import subprocess
import sys

import pytest
from typer.main import get_command

from helpers import __version__
from helpers.checkpoints.read import inspection
from helpers.cli import registry
from helpers.cli.app import app, main
from helpers.core.errors import RefusedInput, Stopped, UsageProblem, VesselkitError


@pytest.mark.parametrize(
    ("raised", "code"), [(VesselkitError, 1), (UsageProblem, 2), (RefusedInput, 3), (Stopped, 130)]
)
def test_errors_have_their_exit_codes_and_no_traceback(call, tmp_path, monkeypatch, raised, code):
    def fail(path, progress):
        raise raised("what came")

    monkeypatch.setattr(inspection, "inspect_checkpoint", fail)
    (tmp_path / "x.pth").touch()
    ended = call("inspect", "x.pth")
    assert (ended.code, ended.out, ended.err) == (code, "", "Error: what came\n")


def test_debug_shows_where_an_error_arose(tmp_path):
    (tmp_path / "x.pth").touch()
    command = [
        sys.executable,
        "-c",
        "from helpers.cli.app import main; main()",
        "--debug",
        "inspect",
        str(tmp_path / "x.pth"),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 3
    assert "Traceback" in ended.stderr and "RefusedInput" in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith("Error: ")


def test_an_unexpected_error_goes_on(call, tmp_path, monkeypatch):
    def fail(path, progress):
        raise ZeroDivisionError

    monkeypatch.setattr(inspection, "inspect_checkpoint", fail)
    (tmp_path / "x.pth").touch()
    with pytest.raises(ZeroDivisionError):
        main(["inspect", str(tmp_path / "x.pth")])


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["--nonsense"], ["bench", "nothing"], ["inspect"], ["convert", "--dtype", "int3"], []],
)
def test_bad_usage_exits_2(call, arguments):
    assert call(*arguments).code == 2


def test_help_and_version(call):
    shown = call("--help")
    assert shown.code == 0 and all(f"\n  {name.split()[0]} " in shown.out for name in registry.available_names())
    assert call("--version").out == f"vesselkit {__version__}\n"


def test_the_app_holds_exactly_the_available_commands():
    found = get_command(app).commands
    names = [f"{name} {inner}".strip() for name, one in found.items() for inner in getattr(one, "commands", {"": None})]
    assert sorted(names) == sorted(registry.available_names())


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("evaluate", "--predictions", "a", "--predictions", "b", "--data", "c", "--output", "d"), "--predictions"),
        (("bench", "model", "--side", "512", "--side", "768", "--preset", "tiny", "--preset=1b"), "--preset"),
    ],
)
def test_an_option_given_twice_where_one_is_meant_is_refused(call, arguments, option):
    ended = call(*arguments)
    assert ended.code == 2 and ended.err == f"Error: {option}: expected once, got it 2 times\n"
