"""docs/cli.md is what the app says, as `make docs` writes it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (*("-m", "typer", "helpers.cli.app", "utils", "docs", "--name", "vesselkit"), *("--title", "Commands"))


@pytest.mark.slow
def test_the_file_is_a_fresh_one_whatever_the_terminal():
    assert f"$(BIN)/python {' '.join(COMMAND)} --output docs/cli.md" in (ROOT / "Makefile").read_text(encoding="utf-8")
    kept = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    for settings in ({"COLUMNS": "40", "FORCE_COLOR": "1"}, {"COLUMNS": "300", "NO_COLOR": "1"}):
        environment = os.environ | settings | {"PYTHONUTF8": "1"}
        written = subprocess.run([sys.executable, *COMMAND], capture_output=True, env=environment, check=True)
        assert written.stdout.decode().strip() == kept.strip(), "run: make docs"


def test_it_shows_every_option_and_no_old_name():
    text = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    for line in (
        "## `vesselkit review-page`",
        "### `vesselkit dev synth`",
        "* `--lora-alpha A`: LoRA alpha",
        "3 refused",
    ):
        assert line in text
    assert "model_path" not in text and "vesselkit report" not in text
