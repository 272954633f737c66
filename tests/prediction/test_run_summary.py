"""Only a run without a single pixel is warned of, and not one that failed as a whole."""

import numpy as np

from helpers.prediction.run_summary import empty_warning
from helpers.runs.case_parts import commit_case
from helpers.runs.finishing import finish_run
from helpers.runs.run_config import start_run
from helpers.runs.run_folder import open_run
from tests.runs.test_case_parts import VALUES, failed
from tests.runs.test_run_folder import MASKS, write

EMPTY = {case_id: np.zeros_like(mask) for case_id, mask in MASKS.items()}


def test_a_run_of_empty_masks_is_warned_of(tmp_path):
    assert empty_warning(open_run(write(tmp_path / "some"))) is None
    assert empty_warning(open_run(write(tmp_path / "none", EMPTY))).startswith("WARNING: all masks are empty (3)")
    one = {**EMPTY, "c2": MASKS["c2"]}
    assert empty_warning(open_run(write(tmp_path / "one", one))) is None


def test_a_run_that_failed_is_not_called_empty(tmp_path):
    mark = start_run(tmp_path / "run", VALUES).config_sha256
    commit_case(tmp_path / "run", mark, failed("c1"), None)
    assert finish_run(tmp_path / "run", ["c1"], {})
    assert empty_warning(open_run(tmp_path / "run")) is None
