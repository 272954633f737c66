"""Inputs of `make demo`, which notebooks of project `demo` take where none are named."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from helpers.core import paths

PROJECT = "demo"
FILES = Path("helpers") / "dev" / "demo" / "files"  # from the project root
DATA = FILES / "data"

_CHECKPOINTS = ("checkpoint", "base", "sam2", "sam2_config", "train_config", "pretrained")


def with_demo_inputs(values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a notebook about a data set, with the demo's data where they name no data, model or folder."""
    named = [values.get("data"), values.get("model"), *(text for text in _runs(values) if paths.is_path(text))]
    folder = _place(DATA)
    return dict(values) if any(named) or not _is_demo(values, folder) else {**values, "data": folder}


def with_demo_checkpoint(values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a conversion, with the demo's checkpoint and its bases where they name none of theirs."""
    model = _place(FILES / "model")
    checkpoints = sorted((model / "ckpt").glob("iter_*.pth"))
    if any(values.get(name) for name in _CHECKPOINTS) or not checkpoints or not _is_demo(values, model):
        return dict(values)
    base = model / "base"
    return {
        **values,
        "checkpoint": checkpoints[-1],
        "base": base / "internvl_base",
        "sam2": base / "sam2_base.pt",
        "sam2_config": str(model / "sam2_sizes.json"),
    }


def is_demo_input(path: Path) -> bool:
    """Whether a path, from the project root where it is relative, is one of the demo's files."""
    return paths.resolve(path).is_relative_to(_place(FILES))


def _is_demo(values: Mapping[str, Any], inputs: Path) -> bool:
    return values.get("project", PROJECT) == PROJECT and inputs.is_dir()


def _runs(values: Mapping[str, Any]) -> list[str]:
    """The runs and folders among the parameters, as texts."""
    found = [
        values.get("predictions"),
        values.get("metrics"),
        *(values.get("against") or ()),
        *(values.get("beside") or ()),
    ]
    return [str(one) for one in found if one]


def _place(path: Path) -> Path:
    """Of a kit without a checkout the demo lies in its package; else a project elsewhere has no demo of its own."""
    return paths.resolve(path) if paths.is_checkout() else paths.shipped(path)
