"""Tables in a notebook's output."""

import pandas as pd
from IPython.display import Markdown, display

from helpers.stamp import stamp_text

_MOST_ROWS = 200


def show_tables(*tables: pd.DataFrame) -> None:
    """Display tables whole: no text cut, missing values blank; of more than 200 rows the first and last ten."""
    with pd.option_context(
        "display.max_colwidth", None, "display.max_columns", None, "display.width", 200,
        "display.max_rows", _MOST_ROWS, "display.min_rows", 20,
    ):  # fmt: skip
        for table in tables:
            if (text := stamp_text()) is not None:
                display(Markdown(f"*{text}*"))
            display(table.astype(object).where(table.notna(), ""))
