"""The check of shipped notebooks: no outputs, no counts."""

import json
from pathlib import Path

from scripts.notebook_outputs import main

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))


def test_the_shipped_notebooks_hold_none():
    assert len(NOTEBOOKS) == 4 and main([str(path) for path in NOTEBOOKS]) == 0


def test_outputs_and_counts_are_named_by_their_cells(tmp_path, capsys):
    cells = [
        {"cell_type": "markdown", "source": ""},
        {"cell_type": "code", "source": "1", "outputs": [], "execution_count": 3},
        {"cell_type": "code", "source": "1", "outputs": [{}], "execution_count": None},
        {"cell_type": "code", "source": "1", "outputs": [], "execution_count": None},
    ]
    file = tmp_path / "run.ipynb"
    file.write_text(json.dumps({"cells": cells}))
    assert main([str(file)]) == 1
    assert capsys.readouterr().out == (
        f"{file}: expected no outputs, found those of cells 2, 3. Clear them, save again\n"
    )
