"""The command line of the notebook runner: typed values, refusals, and where the executed copy goes."""

import os

import pytest

from helpers.core import paths
from helpers.core.errors import UsageProblem
from helpers.notebook import __main__ as runner
from helpers.notebook.parameters import parameter_types
from tests.notebook.test_execution import write_notebook

TYPES = {
    "share": ("float", "0.5"),
    "count": ("int", "0"),
    "text": ("str", '"a"'),
    "flag": ("bool", "False"),
    "any": ("None", "x"),
    "many": ("list[str]", "[]"),
}


def test_texts_become_values_of_the_declared_types():
    given = [("share", "0.25"), ("count", "-3"), ("text", "0.25"), ("flag", "true"), ("any", "7")]
    found = runner.typed_parameters(TYPES, [*given, ("many", '["a", "b c"]')])
    assert found == {"share": 0.25, "count": -3, "text": "0.25", "flag": True, "any": "7", "many": ["a", "b c"]}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("share", "abc", "share: expected a value of type float, got 'abc'"),
        ("count", "2.5", "count: expected a value of type int"),
        ("many", "a", "many: expected a value of type list[str], got 'a'"),
        ("many", '"a"', "many: expected a value of type list"),
        ("flag", "1", "flag: expected a value of type bool"),
        ("cuont", "1", "cuont: unknown parameter, did you mean count?"),
    ],
)
def test_what_is_no_value_is_refused(name, text, words):
    with pytest.raises(UsageProblem) as caught:
        runner.typed_parameters(TYPES, [(name, text)])
    assert words in str(caught.value)


def test_a_name_given_twice_is_refused():
    with pytest.raises(UsageProblem, match="share: given twice"):
        runner.typed_parameters(TYPES, [("share", "0.1"), ("share", "0.2")])


def test_types_are_read_from_the_notebook(tmp_path):
    found = parameter_types(write_notebook(tmp_path / "in.ipynb"))
    assert found == {"threshold": ("float", "0.5"), "images": ("str", '""'), "many": ("list", "[]")}


def test_executed_copies_go_to_the_projects_notebooks(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.ROOT_VARIABLE, str(tmp_path))
    monkeypatch.setattr(runner, "utc_name", lambda: "20261124-0731")
    types = {"project": ("str", '"demo"')}
    first = runner.default_output(tmp_path / "02_infer.ipynb", types, {})
    assert first == tmp_path.resolve() / "outputs/demo/notebooks/20261124-0731-02_infer.ipynb"
    first.parent.mkdir(parents=True)
    first.touch()
    assert runner.default_output(tmp_path / "02_infer.ipynb", types, {}).name == "20261124-0731-02_infer-2.ipynb"
    assert runner.default_output(first, types, {}).name == "20261124-0731-02_infer-2.ipynb"
    assert runner.default_output(tmp_path / "x.ipynb", types, {"project": "p"}).parents[1].name == "p"
    with pytest.raises(UsageProblem, match="--output"):
        runner.default_output(tmp_path / "x.ipynb", {}, {})


def test_exit_codes_and_messages(tmp_path, capsys):
    notebook = str(write_notebook(tmp_path / "in.ipynb"))
    assert runner.main([notebook, "-p", "treshold", "0.3"]) == 2
    assert "did you mean threshold?" in capsys.readouterr().err
    (tmp_path / "broken.ipynb").write_text("{")
    assert runner.main([str(tmp_path / "broken.ipynb")]) == 3
    assert "not readable as a notebook" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        runner.main([notebook, "-p", "threshold"])


@pytest.mark.slow
def test_a_run_and_the_exit_code_of_its_error(tmp_path, capfd):
    source = "from helpers.core.errors import RefusedInput\nprint('results: outputs/a')\n"
    source += "if threshold > 0.5:\n    raise RefusedInput('no such frame')"
    notebook = str(write_notebook(tmp_path / "in.ipynb", source))
    output = tmp_path / "out.ipynb"
    assert runner.main([notebook, "-p", "threshold", "0.4", "--output", str(output), "--timeout", "60"]) == 0
    assert output.is_file() and "executed notebook: out.ipynb\nresults: outputs/a\n" in capfd.readouterr().err
    assert runner.main([notebook, "-p", "threshold", "0.6", "--output", str(output), "--timeout", "60"]) == 3
    assert "no such frame" in capfd.readouterr().err


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc, which nobody can write to")
def test_a_read_only_place_is_told(tmp_path, capsys):
    notebook = write_notebook(tmp_path / "in.ipynb")
    assert runner.main([str(notebook), "--output", "/proc/new/out.ipynb"]) == 3
    assert "/proc: cannot be written" in capsys.readouterr().err


@pytest.mark.slow
def test_a_scheduler_stops_a_notebook(tmp_path, capsys):
    notebook = write_notebook(tmp_path / "in.ipynb", f"import os, signal; os.kill({os.getpid()}, signal.SIGTERM)")
    assert runner.main([str(notebook), "--output", str(tmp_path / "out.ipynb")]) == 130
    assert "in.ipynb: stopped; what its cells wrote is kept" in capsys.readouterr().err
