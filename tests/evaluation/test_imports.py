"""Scoring needs no model and no export of notebooks: none of their libraries is loaded, which would take seconds."""

import subprocess
import sys

import pytest

MODULES = (
    "helpers.evaluation.evaluate",
    "helpers.notebook.evaluate_notebook",
    "helpers.notebook.notebook_report",
    "helpers.review.review_source",
)
LARGE = {"torch", "transformers", "nbconvert", "nbformat"}


@pytest.mark.slow
def test_large_libraries_are_not_loaded():
    """One process imports them in turn, and names after each what of these is loaded by then."""
    lines = ["import sys, importlib"]
    lines += [
        f"importlib.import_module({name!r}); print({name!r}, *sorted({LARGE} & set(sys.modules)))" for name in MODULES
    ]
    command = [sys.executable, "-c", "\n".join(lines)]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout.split("\n") == [*MODULES, ""]
