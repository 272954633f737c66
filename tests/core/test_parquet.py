"""Tables come back as they were written, and no reader that leaves threads behind is used."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from helpers.core.parquet import read_pandas, table_of
from tests.test_layers import MODULES


def test_a_frame_is_read_as_pandas_reads_it(tmp_path):
    path = tmp_path / "table.parquet"
    frame = pd.DataFrame(
        {
            "case_id": ["a", "b"],
            "patient": [None, "P1"],
            "dice": [0.5, np.nan],
            "count": pd.array([1, None], dtype="Int64"),
            "few": [True, False],
        }
    )
    frame.to_parquet(path, index=False)
    pd.testing.assert_frame_equal(read_pandas(path), pd.read_parquet(path))
    assert table_of(path.read_bytes()).column_names == list(frame)


def test_what_is_no_table_raises():
    with pytest.raises(pa.ArrowException):
        table_of(b"not a table")


def test_no_other_reader_is_used():
    others = ("read_table(", "read_parquet(", "pyarrow.dataset")
    found = [f"{name}: {word}" for name, path in MODULES.items() for word in others if word in path.read_text("utf-8")]
    assert found == []
