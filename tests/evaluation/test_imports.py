"""Scoring needs no model: neither torch nor transformers is loaded for it, which would take seconds."""

import subprocess
import sys

import pytest

MODULES = ("helpers.evaluation.evaluate", "helpers.notebook.evaluate_notebook", "helpers.review.review_source")


@pytest.mark.slow
def test_models_are_not_loaded():
    """One process imports them in turn, and names after each what of the two is loaded by then."""
    lines = ["import sys, importlib"]
    lines += [
        f"importlib.import_module({name!r}); print({name!r}, *sorted({{'torch', 'transformers'}} & set(sys.modules)))"
        for name in MODULES
    ]
    command = [sys.executable, "-c", "\n".join(lines)]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout.split("\n") == [*MODULES, ""]
