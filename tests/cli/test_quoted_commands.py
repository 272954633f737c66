"""Every `vesselkit ...` command that README and docs quote can be typed as it stands, by its name of today."""

import re
import shlex
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from helpers.cli.app import app
from helpers.cli.import_files import PARTS, require_parts
from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import Exchange, Exported, Identity, ImportedInto
from helpers.stages.exchange_stage import ExportRequest

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
TEXTS += [path for path in sorted((ROOT / "docs").rglob("*.md")) if path.name != "cli.md"]
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"^ {4}vesselkit .*(?:\\\n.*)*$", re.MULTILINE)
OPTIONAL = re.compile(r" \[[^\]]*\]")
BadCall = typer.BadParameter.__base__  # the class of all complaints of the parser, which Typer does not name itself
COMMANDS = get_command(app)


def blocks(text):
    """What follows `vesselkit` in fenced and indented blocks, lines continued by a backslash joined."""
    found = BLOCK.findall(text) + INDENTED.findall(BLOCK.sub("", text))
    lines = "\n".join(re.sub(r"\\\n\s*", "", block) for block in found).splitlines()
    found = [re.search(r"(?:^|[\s/])vesselkit (\S.*)", line) for line in lines]
    return [match[1] for match in found if match]


def spans(text):
    """What follows `vesselkit` in code within prose; it may leave out what the sentence is not about."""
    found = [" ".join(span.split()) for span in re.findall(r"`([^`]*)`", BLOCK.sub("", text))]
    return [span.removeprefix("vesselkit ") for span in found if span.startswith("vesselkit ")]


def parse(line):
    """Raises BadCall, or KeyError for an unknown command."""
    command, arguments = COMMANDS, shlex.split(OPTIONAL.sub("", line), comments=True)
    while hasattr(command, "commands"):
        name, *arguments = arguments
        command = command.commands[name]
    return command.make_context(line, arguments)


def require_complete(line):
    """As `parse`; raises UsageProblem too where options that need each other are apart."""
    given = parse(line).params
    if line.split()[0] == "import":
        into = ImportedInto(given["into"])
        require_parts(into, {name: given[name] for need in PARTS.values() for names in need for name in names})
    if line.split()[0] == "export":
        names = ("verdicts", "corrections", "adjudicator", "accept_as_truth", "margin")
        what, kind, identity = Exported(given["what"]), Exchange(given["kind"]), Identity(given["identity"])
        cases = tuple(given["cases"] or ())
        ExportRequest(what, kind, cases=cases, identity=identity, **{name: given[name] for name in names})


@pytest.mark.parametrize("line", [line for path in TEXTS for line in blocks(path.read_text(encoding="utf-8"))])
def test_commands_in_blocks_are_complete(line):
    require_complete(line)


@pytest.mark.parametrize("line", [line for path in TEXTS for line in spans(path.read_text(encoding="utf-8"))])
def test_commands_in_prose_have_options_that_exist(line):
    if line.startswith("--"):  # of the outermost command
        assert line.split()[0] in {option for one in COMMANDS.params for option in one.opts}
        return
    if "--" not in line:  # the name alone
        line += " --help"
    try:
        parse(line)
    except BadCall as error:
        assert re.match(r"Missing parameter|Option '\S+' requires an argument", str(error))
    except typer.Exit:
        pass  # of --help


def test_commands_are_found_and_bad_ones_are_noticed():
    text = "`vesselkit data who ID`\n\n    vesselkit doctor\n\n```\nsrun vesselkit gate \\\n    --baseline a\n```\n"
    text += "and `vesselkit data who\nC1 --dta x`"
    assert (blocks(text), spans(text)) == (["gate --baseline a", "doctor"], ["data who ID", "data who C1 --dta x"])
    for line, words in (("data who C1 --dta x", "--dta"), ("gate --baseline a", "metrics"), ("data who", "Missing")):
        with pytest.raises(BadCall, match=words):
            parse(line)
    with pytest.raises(KeyError):
        parse("hwo C1")
    for line, words in (
        ("export r --data d --output o --what corrections", "corrections: expected the folder"),
        ("import m --into corrections --data d --output o --reviewer ann", "--predictions, --began-from: expected"),
    ):
        with pytest.raises(UsageProblem, match=words):
            require_complete(line)
