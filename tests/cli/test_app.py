"""Exit codes and messages of the command line."""

import re
import subprocess
import sys
from collections import defaultdict

import pytest
from typer.main import get_command

from helpers import __version__
from helpers.checkpoints.read import inspection
from helpers.cli.app import app, main
from helpers.cli.command_group import RENAMED
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


@pytest.mark.slow
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
    [["nonsense"], ["--nonsense"], ["dev", "nothing"], ["inspect"], ["convert", "--dtype", "int3"], []],
)
def test_bad_usage_exits_2(call, arguments):
    assert call(*arguments).code == 2


def test_help_lists_the_commands_in_the_order_of_the_work(call):
    shown = call("--help")
    names = re.findall(r"^  ([a-z-]+) ", shown.out.split("\nCommands:\n")[1].split("\n\n")[0], re.MULTILINE)
    way = ["inspect", "convert", "verify", "data", "predict", "evaluate", "visualize", "review", "export", "import"]
    assert shown.code == 0 and [name for name in names if name in way] == way and names[0] == "doctor"
    assert names[-1] == "dev" and len(names) <= 21
    assert names == get_command(app).list_commands(None) and not RENAMED.keys() & set(names)
    assert call("--version").out == f"vesselkit {__version__}\n"


def test_the_two_largest_show_few_options_and_all_of_them_on_request(call):
    for name, hidden in (("predict", "--lora-alpha"), ("evaluate", "--rescale-from")):
        few, all_of_them = call(name, "--help"), call(name, "--help-all")
        options = [re.findall(r"^  (--[a-z-]+)", shown.out, re.MULTILINE) for shown in (few, all_of_them)]
        assert few.code == all_of_them.code == 0 and len(options[0]) <= 12
        assert hidden not in few.out and hidden in options[1] and "--help-all" in options[0]
        assert set(options[0]) - set(options[1]) == {"--help-all"}
    assert call("gate", "--help").out == call("gate", "--help-all").out


def test_help_says_nothing_of_old_names_and_spellings(call):
    for name in ("predict", "evaluate", "refseg", "convert", "visualize", "pipeline"):
        shown = call(name, "--help-all").out
        assert "_path" not in shown and "--output_dir" not in shown
        assert "--prompt ID" not in shown and "--baseline" not in shown


# Options whose words differ with the command, and what they mean in all of them.
ONE_MEANING = {
    "--output": "what the command writes",
    "--data": "the data set",
    "--model": "what predicts",
    "--checkpoint": "the trained weights",
    "--dtype": "the number type of weights",
    "--layout": "the layout of a data set",
    "--prompt": "what the model is asked",
    "--prompt-id": "which of a run's prompts",
    "--against": "runs to compare with",
    "--frames": "how many frames a sequence has",
    "--n": "how many frames the command takes",
    "--name": "what a run is called in tables",
    "--values": "what the values of mask files are",
    "--id-key": "the key under which names are hashed",
    "--metrics": "a folder that `evaluate` wrote",
    "--verdicts": "a folder of verdicts",
    "--launcher": "what starts the processes of the work",
    "--as": "the format of another tool",
    "--predictions": "a finished run",
    "--reviewer": "who judges or corrects masks",
    "--threshold": "the probability above which a pixel is vessel",
    "--vessel": "which value or label of a mask is vessel",
}


def test_no_option_has_two_meanings():
    said = defaultdict(set)
    for command in leaves(get_command(app)):
        for parameter in command.params:
            if parameter.param_type_name == "option":
                said[parameter.opts[0]].add((parameter.help, parameter.metavar, parameter.multiple))
    differing = {option for option, meanings in said.items() if len(meanings) > 1}
    assert differing == set(ONE_MEANING)


def leaves(group):
    for one in group.commands.values():
        yield from leaves(one) if hasattr(one, "commands") else [one]


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (("evaluate", "--predictions", "a", "--predictions", "b", "--data", "c", "--output", "d"), "--predictions"),
        (("dev", "bench", "model", "--side", "512", "--side", "768", "--preset", "demo", "--preset=1b"), "--preset"),
    ],
)
def test_an_option_given_twice_where_one_is_meant_is_refused(call, arguments, option):
    ended = call(*arguments)
    assert ended.code == 2 and ended.err == f"Error: {option}: expected once, got it 2 times\n"


def test_a_stream_that_was_closed_before_the_start_is_no_error(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert not ended.value.code
    monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(SystemExit) as ended:
        main(["predict"])
    assert ended.value.code == 2


def test_a_working_directory_that_is_gone_is_told(call, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    ended = call("data", "check", ".")
    assert ended.code == 2 and "the working directory was removed or replaced: go to another one" in ended.err


def test_what_a_shell_makes_of_a_pattern_is_told(call, tmp_path):
    for name in "abc":
        (tmp_path / f"{name}.png").touch()
    ended = call("predict", "--model", "frangi", "--data", "a.png", "b.png", "c.png", "--output", "run")
    assert ended.code == 2 and "--data: expected one path, got several, as a shell makes of *" in ended.err
