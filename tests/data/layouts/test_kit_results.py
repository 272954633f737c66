"""Results of the kit are no data sets, and a user's own files of their names are no results."""

import json

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.data.layouts.detection import read_records


@pytest.mark.parametrize(
    ("name", "schema", "what"),
    [
        ("run.json", "vesselkit.run", "a run, whose masks are predictions"),
        ("summary.json", "vesselkit.metrics", "the scores of a run"),
        ("conversion.json", "vesselkit.conversion", "a model folder"),
    ],
)
@pytest.mark.parametrize("padding", [10, 100_000])
def test_results_are_refused_by_what_they_are(tmp_path, name, schema, what, padding):
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(tmp_path / "a.png")
    text = json.dumps({"schema": "another.tool", "results": "x" * padding, "schema_version": 1})
    (tmp_path / name).write_text(text)
    assert len(read_records(tmp_path).records) == 1
    (tmp_path / name).write_text(text.replace("another.tool", schema))
    with pytest.raises(RefusedInput, match=f"expected a data set, found {what} "):
        read_records(tmp_path)
