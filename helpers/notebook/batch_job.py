"""One job of a batch, in a process of its own: `python -m helpers.notebook.batch_job`, told by a line on its input.

The input stays open as long as the process that runs the batch lives. When it ends, the job ends too, with its kernel:
also where that process was killed and could tell nobody.
"""

import json
import os
import sys
import threading
from pathlib import Path

import psutil

from helpers.errors import VesselkitError
from helpers.notebook.execution import execute_notebook
from helpers.system import told_in_words
from helpers.terminal import Terminal

_ORPHANED = 1
_LINE_S = 0.5  # between lines on its progress, of which whoever started it shows the last


def main() -> int:
    """Run the notebook that the input describes; the exit code is that of the kit's commands."""
    told = json.loads(_line())
    threading.Thread(target=_end_with_the_batch, daemon=True).start()
    try:
        with told_in_words(), Terminal(sys.stdout, moves=False, line_s=_LINE_S).at_work("starts"):
            execute_notebook(Path(told["notebook"]), Path(told["output"]), told["parameters"], told["timeout_s"])
    except VesselkitError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _line() -> bytes:
    """The first line of the input, read past Python's buffers, which a thread that waits would hold at the end."""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(sys.stdin.fileno(), 1 << 16)
        if not piece:
            break
        line += piece
    return line


def _end_with_the_batch() -> None:
    """Wait for the end of the input, then end this process and all that it started."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    for process in psutil.Process().children(recursive=True):
        try:
            process.kill()  # a run that it computed goes on another time
        except psutil.NoSuchProcess:
            continue
    os._exit(_ORPHANED)


if __name__ == "__main__":
    sys.exit(main())
