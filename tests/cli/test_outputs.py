"""One rule for the outputs of all commands: links are followed, one that leads to nothing is refused at once."""

import json
import os

import numpy as np
import pytest
import typer
from PIL import Image

from helpers.cli.app import app
from helpers.evaluation.metrics_folder import open_metrics
from helpers.runs.run_folder import open_run
from tests.support.vessel_runs import SIDE, write_data, write_run

OPTIONS = {"--output", "--export"}
# Inputs that are there and of no use: what is refused for its output has looked at none of them.
CALLS = {
    "convert": ("--checkpoint", "file.txt"),
    "predict": ("--model", "frangi", "--data", "empty"),
    "export": ("empty", "--data", "empty"),
    "import": ("empty", "--into", "run", "--name", "theirs", "--data", "empty"),
    "import-masks": ("empty", "--name", "theirs", "--data", "empty"),
    "tune": ("frangi", "--data", "empty"),
    "evaluate": ("--predictions", "empty", "--data", "empty"),
    "refseg": ("--model", "empty", "--data", "empty"),
    "gate": ("--metrics", "empty", "--update"),
    "visualize": ("--data", "empty"),
    "review": ("empty", "--data", "empty", "--verdicts", "verdicts"),
    "review-page": ("empty", "--data", "empty"),
    "dev synth": ("--patients", "1"),
    "pipeline": ("--checkpoint", "file.txt", "--data", "empty"),
    "dev train-demo": (),
    "check-precision": ("--model", "empty", "--data", "empty"),
    "data check": ("empty",),
    "dev bench model": (),
    "dev bench predict": ("--model", "empty", "--data", "empty"),
}
FILES = {"tune", "gate", "review-page", "check-precision", "dev bench predict"}


def output_option(command):
    """The option of a command that names what is written; None for one that writes nothing."""
    if command.name == "gate":
        return "--baseline"
    found = OPTIONS & {option for parameter in command.params for option in parameter.opts}
    return found.pop() if found else None


def commands(group, before=""):
    for name, command in group.commands.items():
        full = f"{before}{name}"
        yield from commands(command, f"{full} ") if hasattr(command, "commands") else [(full, command)]


EVERY = dict(commands(typer.main.get_command(app)))
WRITING = {name: option for name, command in EVERY.items() if (option := output_option(command))}


