#!/bin/bash
# Expected: the hook on_cell_complete is called when the cell has ended: its help says "after a cell execution is complete".
# Happens:  it is called as soon as the cell is sent to the kernel, before it has run: a cell of two seconds is "complete" at
#           once, without an output. on_cell_executed is the hook that waits.
# Versions: nbclient 0.11.0, nbformat 5.11.1, ipykernel 7.4.0; Linux, Python 3.11.
# Matters:  progress lines and times of notebooks that run for hours (predictions, evaluations) are made with these hooks. With
#           on_cell_complete each cell seems to take no time, and the name of a cell is gone while it works.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3.11}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet nbclient==0.11.0 nbformat==5.11.1 ipykernel==7.4.0
export IPYTHONDIR="$folder/ipython" JUPYTER_PATH="$folder/venv/share/jupyter" PATH="$folder/venv/bin:$PATH"
"$folder/venv/bin/python" - <<'PY' | tee "$folder/seen"
import time

import nbformat
from nbclient import NotebookClient

cell = nbformat.v4.new_code_cell("import time\ntime.sleep(2)\nprint('done')")
notebook = nbformat.v4.new_notebook(cells=[cell])
started, seen = {}, []


def hook(name):
    def called(cell, cell_index, **_):
        started.setdefault("at", time.monotonic())
        after = "at once" if time.monotonic() - started["at"] < 1 else "after the sleep"
        seen.append(f"{name}: {after}, {len(cell.outputs)} outputs")

    return called


names = ("on_cell_execute", "on_cell_complete", "on_cell_executed")
NotebookClient(notebook, kernel_name="python3", **{name: hook(name) for name in names}).execute()
print("\n".join(seen))
PY
diff - "$folder/seen" <<'EXPECTED'
on_cell_execute: at once, 0 outputs
on_cell_complete: at once, 0 outputs
on_cell_executed: after the sleep, 1 outputs
EXPECTED
echo "as seen before"
