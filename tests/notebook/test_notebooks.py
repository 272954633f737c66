"""The notebooks: two of them on a real tiny model, started in the two ways users start them, and what they refuse."""

import ast
import contextlib
import json
import re
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import nbformat
import papermill
import pytest
from nbclient import NotebookClient
from papermill.exceptions import PapermillExecutionError
from PIL import Image

from helpers.core import paths
from helpers.core.errors import RefusedInput
from helpers.notebook import __main__ as runner
from helpers.notebook.execution import execute_notebook
from helpers.notebook.parameter_cell import parameter_types
from helpers.notebook.parameters import validate
from helpers.notebook.settings import ConvertSettings, EvaluateSettings, InferSettings, ReviewSettings
from helpers.runs.run_folder import open_run

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = tuple(
    ROOT / "notebooks" / f"{name}.ipynb" for name in ("01_convert", "02_infer", "03_evaluate", "04_review")
)
CONVERT, INFER, EVALUATE, REVIEW = NOTEBOOKS
PLANTED = "DOE_JOHN_1961"
PROMPTS = ("Please segment the blood vessels.", "Segment the vessels, please.")
TIMEOUT_S = 300
LAST_CHECK = 4  # cells: the parameters, those given, what reads them, what looks for the run they name


def tiny_sources() -> dict[str, str] | None:
    """Parameters of 01 that name a tiny checkpoint and its bases, from the project root; None where none is here."""
    fixtures, golden = "tests/fixtures", "../shared/golden/tiny_qwen2"
    for checkpoints, bases, sizes in (
        (f"{fixtures}/ckpt", f"{fixtures}/base", f"{fixtures}/sam2_sizes.json"),
        (f"{golden}/ckpt_lora", f"{golden}/base", f"{golden}/sam2_dims.json"),
    ):
        found = sorted((ROOT / checkpoints).glob("iter_*.pth"))
        if found:
            return {
                "checkpoint": f"{checkpoints}/{found[-1].name}",
                "base": f"{bases}/internvl_base",
                "sam2": f"{bases}/sam2_base.pt",
                "sam2_config": sizes,
                "dtype": "float32",
            }
    return None


def tiny_images() -> list[Path]:
    """Two images of the kind that the tiny model was fitted on."""
    folder = ROOT / "tests/fixtures/images"
    if not folder.is_dir():
        folder = ROOT.parent / "shared/golden/tiny_qwen2/inputs"
    return [path for path in sorted(folder.glob("*.png")) if not path.stem.endswith("_gt")][:2]


def write_data(folder: Path) -> None:
    """A data set of two images with ground truth and a broken one, under names that must not get about."""
    for part in ("images", "masks"):
        (folder / part).mkdir()
    for index, path in enumerate(tiny_images()):
        name = f"{PLANTED}_{index}.png"
        shutil.copy(path, folder / "images" / name)
        Image.new("1", Image.open(path).size, 1).save(folder / "masks" / name)
    (folder / "images" / f"{PLANTED}_2.png").write_bytes(b"broken")


@dataclass(frozen=True)
class Runs:
    """Results of both notebooks by papermill from an unrelated folder, and by a kernel in `notebooks/`."""

    project: str
    executed: dict[str, nbformat.NotebookNode]
    models: tuple[Path, Path]
    predictions: tuple[Path, Path]


@pytest.fixture
def runs(tmp_path_factory) -> Runs:
    sources = tiny_sources()
    if sources is None:
        pytest.skip("neither tests/fixtures nor ../shared holds a tiny checkpoint")
    elsewhere, data = tmp_path_factory.mktemp("elsewhere"), tmp_path_factory.mktemp(PLANTED)
    write_data(data)
    project = f"test-{uuid.uuid4().hex[:8]}"
    folder = ROOT / "outputs" / project
    infer = {"project": project, "data": str(data), "prompts": list(PROMPTS)}
    again = folder / "notebooks" / "again.ipynb"
    executed = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(paths.ROOT_VARIABLE, raising=False)
        patch.setenv("HF_MODULES_CACHE", str(tmp_path_factory.mktemp("modules")))
        try:
            with contextlib.chdir(elsewhere):
                for notebook, values in ((CONVERT, {"project": project, **sources}), (INFER, {**infer, "name": "a"})):
                    output = Path("outputs") / project / "notebooks" / notebook.name
                    written = execute_notebook(notebook, output, values, TIMEOUT_S)
                    executed[f"papermill {notebook.stem}"] = nbformat.read(written, as_version=4)
            for notebook, values in ((CONVERT, {"project": project, **sources}), (INFER, {**infer, "name": "b"})):
                executed[f"lab {notebook.stem}"] = run_as_lab(notebook, values)
            before = files(folder / "predict/a", ".")
            model = {"model": f"outputs/{project}/convert/{min(path.name for path in (folder / 'convert').iterdir())}"}
            execute_notebook(INFER, again, {**infer, **model, "name": "a"}, TIMEOUT_S)
            assert files(folder / "predict/a", ".") == before, "a run that is done was touched"
            with pytest.raises(RefusedInput, match=r"threshold: the run has 0\.5, asked for was 0\.3"):
                execute_notebook(INFER, again, {**infer, **model, "name": "a", "threshold": 0.3}, TIMEOUT_S)
            assert again.with_name("again.failed.ipynb").is_file(), "looked through by nothing_names_an_image"
            models = sorted((folder / "convert").iterdir(), key=lambda path: path.stat().st_mtime_ns)
            yield Runs(project, executed, tuple(models), (folder / "predict/a", folder / "predict/b"))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    assert not list(elsewhere.iterdir()), "a notebook wrote into the folder it was started from"


