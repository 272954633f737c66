"""Tables in notebooks lose nothing."""

import pandas as pd
from IPython.utils.capture import capture_output

from helpers.notebook.showing import show_tables


def test_long_texts_stay_whole_and_missing_values_are_blank():
    note = "a long note " * 20
    with capture_output() as captured:
        show_tables(pd.DataFrame({"note": [note, None], "count": pd.array([1, None], dtype="Int64")}))
    assert note.strip() in captured.stdout
    assert "NaN" not in captured.stdout and "<NA>" not in captured.stdout and "None" not in captured.stdout
