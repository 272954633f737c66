"""Refuse notebooks that hold outputs or counts of executions: these may show a patient, and differ in every run.

python scripts/notebook_outputs.py NOTEBOOK ...
"""

import json
import sys
from pathlib import Path


def executed_cells(notebook: Path) -> list[int]:
    """The places of the cells, from 1, that hold an output or a count."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [place for place, cell in enumerate(cells, 1) if cell.get("outputs") or cell.get("execution_count")]


def main(names: list[str]) -> int:
    found = {name: cells for name in names if (cells := executed_cells(Path(name)))}
    for name, cells in found.items():
        print(f"{name}: expected no outputs, found those of cells {', '.join(map(str, cells))}. Clear them, save again")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
