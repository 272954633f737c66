"""Notebook 02's prediction: a run that predicted nothing fails the notebook, and so whatever runs it."""

import pytest

from helpers.core.errors import VesselkitError
from helpers.notebook.infer_notebook import open_data, predict_data
from helpers.notebook.parameters import validate
from helpers.notebook.settings import InferSettings
from helpers.runs.run_folder import open_run


def test_a_run_of_which_every_case_is_an_error_fails_the_notebook(fixture_folder, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.png").write_bytes(b"broken")
    settings = validate(InferSettings, {"data": str(data), "device": "cpu", "dtype": "float32"})
    with pytest.raises(VesselkitError, match=r"1 read_error[\s\S]*nothing was predicted; the first: ") as caught:
        predict_data(settings, fixture_folder, open_data(settings), tmp_path / "run")
    assert caught.value.exit_code == 1 and open_run(tmp_path / "run").rows[0].status == "read_error"
