"""Notebooks run strictly: parameters checked first, output whole or absent, no paths left in it."""

import errno
import json
import os
import re
import signal
import sys
import threading
import time

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from helpers.core import paths
from helpers.core.errors import RefusedInput, Stopped, UsageProblem, VesselkitError
from helpers.notebook import execution
from helpers.notebook.execution import execute_notebook
from helpers.notebook.parameters import injected_values
from tests.notebook.test_prose import BOTH, TURNED

pytestmark = pytest.mark.slow

PARAMETERS = 'threshold: float = 0.5  # between 0 and 1\nimages: str = ""\nmany: list = []\n'


EARLIER = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {"papermill": {}}, "cells": []})  # executed


def write_notebook(path, *sources, kernel="python3", parameters=PARAMETERS):
    cells = [new_code_cell(parameters, metadata={"tags": ["parameters"]}), *map(new_code_cell, sources)]
    node = new_notebook(cells=cells)
    if kernel:
        node.metadata["kernelspec"] = {"name": kernel, "display_name": kernel, "language": "python"}
        node.metadata["language_info"] = {"name": "python"}
    nbformat.write(node, path)
    return path


def outputs(path):
    node = nbformat.read(path, as_version=4)
    return "".join(output.get("text", "") for cell in node.cells for output in cell.get("outputs", []))


def test_runs_with_braces_in_paths_and_leaves_no_outside_path(tmp_path, monkeypatch):
    folder = tmp_path / "a {brace} DOE_JOHN"
    folder.mkdir()
    monkeypatch.chdir(folder)
    notebook = write_notebook(
        folder / "in.ipynb", "print(threshold, len(images), many[0])\nassert images.endswith('quo\"te')"
    )
    outside = str(folder / 'quo"te')
    inside = paths.project_root() / "helpers"
    output = execute_notebook(
        notebook, folder / "new" / "out.ipynb", {"threshold": 0.3, "images": outside, "many": [inside, outside]}, 120
    )
    assert outputs(output) == f"0.3 {len(outside)} helpers\n"
    stored = json.loads(output.read_text())
    text = output.read_text()
    assert "DOE_JOHN" not in text and str(paths.project_root()) not in text and "<images>" in text
    assert stored["metadata"]["papermill"]["parameters"] == {
        "threshold": 0.3,
        "images": "<images>",
        "many": ["<many>", "<many>"],
    }
    assert stored["metadata"]["papermill"]["input_path"] == "in.ipynb"
    assert sorted(os.listdir(output.parent)) == ["out.ipynb"]


def test_an_executed_copy_is_run_again_with_what_it_was_run_with(tmp_path):
    notebook = write_notebook(
        tmp_path / "in.ipynb", "print(threshold, images, many)", parameters=f"{PARAMETERS}language: str = 'en'\n"
    )
    node = nbformat.read(notebook, as_version=4)
    node.cells.append(new_markdown_cell(BOTH))
    nbformat.write(node, notebook)
    once = execute_notebook(notebook, tmp_path / "a.ipynb", {"threshold": 0.3, "many": ["x"], "language": "zh"}, 120)
    again = execute_notebook(once, tmp_path / "b.ipynb", {"images": "outputs/y"}, 120)
    assert outputs(again) == "0.3 outputs/y ['x']\n"
    cells = nbformat.read(again, as_version=4).cells
    assert [cell.metadata.get("tags", []) for cell in cells].count(["injected-parameters"]) == 1
    assert cells[-1].source == TURNED


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("threshold: float = 0.3", {"threshold": 0.3}),
        ("threshold += 0.1", None),
        ("threshold, many = 0.3, []", None),
        ("threshold = 1 / 3", None),
        ("threshold: float", None),
        ("print(threshold)", None),
    ],
)
def test_no_line_of_what_a_copy_was_run_with_is_lost(tmp_path, line, found):
    notebook = write_notebook(tmp_path / "in.ipynb", "print(threshold)")
    node = nbformat.read(notebook, as_version=4)
    node.cells.insert(1, nbformat.v4.new_code_cell(f"# Parameters\n{line}", metadata={"tags": ["injected-parameters"]}))
    nbformat.write(node, notebook)
    if found is not None:
        assert injected_values(notebook) == found
        return
    with pytest.raises(RefusedInput, match="expected lines such as limit = 4 with plain values"):
        injected_values(notebook)


