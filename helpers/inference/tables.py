"""A finished run as pandas tables, for notebooks and reports."""

from pathlib import Path

import pandas as pd

from helpers.inference.run_folder import COLUMNS, TABLE_NAME, read_manifest

_TEXTS = ("case_id", "status", "text", "message")


def read_predictions(run: Path) -> pd.DataFrame:
    """predictions.csv of a finished run: the columns of `COLUMNS`; missing where unknown. Raises as `read_manifest`."""
    read_manifest(run)
    table = pd.read_csv(run / TABLE_NAME, dtype=dict.fromkeys(_TEXTS, str), keep_default_na=False, na_values=[""])
    integers = ("seg_count", "width", "height", "mask_pixels")
    return table[list(COLUMNS)].astype(dict.fromkeys(integers, "Int64"))


def status_table(run: Path) -> pd.DataFrame:
    """Statuses that occur in a finished run: status, images, share (0 .. 1). Raises as `read_manifest`."""
    manifest = read_manifest(run)
    rows = [
        {"status": status, "images": count, "share": round(count / manifest["images"], 3)}
        for status, count in manifest["counts"].items()
        if count
    ]
    return pd.DataFrame(rows, columns=["status", "images", "share"])


def time_table(run: Path) -> pd.DataFrame:
    """The model's time in a finished run: measure, seconds.

    The first image is listed apart, since it also pays for setting the device up. Missing where the model never ran.
    """
    seconds = read_predictions(run)["seconds"]
    rows = [
        {"measure": "first image", "seconds": seconds.iloc[0]},
        {"measure": "median image", "seconds": seconds.median()},
        {"measure": "slowest image", "seconds": seconds.max()},
        {"measure": "all images", "seconds": seconds.sum(min_count=1)},
    ]
    return pd.DataFrame(rows).round({"seconds": 3})
