"""Parquet tables, read in the thread that asks.

Arrow's own readers leave threads behind that may still want Python when the process ends, which then is aborted
after all its work is done (apache/arrow issue 34314).
"""

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd


def table_of(content: bytes) -> pa.Table:
    """The table of a Parquet file's bytes. Raises pyarrow.ArrowException where they are none."""
    with pq.ParquetFile(pa.BufferReader(content), pre_buffer=False) as file:
        return file.read(use_threads=False)


def read_pandas(path: "Path") -> "pd.DataFrame":
    """The table of a Parquet file for pandas. Raises OSError, and as `table_of`."""
    return table_of(path.read_bytes()).to_pandas(use_threads=False)
