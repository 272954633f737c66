"""The examples in docstrings of the public functions, and the five lines of the README, on tiny files."""

import doctest
import re
from pathlib import Path

import pytest

from helpers.prediction.image_predictor import ImagePredictor
from tests.support.public_material import DEMO, demo_data, link_sources

ROOT = Path(__file__).resolve().parents[2]
FIVE_LINES = re.compile(r"```python\n(import vesselkit\n.*?)```", re.DOTALL)


def run_examples(found, name, globs=None):
    """Run the examples of a docstring; they must be there, and all must hold."""
    (test,) = doctest.DocTestFinder(recurse=False).find(found, name, module=False, globs=globs or {})
    told = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    ended = runner.run(test, out=told.append)
    assert ended.attempted > 1 and not ended.failed, "".join(told)


@pytest.mark.parametrize("name", ["load_model", "predict", "evaluate", "open_review"])
def test_examples_of_the_functions(vesselkit, material, monkeypatch, name):
    monkeypatch.chdir(material)
    run_examples(getattr(vesselkit, name), name)


def test_the_example_of_images(material, monkeypatch):
    monkeypatch.chdir(material)
    run_examples(ImagePredictor.predict, "predict")


@pytest.mark.model
def test_the_example_of_a_conversion(vesselkit, tmp_path, monkeypatch):
    link_sources(tmp_path)
    monkeypatch.chdir(tmp_path)
    run_examples(vesselkit.convert, "convert")


@pytest.mark.model
def test_the_lines_of_the_readme(tmp_path, monkeypatch, capsys):
    """They print a Dice with its interval, on the demo's model and a few of its frames."""
    (lines,) = FIVE_LINES.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    (checkpoint,) = (DEMO / "model" / "ckpt").glob("iter_*.pth")
    (base,) = (DEMO / "model" / "base").glob("*_base")
    files = {"iter_3672.pth": checkpoint, "InternVL3-8B": base, "sam2_hiera_large.pt": DEMO / "model/base/sam2_base.pt"}
    for name, path in files.items():
        assert name in lines
        (tmp_path / name).symlink_to(path)
    demo_data(tmp_path / "my-data", frames=1)
    sizes = DEMO / "model" / "sam2_sizes.json"
    # The demo's SAM2 is none of the sizes that are known by their tensors.
    own = lines.replace('"sam2_hiera_large.pt"', f'"sam2_hiera_large.pt", sam2_config={str(sizes)!r}')
    assert own != lines and len([line for line in lines.splitlines() if line]) == 5
    monkeypatch.chdir(tmp_path)
    exec(compile(own, "README.md", "exec"), {})
    said = capsys.readouterr().out
    assert re.fullmatch(r"my-run: Dice 0\.\d{3} no interval, 2 cases of 2 patients \(fewer than 10\); .+\n", said), said