@pytest.fixture
def place(tmp_path):
    """A folder of links, and what they lead to."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "verdicts").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    (tmp_path / "file.txt").write_text("mine")
    targets = {"away": "nowhere", "loop": "loop", "to-away": "away", "to-file": "file.txt", "to-folder": "full"}
    for name, target in targets.items():
        for suffix in ("", ".html"):
            (tmp_path / f"{name}{suffix}").symlink_to(target)
    return tmp_path


def seen(folder):
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else path.is_file() and path.read_bytes()
        for path in folder.rglob("*")
    }


def test_every_command_that_writes_is_called_here():
    assert set(WRITING) == set(CALLS)


@pytest.mark.parametrize("command", CALLS)
def test_links_that_cannot_be_followed_are_refused_before_the_work(call, place, command):
    before, suffix = seen(place), ".html" if command == "review-page" else ""
    asked = (*command.split(), *CALLS[command], WRITING[command])
    for output in ("away", "loop", "to-away", "away/new", "loop/new"):
        ended = call(*asked, output + suffix)
        assert ended.code == 2 and "the symbolic link" in ended.err and "leads to nothing" in ended.err, output
    other = "to-folder" if command in FILES else "to-file"
    ended = call(*asked, other + suffix)
    assert ended.code == 3 and "expected a fi" * (command in FILES) in ended.err and other in ended.err
    ended = call(*asked, f"file.txt/new{suffix}")
    assert ended.code == 3 and "cannot be written" in ended.err
    assert seen(place) == before and ended.err.count("\n") == 1


@pytest.mark.parametrize("command", sorted(FILES))
def test_no_file_of_another_kind_is_written_over(call, place, command):
    suffix = ".html" if command == "review-page" else ".json"
    asked = (*command.split(), *CALLS[command], WRITING[command])
    for content in ("mine", json.dumps({"schema": "vesselkit.run", "schema_version": 1, "files": {}})):
        (place / f"mine{suffix}").write_text(content)
        ended = call(*asked, f"mine{suffix}")
        assert ended.code == 3 and "found another file" in ended.err
        assert (place / f"mine{suffix}").read_text() == content


@pytest.mark.parametrize(
    ("asked", "mark"), [("data check data", "findings.json"), ("dev bench model --preset 1b", "bench.json")]
)
def test_no_folder_of_other_files_is_written_into(call, scored, asked, mark):
    (scored / "mine").mkdir()
    for content in ("", json.dumps({"schema": "vesselkit.run"})):
        (scored / "mine" / mark).write_text(content)
        ended = call(*asked.split(), "--output", "mine")
        assert ended.code == 3 and "expected a new or empty folder" in ended.err
        assert [path.name for path in (scored / "mine").iterdir()] == [mark]
        assert (scored / "mine" / mark).read_text() == content


@pytest.fixture
def scored(tmp_path):
    """A data set, a run of it, and links to folders that are there."""
    data = write_data(tmp_path / "data")
    truths = {case.case_id: case.truth.mask(SIDE, SIDE) for case in data.cases}
    for name, shift in (("run", 0), ("worse", 2)):
        write_run(tmp_path / name, {case_id: np.roll(mask, shift, axis=1) for case_id, mask in truths.items()})
    for name in ("m", "p", "v", "c", "r", "e"):
        (tmp_path / f"disk-{name}").mkdir()
        (tmp_path / name).symlink_to(f"disk-{name}")
    (tmp_path / "outputs-elsewhere").mkdir()
    (tmp_path / "elsewhere").symlink_to("outputs-elsewhere")
    return tmp_path


@pytest.mark.slow
def test_what_is_written_through_a_link_lies_where_it_leads(call, scored):
    def ok(*arguments):
        ended = call(*arguments)
        assert ended.code == 0, ended.err
        return ended

    evaluate = ("evaluate", "--data", "data", "--processes", "1", "--predictions")
    ok(*evaluate, "run", "--output", "m")
    first = open_metrics(scored / "m").summary["runs"][0]["summary"][0]["mean"]
    ok(*evaluate, "worse", "--output", "m")
    assert open_metrics(scored / "disk-m").runs == ("worse",), "no old numbers are left behind"
    assert open_metrics(scored / "m").summary["runs"][0]["summary"][0]["mean"] < first == 1
    ok(*evaluate, "run", "--output", "elsewhere/deeper/m")
    assert open_metrics(scored / "outputs-elsewhere/deeper/m").runs == ("run",)
    ok("predict", "--model", "frangi", "--data", "data", "--limit", "1", "--output", "p")
    assert len(open_run(scored / "disk-p").cases()) == 1
    ok("visualize", "run", "--data", "data", "--n", "1", "--output", "v")
    assert (scored / "disk-v/index.html").is_file()
    ok("data", "check", "data", "--output", "c")
    ok("data", "check", "data", "--output", "c")  # an earlier check is replaced
    assert (scored / "disk-c/findings.json").is_file()
    (scored / "verdicts").mkdir()
    ok("review", "run", "--data", "data", "--verdicts", "verdicts", "--export", "r")
    assert (scored / "disk-r").is_dir() and any((scored / "disk-r").iterdir())
    assert all((scored / name).is_symlink() for name in ("m", "p", "v", "c", "r", "elsewhere"))
    assert not [path for path in scored.iterdir() if path.name.startswith(".partial-")]


def test_a_file_that_is_written_through_a_link_lies_where_it_leads(call, scored):
    assert call("evaluate", "--data", "data", "--processes", "1", "--predictions", "worse", "--output", "m").code == 0
    (scored / "g.json").symlink_to("e/gate.json")
    (scored / "disk-e/gate.json").touch()
    for _ in range(2):
        assert call("gate", "--baseline", "g.json", "--metrics", "m", "--update").code == 0
    assert (scored / "g.json").is_symlink()
    assert call("gate", "--baseline", "disk-e/gate.json", "--metrics", "m").code == 0
    (scored / "page.html").symlink_to("disk-e/page.html")
    (scored / "disk-e/page.html").touch()
    for _ in range(2):
        assert call("review-page", "run", "--data", "data", "--output", "page.html").code == 0
    assert (scored / "page.html").is_symlink() and "vesselkit-facts" in (scored / "disk-e/page.html").read_text()


def test_a_runs_manifest_is_no_baseline_to_update(call, scored):
    assert call("evaluate", "--data", "data", "--processes", "1", "--predictions", "run", "--output", "m").code == 0
    Image.new("L", (2, 2)).save(scored / "picture.png")
    for name in ("run/manifest.json", "m/summary.json", "data/dataset.json", "picture.png"):
        before = (scored / name).read_bytes()
        ended = call("gate", "--baseline", name, "--metrics", "m", "--update")
        assert ended.code == 3 and "a baseline of the gate to replace, found another file" in ended.err
        assert (scored / name).read_bytes() == before
    assert open_run(scored / "run").cases()
