"""Scoring needs no model: neither torch nor transformers is loaded for it, which would take seconds."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module", ["helpers.evaluation.evaluate", "helpers.notebook.evaluate_notebook", "helpers.review.review_source"]
)
def test_models_are_not_loaded(module):
    script = f"import sys, {module}; print(sorted({{'torch', 'transformers'}} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert found.stdout.strip() == "[]"
