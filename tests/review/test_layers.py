"""The review needs no model: it reads runs, data sets and metrics, and its session knows no widget."""

import ast
from pathlib import Path

import helpers.review
from helpers.review.viewer_facts import viewer_module

FOLDER = Path(helpers.review.__file__).parent


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def test_no_module_of_the_review_reaches_for_models_or_notebooks():
    forbidden = (
        "torch",
        "transformers",
        "helpers.checkpoints.read",
        "helpers.model",
        "helpers.prediction.engine",
        "helpers.notebook",
    )
    found = {path.name: set(imported(path)) for path in FOLDER.glob("*.py")}
    assert len(found) > 10
    for name, modules in found.items():
        assert not [module for module in modules if module.startswith(forbidden)], name
        if name != "widget.py":
            assert not modules & {"anywidget", "ipywidgets", "IPython", "traitlets"}, name


def test_the_viewer_sets_texts_as_texts():
    source = viewer_module()
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "fetch(", "</script"):
        assert way not in source, way
