"""Two of the notebooks on a real tiny model, started in the two ways users start them."""

import contextlib
import json
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image

from helpers.core import paths
from helpers.core.errors import RefusedInput
from helpers.notebook.execution import execute_notebook
from helpers.runs.run_folder import open_run
from tests.support.shipped_notebooks import (
    CONVERT,
    INFER,
    ROOT,
    parameters_cells,
    pictures,
    printed,
    run_here,
    set_parameters,
)

PLANTED = "DOE_JOHN_1961"
PROMPTS = ("Please segment the blood vessels.", "Segment the vessels, please.")
TIMEOUT_S = 300


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
    """Results of both notebooks by papermill from an unrelated folder, and of 02 by a kernel in `notebooks/`."""

    project: str
    executed: dict[str, nbformat.NotebookNode]
    model: Path
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
    infer = {"project": project, "data": str(data), "prompts": list(PROMPTS), "ensemble": "prompts"}
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
            executed[f"lab {INFER.stem}"] = run_as_lab(INFER, {**infer, "name": "b"})
            before = files(folder / "predict/a", ".")
            with pytest.raises(RefusedInput, match=r"threshold: the run has 0\.5, asked for was 0\.3"):
                run_here(INFER, {**infer, "name": "a", "threshold": 0.3})
            assert files(folder / "predict/a", ".") == before, "a run that is done was touched"
            (model,) = (folder / "convert").iterdir()
            yield Runs(project, executed, model, (folder / "predict/a", folder / "predict/b"))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    assert not list(elsewhere.iterdir()), "a notebook wrote into the folder it was started from"


def run_as_lab(notebook: Path, values: dict) -> nbformat.NotebookNode:
    """The notebook with edited parameters, run as JupyterLab runs it: kernel in the notebook's own folder."""
    node = nbformat.read(notebook, as_version=4)
    set_parameters(node, values)
    NotebookClient(node, timeout=TIMEOUT_S, resources={"metadata": {"path": str(notebook.parent)}}).execute()
    return node


@pytest.mark.slow
@pytest.mark.longest
def test_both_notebooks_both_ways(runs):
    # One test, so that parallel workers do not each make the runs.
    whole_model(runs)
    same_masks_and_logits(runs)
    latest_conversion_taken_and_named(runs)
    account_shown(runs)
    nothing_names_an_image(runs)


def whole_model(runs):
    assert len(json.loads((runs.model / "conversion.json").read_text())["targets"]) > 400


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
    for way in ("papermill", "lab"):
        text = printed(runs.executed[f"{way} 02_infer"])
        assert f"model: outputs/{runs.project}/convert/{runs.model.name} (the latest complete conversion" in text
    assert open_run(runs.predictions[1]).config.values["model"]["folder_name"] == runs.model.name


def account_shown(runs):
    node = runs.executed["papermill 01_convert"]
    text = printed(node)
    for words in ("language model LoRA", "merged", "overridden", "lora_alpha", "verified", "conversion.json"):
        assert words in text
    assert pictures(node) == pictures(runs.executed["papermill 02_infer"]) == 2
    text = printed(runs.executed["papermill 02_infer"])
    assert "read_error" in text and "4 pictures written" in text and "not an image of a known format" in text
    assert "unreadable" in text and "missing_truth" in text and "p1 and p2" in text
    node = runs.executed["papermill 02_infer"]
    (box,) = [cell for cell in node.cells if cell.cell_type == "code" and "prompt_box(" in cell.source]
    assert box.outputs == [] and "widgets" not in node.metadata


def nothing_names_an_image(runs):
    for way, node in runs.executed.items():
        if way.startswith("lab"):
            for cell in parameters_cells(node):  # where people type the path themselves
                cell.source = ""
        assert PLANTED not in nbformat.writes(node)
    for path in (ROOT / "outputs" / runs.project).rglob("*"):
        assert PLANTED not in path.name and (path.is_dir() or PLANTED.encode() not in path.read_bytes())


def test_the_fixture_images_are_frames():
    found = tiny_images()
    if not found:
        pytest.skip("neither tests/fixtures nor ../shared is here")
    assert all(min(Image.open(path).size) >= 64 for path in found)
