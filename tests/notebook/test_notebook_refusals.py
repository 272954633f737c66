"""What the notebooks refuse, alone and through the runner, before any work."""

import json
import re
from unittest.mock import patch

import papermill
import pytest
from papermill.exceptions import PapermillExecutionError

from helpers.core.errors import UsageProblem
from helpers.notebook import __main__ as runner
from helpers.notebook.execution import execute_notebook
from helpers.notebook.parameters import parameter_types
from tests.support.shipped_notebooks import (
    CONVERT,
    EVALUATE,
    INFER,
    NOTEBOOKS,
    REVIEW,
    run_here,
)

LAST_CHECK = 5  # cells: the parameters in two, those given, what reads them, what looks for the run they name

# Of each notebook: what is wrong with it one by one, and the line that says so.
WRONG = {
    CONVERT: {
        "lora_alfa": (4.0, "lora_alfa: unknown parameter, did you mean lora_alpha?"),
        "lora_alpha": ("abc", "lora_alpha: Input should be a valid number; got 'abc' (str)"),
        "checkpoint": ("no/such/iter_1.pth", "checkpoint: expected an existing file or folder, found none"),
    },
    INFER: {
        "treshold": (0.3, "treshold: unknown parameter, did you mean threshold?"),
        "threshold": ("abc", "threshold: Input should be a valid number; got 'abc' (str)"),
        "data": ("no/such/folder", "data: expected an existing file or folder, found none"),
    },
    EVALUATE: {
        "agianst": (["a"], "agianst: unknown parameter, did you mean against?"),
        "draws": ("many", "draws: Input should be a valid integer; got 'many' (str)"),
        "data": ("no/such/folder", "data: expected an existing file or folder, found none"),
    },
    REVIEW: {
        "revewer": ("ann", "revewer: unknown parameter, did you mean reviewer?"),
        "page_cases": ("all", "page_cases: Input should be a valid integer; got 'all' (str)"),
        "data": ("no/such/folder", "data: expected an existing file or folder, found none"),
    },
}
NEEDED = {
    CONVERT: "checkpoint: needed; give a path: iter_N.pth, or a folder of the official converter. Project demo takes",
    **dict.fromkeys((INFER, EVALUATE, REVIEW), "data: needed; give a path: a folder or annotation file. Project demo"),
}


def stopped(notebook, values, folder):
    """What a notebook says that papermill alone runs, which stops at its parameters before any work."""
    with pytest.raises(PapermillExecutionError) as caught:
        papermill.execute_notebook(notebook, folder / "out.ipynb", parameters=values, progress_bar=False)
    assert caught.value.exec_count <= LAST_CHECK
    assert caught.value.ename == "UsageProblem"
    return caught.value.evalue


def stopped_here(notebook, values):
    """As `stopped`, without a kernel: how a kernel stops is seen of each notebook once."""
    with pytest.raises(UsageProblem) as caught:
        run_here(notebook, values)
    assert caught.value.cell <= LAST_CHECK
    return str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_bad_parameters_stop_a_notebook_at_once_even_without_the_runner(notebook, tmp_path):
    head, *lines = stopped(notebook, {name: value for name, (value, _) in WRONG[notebook].items()}, tmp_path).split(
        "\n"
    )
    assert head == "parameters refused:" and len(lines) == len(WRONG[notebook])
    for _, words in WRONG[notebook].values():
        assert sum(line.startswith(f"  {words}") for line in lines) == 1, words


@pytest.fixture
def beside_own_helpers(tmp_path, monkeypatch):
    """A folder to start in that has a helpers.py of the user's own; what PYTHONPATH names would stand before it."""
    (tmp_path / "helpers.py").write_text("A = 1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return tmp_path


@pytest.mark.slow
def test_a_helpers_of_the_users_own_is_named_by_a_notebook_that_papermill_runs(beside_own_helpers):
    with pytest.raises(PapermillExecutionError) as caught:
        papermill.execute_notebook(REVIEW, "out.ipynb", progress_bar=False)
    assert (caught.value.ename, caught.value.exec_count) == ("ImportError", 3)
    place = (beside_own_helpers / "helpers.py").resolve()
    assert caught.value.evalue.startswith(f"vesselkit: expected its own package 'helpers', found {place} in its place.")


@pytest.mark.slow
@pytest.mark.endurance
def test_the_kits_own_runner_is_not_kept_by_it(beside_own_helpers):
    (beside_own_helpers / "data").mkdir()
    values = {"data": str(beside_own_helpers / "data"), "predictions": "no-such-run"}
    with pytest.raises(UsageProblem, match="expected a run folder, or the name of a run"):
        execute_notebook(EVALUATE, beside_own_helpers / "out.ipynb", values, 300)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_as_it_stands_says_what_it_needs(notebook):
    head, line = stopped_here(notebook, {"project": "mystudy"}).split("\n")
    assert head == "parameters refused:" and line.startswith(f"  {NEEDED[notebook]}")


@pytest.mark.parametrize(
    ("notebook", "name"),
    [(one, name) for one in NOTEBOOKS for name in WRONG[one]],
    ids=lambda one: getattr(one, "stem", one),
)
def test_the_runner_refuses_each_before_a_kernel_starts(notebook, name, capsys):
    value, words = WRONG[notebook][name]
    needed = {} if name in ("data", "checkpoint") else {"checkpoint" if notebook == CONVERT else "data": "tests"}
    given = [
        ("-p", one, text if isinstance(text, str) else json.dumps(text))
        for one, text in {**needed, name: value}.items()
    ]
    with patch("jupyter_client.manager.KernelManager.start_kernel", side_effect=AssertionError("a kernel was started")):
        assert runner.main([str(notebook), *(part for one in given for part in one)]) == 2
    said = capsys.readouterr().err
    assert words.split(";")[0].split(": ")[0] in said and said.count("\n") == 2
    assert (
        words in said or f"{name}: expected a value of type {parameter_types(notebook)[name][0]}, got {value!r}" in said
    )


@pytest.mark.parametrize(
    ("notebook", "values", "words"),
    [
        (EVALUATE, {"data": "tests", "predictions": "no-such-run"}, "expected a run folder, or the name of a run"),
        (REVIEW, {"data": "tests", "reviewer": "../ann"}, r"reviewer: .*got '../ann'"),
    ],
)
def test_names_that_are_none_stop_a_notebook_at_once(notebook, values, words):
    assert re.search(words, stopped_here(notebook, values))