def test_a_path_that_an_executed_copy_does_not_keep_is_asked_for(tmp_path):
    notebook = write_notebook(tmp_path / "in.ipynb", "print(len(images), many)")
    once = execute_notebook(notebook, tmp_path / "a.ipynb", {"images": "/data/DOE", "many": ["x", "/data/DOE"]}, 120)
    with pytest.raises(UsageProblem, match=r"images, many: given as a path, .* Give it again instead"):
        execute_notebook(once, tmp_path / "b.ipynb", {}, 120)
    again = execute_notebook(once, tmp_path / "b.ipynb", {"images": "/data/DOE", "many": []}, 120)
    assert outputs(again) == "9 []\n"


def test_the_kernels_log_stays_off_the_terminal(tmp_path, capfd):
    notebook = write_notebook(
        tmp_path / "in.ipynb",
        "from ipykernel.kernelapp import IPKernelApp\nIPKernelApp.instance().log.error('a word of the kernel')",
    )
    execute_notebook(notebook, tmp_path / "out.ipynb", {}, 120)
    assert "IPKernelApp" not in capfd.readouterr().err


def test_unknown_parameters_are_refused_before_anything_runs(tmp_path):
    trace = tmp_path / "ran"
    notebook = write_notebook(tmp_path / "in.ipynb", f"open({str(trace)!r}, 'w')")
    with pytest.raises(UsageProblem, match=r"treshold: unknown parameter, did you mean threshold?"):
        execute_notebook(notebook, tmp_path / "out.ipynb", {"treshold": 0.3}, 120)
    assert not trace.exists() and not (tmp_path / "out.ipynb").exists()


@pytest.mark.parametrize("content", ["", "mine", EARLIER.replace("papermill", "kernelspec")])
def test_only_an_executed_copy_is_written_over(tmp_path, content):
    notebook, output = write_notebook(tmp_path / "in.ipynb", "1"), tmp_path / "out.ipynb"
    output.write_text(content)
    output.write_text(content)
    with pytest.raises(RefusedInput, match="or an executed copy to replace, found another file"):
        execute_notebook(notebook, output, {}, 120)
    assert output.read_text() == content


def test_a_failing_cell_is_reported_and_the_old_output_stays(tmp_path):
    notebook = write_notebook(tmp_path / "in.ipynb", "raise KeyError('no such case')")
    output = tmp_path / "out.ipynb"
    output.write_text(EARLIER)
    with pytest.raises(VesselkitError, match=r"in.ipynb: cell \d failed with KeyError: 'no such case'"):
        execute_notebook(notebook, output, {}, 120)
    assert output.read_text() == EARLIER
    assert "no such case" in (tmp_path / "out.failed.ipynb").read_text()
    assert sorted(os.listdir(tmp_path)) == ["in.ipynb", "out.failed.ipynb", "out.ipynb"]


def test_a_slow_cell_is_stopped(tmp_path):
    notebook = write_notebook(tmp_path / "in.ipynb", "import time; time.sleep(60)")
    with pytest.raises(VesselkitError, match="longer than 1 s"):
        execute_notebook(notebook, tmp_path / "out.ipynb", {}, 1)
    assert not (tmp_path / "out.ipynb").exists()


def test_a_kernel_that_dies_is_told_and_what_it_showed_is_kept(tmp_path):
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    notebook = write_notebook(tmp_path / "in.ipynb", "print('as far as here')", kill, "print('never')")
    output = tmp_path / "out.ipynb"
    output.write_text(EARLIER)
    wanted = r"in.ipynb: the kernel died .*most often the memory ran out. See .*out.failed.ipynb"
    with pytest.raises(VesselkitError, match=wanted) as raised:
        execute_notebook(notebook, output, {}, 120)
    assert raised.value.exit_code == 1 and output.read_text() == EARLIER
    assert outputs(tmp_path / "out.failed.ipynb") == "as far as here\n"
    assert sorted(os.listdir(tmp_path)) == ["in.ipynb", "out.failed.ipynb", "out.ipynb"]


