"""The parameters of a notebook as its reader sees them, from the types that check them.

`python -m helpers.notebook.parameter_table` writes them where they are read.
"""

import json
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from helpers.core.atomic import write_text_atomic
from helpers.core.paths import project_root
from helpers.core.shown_text import markdown_table
from helpers.notebook.kit_notebooks import SETTINGS
from helpers.notebook.parameters import FIRST_TAG, PARAMETERS_TAG, placeholder, read_notebook
from helpers.notebook.settings import ResultSettings

_INTRODUCTION = """\
# Parameters of the notebooks

Written by `make docs` from the types that check the parameters; a test compares.

Each notebook has the eight parameters that are needed most in its first code cell, the first rows below, and the others
in its second: edit them there, or give them on the command line:

```
python -m helpers.notebook notebooks/02_infer.ipynb -p data /data/study -p threshold 0.4 -p prompts '["Vessels."]'
```

papermill's own command takes them all too. It knows only those of the second cell, and says of the others that it
"passed unknown parameter" before it passes them.

A list is written as JSON. All parameters are checked before any work, and all that is wrong is told at once. An empty
text or a zero stands for "not given". Relative paths mean the project root. The notebook shows what it was given, with
a placeholder for a path outside `outputs`, since paths can name people. In project `demo`, where nothing is named, the
inputs of `make demo` are taken.

`make lab` opens working copies in `outputs/notebooks/`, which git does not see; the shipped notebooks stay as they
are. A copy that was edited or run is never written over: where the shipped notebook is another by now, `make lab` says
so. Copies run wherever they lie under `outputs/`. An executed copy can be opened and run again, also with
`python -m helpers.notebook COPY`: with what it was run with, but for what `-p` says. Paths of yours it does not keep,
and asks for them.

Headings and explanations are in English and Chinese: one is in front, the other in a fold below it. `-p language zh`
puts Chinese in front in the executed copy and its page, and opens notebook 04's viewer in it. `make lab PROSE=zh` makes
working copies that are in Chinese. Figures, tables and what cells print stay in English.

In a folder that has a `helpers.py` or a folder `helpers` of your own, `vesselkit` runs the notebooks with the package
of the kit; papermill's own command and JupyterLab stop at once and name yours.
"""
_MORE = "# More parameters, seldom needed"
_FORMATS = {"path": "path", "file-path": "file", "directory-path": "folder"}
_BLANKS = {"string": "", "integer": 0, "number": 0.0, "array": [], "boolean": False}
_CELL_TYPES = {"string": "str", "integer": "int", "number": "float", "array": "list", "boolean": "bool"}
_BOUNDS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a notebook.

    Attributes:
        cell_type: as its cell declares it, such as `int`.
        takes: what values it takes, in words.
        default: as Python has it; a blank one stands for "not given", or for what must be given.
        meaning: a few words.
    """

    name: str
    cell_type: str
    takes: str
    default: Any
    meaning: str

    @property
    def default_text(self) -> str:
        """The default as Python's source."""
        return repr(self.default) if isinstance(self.default, bool) else json.dumps(self.default, ensure_ascii=False)

    @property
    def line(self) -> str:
        """Its line in a cell of parameters."""
        return f"{self.name}: {self.cell_type} = {self.default_text}  # {self.meaning}"


def declared(model: type[ResultSettings]) -> tuple[Parameter, ...]:
    """The parameters of a notebook, those of its first cell first, from the settings that check them."""
    schemas = model.model_json_schema()["properties"]
    return tuple(_parameter(name, schemas[name]) for name in dict.fromkeys((*model.first_cell, *schemas)))


def show_parameters(settings: ResultSettings) -> None:
    """Display the parameters of this notebook and what was given; a path as a placeholder, since it can name people."""
    import pandas as pd  # here, so that refusals need not wait for it

    from helpers.notebook.showing import show_tables

    rows = [
        (one.name, _given(one, getattr(settings, one.name)), one.default_text, one.takes, one.meaning)
        for one in declared(type(settings))
    ]
    show_tables(pd.DataFrame(rows, columns=["parameter", "given", "default", "takes", "meaning"]))


def _parameter(name: str, schema: dict[str, Any]) -> Parameter:
    kind = next((one for one in schema.get("anyOf", ()) if one["type"] != "null"), schema)
    default = schema.get("default")
    return Parameter(
        name,
        _CELL_TYPES[kind["type"]],
        _takes(kind),
        _BLANKS[kind["type"]] if default is None else default,
        schema["description"],
    )


def _takes(schema: dict[str, Any]) -> str:
    """What a JSON schema takes, in words."""
    match schema:
        case {"enum": [*choices]}:
            return " | ".join(choices)
        case {"type": "string", "format": form}:
            return _FORMATS[form]
        case {"type": "string"}:
            return "text"
        case {"type": "boolean"}:
            return "true | false"
        case {"type": "array", "items": items}:
            found = "texts" if _takes(items) == "text" else _takes(items)
            most = f", at most {schema['maxItems']}" if "maxItems" in schema else ""
            return f"list of {found}{most}"
    kind = "whole number" if schema["type"] == "integer" else "number"
    bounds = ", ".join(f"{word} {schema[bound]}" for bound, word in _BOUNDS.items() if bound in schema)
    return f"{kind} {bounds}".rstrip()


def _given(parameter: Parameter, value: Any) -> str:
    """What was given in place of the default; blank for the default."""
    if value is None or value == parameter.default:
        return ""
    return "; ".join(_shown(parameter.name, one) for one in (value if isinstance(value, list) else [value]))


def _shown(name: str, value: Any) -> str:
    from helpers.notebook.notebook_session import shown_path
    from helpers.notebook.scrubbing import is_users_path  # here, as above

    text = str(value)
    if is_users_path(text):
        return placeholder(name)
    # A text may hold a path too: a setting that takes a name or a file.
    is_path = isinstance(value, Path) or Path(text).is_relative_to(project_root())
    return shown_path(Path(text)) if is_path else text


def reference_text() -> str:
    """The whole of docs/notebooks.md."""
    return "\n".join([_INTRODUCTION, *(_section(name, model) for name, model in SETTINGS.items())])


def cell_texts(model: type[ResultSettings]) -> dict[str, str]:
    """Tag of each of a notebook's two cells of parameters -> its source."""
    lines = [one.line for one in declared(model)]
    count = len(model.first_cell)
    return {FIRST_TAG: "\n".join(lines[:count]), PARAMETERS_TAG: "\n".join([_MORE, *lines[count:]])}


def write_cells(notebook: Path, model: type[ResultSettings]) -> None:
    """Write the cells of parameters into a notebook, of which all else stays as it is."""
    node = read_notebook(notebook)
    for tag, text in cell_texts(model).items():
        (cell,) = (one for one in node["cells"] if tag in one["metadata"].get("tags", ()))
        cell["source"] = text.splitlines(keepends=True)
    write_text_atomic(notebook, json.dumps(node, indent=1, ensure_ascii=False) + "\n")


def _section(name: str, model: type[ResultSettings]) -> str:
    rows = (
        (f"`{one.name}`", one.takes, f"`{one.default_text}`", escape(one.meaning, quote=False))
        for one in declared(model)
    )
    return f"## {name}\n\n" + markdown_table(("parameter", "takes", "default", "meaning"), rows)


if __name__ == "__main__":
    write_text_atomic(project_root() / "docs" / "notebooks.md", reference_text())
    for name, model in SETTINGS.items():
        write_cells(project_root() / "notebooks" / f"{name}.ipynb", model)
