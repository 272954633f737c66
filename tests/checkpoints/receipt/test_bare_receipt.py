"""The script of the receipt in environments of old and new transformers, without the kit."""

import subprocess

import pytest

from helpers.checkpoints.receipt.receipt_file import read_receipt, read_script
from tests.model.test_bare_environment import NEWEST, OLD, OTHER, bare_python
from tests.support.tiny_official import write_tiny_official

pytestmark = pytest.mark.bare
SELDOM = pytest.param(OLD, marks=pytest.mark.endurance)


@pytest.mark.parametrize("transformers", [pytest.param("4.49.0", marks=pytest.mark.releases), SELDOM, OTHER])
def test_the_script_runs_with_what_official_code_runs_with(tmp_path, transformers):
    script, receipt = tmp_path / "receipt.py", tmp_path / "receipt.npz"
    script.write_bytes(read_script())
    official = write_tiny_official(tmp_path / "official")
    done = subprocess.run(
        [bare_python(transformers), "-I", script, "--model", official, "--output", receipt],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = read_receipt(receipt)
    assert transformers == NEWEST or found.versions["transformers"] == transformers
    assert found.drawn and len(found.frames) == 3 and len(found.tensors) == 12
    assert found.frames[0].answer_ids == [5, 6, 7] and found.frames[0].masks.all()
