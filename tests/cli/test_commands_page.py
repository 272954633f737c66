"""docs/cli.md is what the code says."""

import os
import subprocess
import sys

from helpers.cli.commands_page import REFERENCE, reference_text
from helpers.cli.registry import COMMANDS


def test_the_file_equals_a_fresh_one():
    assert REFERENCE.read_text(encoding="utf-8") == reference_text(), "run: make docs"


def test_the_terminal_plays_no_part():
    code = "import sys; from helpers.cli.commands_page import reference_text; sys.stdout.write(reference_text())"
    for settings in ({"COLUMNS": "40", "FORCE_COLOR": "1"}, {"COLUMNS": "300", "NO_COLOR": "1"}):
        environment = os.environ | settings | {"PYTHONUTF8": "1"}
        written = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=True)
        assert written.stdout.decode() == reference_text()


def test_it_names_every_command_option_and_exit_code():
    text = reference_text()
    for found in COMMANDS:
        assert f"| `{found.name}` | {found.summary} |" in text and found.usage in text
    assert "| `--checkpoint CKPT` | required |" in text
    assert r"| `--dtype bfloat16\|float16\|float32` | `bfloat16` |" in text
    assert all(f"\n| {code} | " in text for code in range(4))
