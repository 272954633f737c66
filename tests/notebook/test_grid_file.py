"""Grid files: jobs as the product of the grid, and everything refused before the first job."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
import yaml
from PIL import Image

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.notebook.grid_file import read_grid
from helpers.notebook.grid_keys import Fingerprints, job_key
from tests.notebook.test_execution import write_notebook

ROOT = Path(__file__).resolve().parents[2]
PARAMETERS = 'project: str = "demo"\nname: str = ""\ndata: str = ""\nthreshold: float = 0.5\nprompts: list = []\n'


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("VESSELKIT_ROOT", str(tmp_path))
    write_notebook(tmp_path / "nb.ipynb", "print(threshold)", parameters=PARAMETERS)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.txt").write_text("a")
    return tmp_path


def write_grid_file(root, **entries):
    path = root / "trial.yaml"
    path.write_text(yaml.safe_dump({"notebook": "nb.ipynb", "project": "demo", **entries}, sort_keys=False))
    return path


def test_jobs_are_the_product_of_the_grid(root):
    grid = {"threshold": [0.3, 0.5], "prompts": [["a"], ["b", "c"]]}
    grid = read_grid(write_grid_file(root, parameters={"data": "set"}, grid=grid))
    assert [(job.varied["threshold"], job.varied["prompts"]) for job in grid.jobs] == [
        (0.3, ["a"]), (0.3, ["b", "c"]), (0.5, ["a"]), (0.5, ["b", "c"]),
    ]  # fmt: skip
    assert grid.folder == root / "outputs" / "demo" / "notebooks" / "batch-trial"
    first = grid.jobs[0]
    assert first.parameters == {
        "project": "demo", "data": "set", "threshold": 0.3, "prompts": ["a"], "name": f"job-{first.key[:10]}",
    }  # fmt: skip
    assert first.name == f"job-001-{first.key[:10]}" and len({job.key for job in grid.jobs}) == 4


def test_without_a_grid_there_is_one_job(root):
    assert len(read_grid(write_grid_file(root)).jobs) == 1


def test_the_key_follows_notebook_parameters_and_inputs(root):
    path = write_grid_file(root, parameters={"data": "set"})
    (job,) = read_grid(path).jobs
    (root / "set" / ".map.json").write_text("hidden")
    assert read_grid(path).jobs[0].key == job.key
    os.utime(root / "set" / "a.txt", ns=(1, 1))  # touched or copied is not changed
    assert read_grid(path).jobs[0].key == job.key
    (root / "set" / "a.txt").write_text("b")
    os.utime(root / "set" / "a.txt", ns=(1, 1))  # nor does an old date hide a change
    after_input = read_grid(path).jobs[0].key
    write_notebook(root / "nb.ipynb", "print(2)", parameters=PARAMETERS)
    after_notebook = read_grid(path).jobs[0].key
    after_parameter = read_grid(write_grid_file(root, parameters={"data": "set", "threshold": 0.1})).jobs[0].key
    assert len({job.key, after_input, after_notebook, after_parameter}) == 4


@pytest.mark.parametrize("value", [["set"], {"train": ["set"]}])
def test_inputs_inside_lists_and_dicts_are_part_of_the_key(root, value):
    def key():
        return job_key(root / "nb.ipynb", {"folders": value}, Fingerprints())

    before = key()
    (root / "set" / "a.txt").write_text("b")
    assert key() != before


def test_a_file_is_hashed_again_only_after_a_change(root, monkeypatch):
    path = write_grid_file(root, parameters={"data": "set"})
    key = read_grid(path).jobs[0].key
    kept = root / "outputs/demo/notebooks/batch-trial/.inputs.json"
    assert "a.txt" not in kept.read_text()

    def read_whole(file):
        raise AssertionError(file)

    with monkeypatch.context() as patched:
        patched.setattr("helpers.notebook.grid_keys._sha256", read_whole)
        assert read_grid(path).jobs[0].key == key
    kept.write_text("no JSON")
    assert read_grid(path).jobs[0].key == key


@pytest.fixture
def infer(root):
    """The kit's own notebook, and a small data set under pseudonyms for it."""
    shutil.copy(ROOT / "notebooks/02_infer.ipynb", root / "nb.ipynb")
    shutil.rmtree(root / "set")
    for part in ("images", "masks"):
        (root / "set" / part).mkdir(parents=True)
        for number in (1, 2):
            Image.new("L", (8, 8), 255 * (part == "masks")).save(root / "set" / part / f"P{number}_S1_1.png")
    (root / "model").mkdir()
    return root


def keys(path):
    return [job.key for job in read_grid(path).jobs]


def test_the_key_of_the_ids_counts_and_is_there_before_any_job(infer):
    path = write_grid_file(infer, parameters={"data": "set", "model": "model"})
    before = keys(path)
    assert (infer / "set/.vesselkit/id.key").is_file() and keys(path) == before
    named = write_grid_file(infer, parameters={"data": "set", "model": "model", "id_key": "other.key"})
    first = keys(named)
    assert (infer / "other.key").is_file() and keys(named) == first != before
    shutil.rmtree(infer / "set/.vesselkit")
    assert keys(write_grid_file(infer, parameters={"data": "set", "model": "model"})) != before


