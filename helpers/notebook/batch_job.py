"""One job of a batch, in a process of its own: `python -m helpers.notebook.batch_job`, told by JSON on its input."""

import json
import sys
from pathlib import Path

from helpers.errors import VesselkitError
from helpers.notebook.execution import execute_notebook


def main() -> int:
    """Run the notebook that the input describes; the exit code is that of the kit's commands."""
    told = json.load(sys.stdin)
    try:
        execute_notebook(Path(told["notebook"]), Path(told["output"]), told["parameters"], told["timeout_s"])
    except VesselkitError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