def test_an_interrupt_keeps_what_was_shown_and_ends_the_kernel(tmp_path):
    told = tmp_path / "kernel"
    wait = f"import os, pathlib, time; pathlib.Path({str(told)!r}).write_text(str(os.getpid())); time.sleep(60)"
    notebook = write_notebook(tmp_path / "in.ipynb", "print('as far as here')", wait)

    def interrupt():
        until = time.monotonic() + 60
        while not (told.is_file() and told.read_text()) and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(Stopped, match=r"in.ipynb: stopped; what its cells wrote is kept. See .*out.failed.ipynb"):
        execute_notebook(notebook, tmp_path / "out.ipynb", {}, 120)
    thread.join()
    assert outputs(tmp_path / "out.failed.ipynb") == "as far as here\n"
    assert sorted(os.listdir(tmp_path)) == ["in.ipynb", "kernel", "out.failed.ipynb"]
    assert not psutil.pid_exists(int(told.read_text()))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "raise OSError(28, 'No space left on device', 'x')",
            "No space left on device: 'x'. Free some space, then run",
        ),
        ("raise OSError(30, 'Read-only')", "Read-only. Name another folder, or make this one writable, then run"),
        ("raise MemoryError", "cell 2 failed with MemoryError. Close other programs, or have less done at a time"),
        ("raise OSError('of no number')", "cell 2 failed with OSError: of no number. See"),
    ],
)
def test_errors_of_the_system_in_a_cell_say_what_to_do(tmp_path, source, said):
    with pytest.raises(VesselkitError, match=re.escape(said)):
        execute_notebook(write_notebook(tmp_path / "in.ipynb", source), tmp_path / "out.ipynb", {}, 120)


def test_a_disk_that_becomes_full_under_the_notebook_leaves_the_earlier_copy(tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(execution.papermill, "execute_notebook", full)
    (tmp_path / "out.ipynb").write_text(EARLIER)
    with pytest.raises(OSError, match="No space left") as raised:
        execute_notebook(write_notebook(tmp_path / "in.ipynb"), tmp_path / "out.ipynb", {}, 120)
    assert raised.value.filename == str(tmp_path / "out.ipynb")
    assert sorted(os.listdir(tmp_path)) == ["in.ipynb", "out.ipynb"]


def test_kernels(tmp_path):
    notebook = write_notebook(tmp_path / "in.ipynb", kernel="no_such_kernel")
    with pytest.raises(UsageProblem, match="ipykernel install --sys-prefix --name no_such_kernel"):
        execute_notebook(notebook, tmp_path / "out.ipynb", {}, 120)
    write_notebook(notebook, kernel=None)
    with pytest.raises(RefusedInput, match="kernel name"):
        execute_notebook(notebook, tmp_path / "out.ipynb", {}, 120)


@pytest.mark.parametrize("content", ["", "not json", "[]", "{}"])
def test_what_is_no_notebook_is_refused(tmp_path, content):
    notebook = tmp_path / "in.ipynb"
    notebook.write_text(content)
    with pytest.raises(RefusedInput, match=r"in.ipynb"):
        execute_notebook(notebook, tmp_path / "out.ipynb", {}, 120)


def test_bad_calls(tmp_path):
    notebook = write_notebook(tmp_path / "in.ipynb")
    for output, timeout, words in (
        ("out.txt", 5, ".ipynb"),
        ("in.ipynb", 5, "other than"),
        ("out.ipynb", 0, "timeout"),
    ):
        with pytest.raises(UsageProblem, match=words):
            execute_notebook(notebook, tmp_path / output, {}, timeout)
    with pytest.raises(UsageProblem, match="found none"):
        execute_notebook(tmp_path / "absent.ipynb", tmp_path / "out.ipynb", {}, 5)


def test_the_kernel_is_this_environment(tmp_path):
    told = tmp_path / "told"
    notebook = write_notebook(tmp_path / "in.ipynb", f"import sys\nopen({str(told)!r}, 'w').write(sys.prefix)")
    execute_notebook(notebook, tmp_path / "out.ipynb", {}, 120)
    assert told.read_text() == sys.prefix
