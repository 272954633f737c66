"""Every command line that README and docs of version 0.1 quote does what it did, or is refused with the new line.

`old_lines.json` holds them as they were parsed then: the values that were given, and each command's defaults.
"""

import json
import shlex
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from helpers.cli.app import app
from helpers.cli.command_group import RENAMED, AppSettings
from helpers.core.errors import UsageProblem

FILE = json.loads(Path(__file__).with_name("old_lines.json").read_text(encoding="utf-8"))
BadCall = typer.BadParameter.__base__  # the class of all complaints of the parser, which Typer does not name itself
COMMANDS = get_command(app)
# Names of values that are others today, by command and old name.
SEED = {"model_path": "model", "data_path": "data", "output_dir": "output"}
PROMPT = {"prompt": "prompt_id"}
TODAY = {
    **dict.fromkeys(("evaluate", "visualize", "review", "report"), PROMPT),
    "pipeline": {"baseline": "model_config"},
    "visualize": {**PROMPT, "against": "beside"},
    "refseg": SEED,
}
# Options that came since, with the default that does what the command did.
SINCE = {"run": {"launcher": "local"}, "synth": {"generator": "1"}, "verify": {"device": "auto"}}
# Options whose default a command sets itself today, so that it knows whether one was typed.
INSIDE = {"visualize": ("n", "rate")}
# The names of options that are told of, by command.
TOLD = {
    **{name: {"--prompt": "--prompt-id"} for name in ("evaluate", "review", "report")},
    "visualize": {"--prompt": "--prompt-id", "--against": "--beside"},
    "pipeline": {"--baseline": "--model-config"},
    "bench model": {"--n": "--calls"},
    "synth": {"--sequences": "--sequences-each"},
}


def leaves(command):
    for one in command.commands.values():
        yield from leaves(one) if hasattr(one, "commands") else [one]


def plain(value):
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value if value is None else str(value)


def given(values):
    """The values that are not blank; a text for each."""
    return {name: plain(value) for name, value in values.items() if value not in (None, False, (), [])}


@pytest.fixture
def parsed(monkeypatch):
    """`parsed("inspect x.pth")`: which command it is and its values, with no command's function called."""
    found = []

    def run(line):
        for one in leaves(COMMANDS):
            monkeypatch.setattr(one, "invoke", lambda ctx: found.append((ctx.command_path, given(ctx.params))))
        COMMANDS.main(args=line, prog_name="vesselkit", standalone_mode=False, obj=AppSettings())
        return found.pop()

    return run


def words(line):
    return shlex.split(line, comments=True)


@pytest.mark.parametrize("old", FILE["lines"], ids=lambda old: old["line"][:60])
def test_an_old_line_means_what_it_meant(parsed, capsys, old):
    line, command = words(old["line"]), old["command"]
    if command == "train":
        with pytest.raises(UsageProblem, match=f"vesselkit dev train-demo {' '.join(line[1:])}$"):
            parsed(line)
        return
    if "refused" in old:
        with pytest.raises(BadCall):
            parsed(line)
        return
    path, values = parsed(line)
    names, told = TODAY.get(command, {}), capsys.readouterr().err
    first, *rest = command.split()
    new = [*RENAMED.get(first, (first,)), *rest]
    defaults = FILE["defaults"].get(command, {})
    absent = {name for name in INSIDE.get(command, ()) if f"--{name}" not in line}
    before = given({name: value for name, value in defaults.items() if name not in absent} | old["values"])
    assert path == " ".join(["vesselkit", *new])
    assert values == {names.get(name, name): value for name, value in before.items()} | SINCE.get(command, {})
    assert (f"warning: `vesselkit {first}` is now: vesselkit {' '.join(RENAMED.get(first, ()))} " in told) is (
        first in RENAMED
    )
    others = {option: now for option, now in TOLD.get(command, {}).items() if option in line}
    assert told.count("warning: ") == (first in RENAMED) + len(others)
    assert all(f"{option} of `{path}` is now {now}" in told for option, now in others.items())


def test_the_lines_are_those_of_every_command_then():
    commands = (
        "bench model, bench predict, check-precision, convert, data check, doctor, evaluate, gate, import-masks, "
    )
    commands += "inspect, pipeline, predict, refseg, report, review, run, synth, train, tune, verify, visualize, who"
    whole = {old["command"] for old in FILE["lines"] if "refused" not in old}
    assert ", ".join(sorted(whole)) == commands and len(FILE["lines"]) > 80


def test_the_demos_training_is_no_longer_train(call):
    ended = call("train", "--output", "my demo", "--seed=3")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.endswith("is now: vesselkit dev train-demo --output 'my demo' --seed=3\n")
    assert "Missing argument 'CONFIG'" in call("train").err


def test_the_seeds_spellings_are_taken_without_a_word(parsed, capsys):
    for line, expected in (
        ("predict --model_path m --data_path=d --output_dir o", {"model": "m", "data": "d", "output": "o"}),
        ("refseg --model m --data d --output o", {"model": "m", "data": "d", "output": "o"}),
        ("evaluate --predictions r --data_path d --output_dir o", {"predictions": "r", "data": "d", "output": "o"}),
        ("convert --checkpoint c --output_dir o", {"checkpoint": "c", "output": "o"}),
    ):
        assert expected.items() <= parsed(words(line))[1].items()
    assert capsys.readouterr().err == ""
    with pytest.raises(UsageProblem, match="--model: expected once, got it 2 times"):
        parsed(words("predict --model a --model_path b --data d --output o"))


def test_an_option_of_another_command_is_told_from_one_of_none():
    with pytest.raises(
        UsageProblem, match="^--queue: an option of `vesselkit review`, not of `vesselkit review-page`. L"
    ):
        COMMANDS.main(["review-page", "run", "--data", "d", "--queue=5"], "vesselkit", standalone_mode=False)
    with pytest.raises(BadCall, match="--quee"):
        COMMANDS.main(["review-page", "run", "--data", "d", "--quee", "5"], "vesselkit", standalone_mode=False)
