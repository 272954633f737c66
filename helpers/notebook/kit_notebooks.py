"""The kit's own notebooks, told by their parameters, and the check of these before a kernel starts."""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helpers.core import paths
from helpers.notebook.parameters import validate
from helpers.notebook.settings import ConvertSettings, EvaluateSettings, InferSettings, ResultSettings, ReviewSettings

SETTINGS: Mapping[str, type[ResultSettings]] = {
    "01_convert": ConvertSettings,
    "02_infer": InferSettings,
    "03_evaluate": EvaluateSettings,
    "04_review": ReviewSettings,
}  # name of a notebook -> its parameters


def kit_notebook(name: str) -> Path:
    """Where a notebook of the kit lies: in `notebooks` of the project, else in the installed package.

    Args:
        name: a key of SETTINGS.
    """
    return paths.shipped(Path("notebooks") / f"{name}.ipynb")


def named_notebook(given: str | Path) -> Path:
    """The notebook of a path; `notebooks/01_convert.ipynb` and its like are the kit's where the project has none."""
    path, kits = Path(given), {Path("notebooks") / f"{name}.ipynb" for name in SETTINGS}
    return kit_notebook(path.stem) if path in kits else paths.resolve(path)


def known_model(types: Mapping[str, tuple[str, str]]) -> type[ResultSettings] | None:
    """The settings of the kit's own notebook that has these parameters; None for another notebook.

    Args:
        types: name -> (type, default as source text), as `declared_parameters.parameter_types` gives them.
    """
    return next((model for model in SETTINGS.values() if set(model.model_fields) == set(types)), None)


def with_defaults(types: Mapping[str, tuple[str, str]], given: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters of a notebook: its defaults, and the given ones in their place."""
    return {**{name: ast.literal_eval(default) for name, (_, default) in types.items()}, **given}


def check_values(types: Mapping[str, tuple[str, str]], given: Mapping[str, Any]) -> None:
    """Refuse what a notebook of the kit would refuse in its first cell; other notebooks are left to themselves.

    Raises:
        UsageProblem: listing everything that is wrong.
    """
    model = known_model(types)
    if model is not None:
        validate(model, with_defaults(types, given))