def run_as_lab(notebook: Path, values: dict) -> nbformat.NotebookNode:
    """The notebook with edited parameters, run as JupyterLab runs it: kernel in the notebook's own folder."""
    node = nbformat.read(notebook, as_version=4)
    cell = parameters_cell(node)
    for name, value in values.items():
        cell.source, count = re.subn(
            rf"(?m)^{name}: (\w+) = .*$", lambda m, v=value, n=name: f"{n}: {m[1]} = {v!r}", cell.source
        )
        assert count == 1
    NotebookClient(node, timeout=TIMEOUT_S, resources={"metadata": {"path": str(notebook.parent)}}).execute()
    return node


def parameters_cell(node: nbformat.NotebookNode) -> nbformat.NotebookNode:
    return next(cell for cell in node.cells if "parameters" in cell.metadata.get("tags", []))


def printed(node: nbformat.NotebookNode) -> str:
    outputs = [output for cell in node.cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs)


def pictures(node: nbformat.NotebookNode) -> int:
    return sum("image/png" in output.get("data", {}) for cell in node.cells for output in cell.get("outputs", []))


@pytest.mark.slow
@pytest.mark.longest
def test_both_notebooks_both_ways(runs):
    # One test, so that parallel workers do not each make the runs.
    same_model(runs)
    same_masks_and_logits(runs)
    latest_conversion_taken_and_named(runs)
    account_shown(runs)
    nothing_names_an_image(runs)


def same_model(runs):
    first, second = (json.loads((model / "conversion.json").read_text()) for model in runs.models)
    assert first["tensors_sha256"] == second["tensors_sha256"] and len(first["targets"]) > 400
    assert runs.models[1].name == f"{runs.models[0].name}-2"
    assert "exists already and is kept" in printed(runs.executed["lab 01_convert"])


def same_masks_and_logits(runs):
    first, second = runs.predictions
    for part in ("logits", "masks", "panels", "predictions.parquet"):
        found = files(first, part)
        assert found and found == files(second, part)
    assert len(files(first, "panels")) == 2 * len(PROMPTS)
    run = open_run(first)
    masks = [run.mask(case_id, "p1") for case_id in run.cases()]
    assert [mask is None for mask in masks].count(True) == 1
    assert all(0 < mask.sum() < mask.size for mask in masks if mask is not None)


def files(folder, part):
    """Relative path -> content."""
    found = [folder / part] if (folder / part).is_file() else sorted((folder / part).rglob("*.*"))
    return {path.relative_to(folder): path.read_bytes() for path in found}


def latest_conversion_taken_and_named(runs):
    for way, model in zip(("papermill", "lab"), runs.models, strict=True):
        text = printed(runs.executed[f"{way} 02_infer"])
        assert f"model: outputs/{runs.project}/convert/{model.name} (the latest complete conversion" in text
    assert open_run(runs.predictions[1]).config.values["model"]["folder_name"] == runs.models[1].name


def account_shown(runs):
    node = runs.executed["papermill 01_convert"]
    text = printed(node)
    for words in ("language model LoRA", "merged", "overridden", "lora_alpha", "verified", "conversion.json"):
        assert words in text
    assert pictures(node) == 2 and pictures(runs.executed["papermill 02_infer"]) == 1
    text = printed(runs.executed["papermill 02_infer"])
    assert "read_error" in text and "4 pictures written" in text and "not an image of a known format" in text
    assert "unreadable" in text and "missing_truth" in text and "p1 and p2" in text
    node = runs.executed["papermill 02_infer"]
    (box,) = [cell for cell in node.cells if cell.cell_type == "code" and "prompt_box(" in cell.source]
    assert box.outputs == [] and "widgets" not in node.metadata