def test_images_that_an_annotation_file_names_count(infer):
    data = infer / "labels.json"
    outline = [[1, 1, 6, 1, 6, 6, 1, 6]]
    data.write_text(json.dumps([{"image": f"set/images/P{number}_S1_1.png", "mask": outline} for number in (1, 2)]))
    path = write_grid_file(infer, parameters={"data": "labels.json", "model": "model", "layout": "sa2va"})
    before = keys(path)
    assert keys(path) == before
    Image.new("L", (8, 8), 7).save(infer / "set/images/P2_S1_1.png")
    changed = keys(path)
    data.write_text(data.read_text().replace("6, 6", "5, 6"))
    assert len({*before, *changed, *keys(path)}) == 3


def test_a_data_set_that_cannot_be_read_is_refused_before_any_job(infer):
    shutil.rmtree(infer / "set/images")
    shutil.rmtree(infer / "set/masks")
    with pytest.raises(UsageProblem, match="refused before any job ran:\n  job 1: .*expected images"):
        read_grid(write_grid_file(infer, parameters={"data": "set", "model": "model"}))


def test_the_example_of_the_documentation_is_a_grid_file(infer):
    text = (ROOT / "docs/grid-file.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    entries = yaml.safe_load(example)
    (infer / "notebooks").mkdir()
    shutil.copy(ROOT / entries["notebook"], infer / entries["notebook"])
    for model in entries["grid"]["model"]:
        (infer / model).mkdir(parents=True)
    (infer / entries["parameters"]["data"]).parent.mkdir(parents=True, exist_ok=True)
    (infer / "set").rename(infer / entries["parameters"]["data"])
    (infer / "trial.yaml").write_text(example)
    grid = read_grid(infer / "trial.yaml")
    assert len(grid.jobs) == 4 and grid.folder == infer / "outputs/coronary/notebooks/batch-trial"


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"notebok": "x"}, "notebok: unknown parameter, did you mean notebook"),
        ({"notebook": "absent.ipynb"}, "notebook: "),
        ({"notebook": "C:\\kit\\nb.ipynb"}, r"notebook: .*does not point to a file; got .*C:\\kit\\nb.ipynb"),
        ({"project": "../x"}, "project: "),
        ({"parameters": {"treshold": 1.0}}, "treshold: unknown parameter, did you mean threshold"),
        ({"grid": {"threshold": [0.5, "high"]}}, "job 2: threshold: expected a value of type float, got 'high'"),
        ({"grid": {"threshold": []}}, "grid.threshold: "),
        ({"grid": {"threshold": 0.5}}, "grid.threshold: "),
        ({"grid": {"threshold": [0.5]}, "parameters": {"threshold": 0.3}}, "threshold: in parameters and in grid"),
        ({"grid": {"threshold": [0.5, 0.5]}}, "jobs 1 and 2 are the same"),
        ({"grid": {"threshold": [0.5, 0.3]}, "parameters": {"name": "a"}}, "name: the same for 2 jobs"),
        ({"parameters": {"project": "other"}}, "project: stands at the top"),
        ({"grid": {"threshold": [0.1] * 101, "prompts": [[]] * 100}}, "at most 10,000 jobs, got 10,100"),
        ({"parameters": {"prompts": [float("nan")]}}, "a value that JSON can hold"),
        ({"jobs": 0}, "jobs: "),
    ],
)
def test_refusals(root, entries, words):
    with pytest.raises(UsageProblem, match=words):
        read_grid(write_grid_file(root, **entries))


@pytest.mark.parametrize("text", ["- a\n", "a: [1", "!!python/object/apply:os.getcwd []\n", ""])
def test_what_is_not_a_grid_file_is_refused(root, text):
    path = root / "trial.yaml"
    path.write_text(text)
    with pytest.raises(RefusedInput, match=r"trial\.yaml"):
        read_grid(path)


def test_a_file_whose_name_is_not_plain_needs_an_entry(root):
    path = write_grid_file(root).rename(root / "my trial.yaml")
    with pytest.raises(UsageProblem, match="add an entry 'name"):
        read_grid(path)


def test_notebooks_of_the_kit_are_checked_as_they_check_themselves(infer):
    root = infer
    fixed = {"data": "set", "threshold": 1.5}
    with pytest.raises(UsageProblem) as caught:
        read_grid(write_grid_file(root, parameters=fixed, grid={"model": ["absent", "set"], "prompts": [["a"], []]}))
    words = str(caught.value)
    assert "job 1: model: Path does not point to a directory" in words and "job 3: model" not in words
    assert "job 3: threshold: Input should be less than 1" in words and "job 4: prompts: " in words
    hopeless = {"model": ["set"], "prompts": [["a"], ["[SEG]"], ["<image> <image> a"]]}
    with pytest.raises(UsageProblem, match=r"job 2: prompts.0: .*own sign \[SEG\][\s\S]*job 3: .*at most once"):
        read_grid(write_grid_file(root, parameters={"data": "set"}, grid=hopeless))
    model = {"model": ["set"], "prompts": [["a"], ["b"]]}
    assert len(read_grid(write_grid_file(root, parameters={"data": "set"}, grid=model)).jobs) == 2


@pytest.mark.parametrize(
    ("name", "said"),
    [("model", "model: a grid names its models"), ("predictions", "predictions: a grid names its runs")],
)
def test_a_grid_names_its_models_and_runs(root, name, said):
    write_notebook(root / "nb.ipynb", parameters=f'project: str = "demo"\n{name}: str = ""\n')
    with pytest.raises(UsageProblem, match=said):
        read_grid(write_grid_file(root))
