"""The parameters of a notebook as its reader sees them, from the types that check them.

`python -m helpers.notebook.reference` writes them where they are read.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from helpers.notebook.parameters import placeholder
from helpers.paths import project_root

_FORMATS = {"path": "path", "file-path": "file", "directory-path": "folder"}
_BLANKS = {"string": "", "integer": 0, "number": 0.0, "array": [], "boolean": False}
_CELL_TYPES = {"string": "str", "integer": "int", "number": "float", "array": "list", "boolean": "bool"}
_BOUNDS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a notebook.

    Attributes:
        cell_type: as its cell of parameters declares it, such as `int`.
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
        """Its line in the cell of parameters."""
        return f"{self.name}: {self.cell_type} = {self.default_text}  # {self.meaning}"


def declared(model: type[BaseModel]) -> tuple[Parameter, ...]:
    """The parameters of a notebook in their order, from the settings that check them."""
    return tuple(_parameter(name, schema) for name, schema in model.model_json_schema()["properties"].items())


def show_parameters(settings: BaseModel) -> None:
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
    from helpers.notebook.scrubbing import is_users_path  # here, as above
    from helpers.notebook.session import shown_path

    text = str(value)
    if is_users_path(text):
        return placeholder(name)
    # A text may hold a path too: a setting that takes a name or a file.
    is_path = isinstance(value, Path) or Path(text).is_relative_to(project_root())
    return shown_path(Path(text)) if is_path else text