def nothing_names_an_image(runs):
    for way, node in runs.executed.items():
        if way.startswith("lab"):
            parameters_cell(node).source = ""  # where people type the path themselves
        assert PLANTED not in nbformat.writes(node)
    for path in (ROOT / "outputs" / runs.project).rglob("*"):
        assert PLANTED not in path.name and (path.is_dir() or PLANTED.encode() not in path.read_bytes())


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


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_bad_parameters_stop_a_notebook_at_once_even_without_the_runner(notebook, tmp_path):
    head, *lines = stopped(notebook, {name: value for name, (value, _) in WRONG[notebook].items()}, tmp_path).split(
        "\n"
    )
    assert head == "parameters refused:" and len(lines) == len(WRONG[notebook])
    for _, words in WRONG[notebook].values():
        assert sum(line.startswith(f"  {words}") for line in lines) == 1, words


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_as_it_stands_says_what_it_needs(notebook, tmp_path):
    head, line = stopped(notebook, {"project": "mystudy"}, tmp_path).split("\n")
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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("notebook", "values", "words"),
    [
        (EVALUATE, {"data": "tests", "predictions": "no-such-run"}, "expected a run folder, or the name of a run"),
        (REVIEW, {"data": "tests", "reviewer": "../ann"}, r"reviewer: .*got '../ann'"),
    ],
)
def test_names_that_are_none_stop_a_notebook_at_once(notebook, values, words, tmp_path):
    assert re.search(words, stopped(notebook, values, tmp_path))


@pytest.mark.parametrize("model", [ConvertSettings, InferSettings, EvaluateSettings, ReviewSettings])
def test_what_project_demo_takes_is_there(model):
    found = validate(model, {})
    given = [value for value in found.model_dump().values() if isinstance(value, Path)]
    assert given and all(path.exists() and path.is_relative_to(ROOT / "helpers/dev/demo/files") for path in given)


@pytest.mark.parametrize(
    ("notebook", "model"),
    list(zip(NOTEBOOKS, (ConvertSettings, InferSettings, EvaluateSettings, ReviewSettings), strict=True)),
)
def test_the_parameters_cell_has_the_settings_fields_in_order(notebook, model):
    assert list(parameter_types(notebook)) == list(model.model_fields)
    lines = parameters_cell(nbformat.read(notebook, as_version=4)).source.splitlines()
    assert all(re.fullmatch(r"\w+: (str|float|int|list|bool) = \S.*  # .+", line) for line in lines)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_clean(notebook):
    node = nbformat.read(notebook, as_version=4)
    nbformat.validate(node)
    code = [cell for cell in node.cells if cell.cell_type == "code"]
    assert node.metadata.kernelspec == {
        "name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"
    }  # fmt: skip
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert len({cell.id for cell in node.cells}) == len(node.cells)
    assert code[0].metadata.tags == ["parameters"] and "read_parameters(" in code[1].source
    assert len(code) <= 15 and all(len(cell.source.splitlines()) <= 15 for cell in code[1:])
    assert not any(isinstance(found, ast.FunctionDef) for cell in code for found in ast.walk(ast.parse(cell.source)))
    for words in ("**Question:**", "**Inputs:**", "**Outputs:**", "**Minutes and memory:**"):
        assert words in node.cells[0].source


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_prose_stands_between_cells_and_explains_each_figure(notebook):
    cells = nbformat.read(notebook, as_version=4).cells
    figures = 0
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        if cell.cell_type != "code":
            continue
        assert following is None or following.cell_type == "markdown"
        if "show_figure(" in cell.source:
            figures += 1
            assert "**How to read it:**" in following.source and "**How it misleads:**" in following.source
    assert figures >= 1


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_later_cell_assigns_a_parameter(notebook):
    names = set(parameter_types(notebook))
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type == "code" and "parameters" not in cell.metadata.get("tags", []):
            stored = {
                found.id
                for found in ast.walk(ast.parse(cell.source))
                if isinstance(found, ast.Name) and isinstance(found.ctx, ast.Store)
            }
            assert not names & stored


def test_the_fixture_images_are_frames():
    found = tiny_images()
    if not found:
        pytest.skip("neither tests/fixtures nor ../shared is here")
    assert all(min(Image.open(path).size) >= 64 for path in found)
