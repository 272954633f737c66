"""Writes docs/notebooks.md, and the cell of parameters of each notebook, from the types that check parameters.

`python -m helpers.notebook.reference`
"""

import json
from html import escape
from pathlib import Path

from pydantic import BaseModel

from helpers.atomic import write_text_atomic
from helpers.notebook.declared import PARAMETERS_TAG, read_notebook
from helpers.notebook.known import SETTINGS
from helpers.notebook.parameter_table import declared
from helpers.paths import project_root
from helpers.tables_text import markdown_table

_INTRODUCTION = """\
# Parameters of the notebooks

Written by `make docs` from the types that check the parameters; a test compares.

Each notebook has its parameters in its first code cell: edit them there, or give them on the command line:

```
python -m helpers.notebook notebooks/02_infer.ipynb -p data /data/study -p threshold 0.4 -p prompts '["Vessels."]'
```

A list is written as JSON. All parameters are checked before any work, and all that is wrong is told at once. An empty
text or a zero stands for "not given". Relative paths mean the project root. The notebook shows what it was given, with
a placeholder for a path outside `outputs`, since paths can name people. In project `demo`, where nothing is named, the
inputs of `make demo` are taken.

`make lab` opens working copies in `outputs/notebooks/`, which git does not see; the shipped notebooks stay as they
are. A copy that was edited or run is never written over: where the shipped notebook is another by now, `make lab` says
so. Copies run wherever they lie under `outputs/`. An executed copy can be opened and run again, also with
`python -m helpers.notebook COPY`: with what it was run with, but for what `-p` says. Paths of yours it does not keep,
and asks for them.
"""


def reference_text() -> str:
    """The whole of docs/notebooks.md."""
    return "\n".join([_INTRODUCTION, *(_section(name, model) for name, model in SETTINGS.items())])


def cell_text(model: type[BaseModel]) -> str:
    """The source of a notebook's cell of parameters."""
    return "\n".join(one.line for one in declared(model))


def write_cell(notebook: Path, model: type[BaseModel]) -> None:
    """Write the cell of parameters into a notebook, of which all else stays as it is."""
    node = read_notebook(notebook)
    (cell,) = (one for one in node["cells"] if PARAMETERS_TAG in one["metadata"].get("tags", ()))
    cell["source"] = cell_text(model).splitlines(keepends=True)
    write_text_atomic(notebook, json.dumps(node, indent=1, ensure_ascii=False) + "\n")


def _section(name: str, model: type[BaseModel]) -> str:
    rows = (
        (f"`{one.name}`", one.takes, f"`{one.default_text}`", escape(one.meaning, quote=False))
        for one in declared(model)
    )
    return f"## {name}\n\n" + markdown_table(("parameter", "takes", "default", "meaning"), rows)


if __name__ == "__main__":
    write_text_atomic(project_root() / "docs" / "notebooks.md", reference_text())
    for name, model in SETTINGS.items():
        write_cell(project_root() / "notebooks" / f"{name}.ipynb", model)
