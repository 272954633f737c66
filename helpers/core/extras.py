"""Packages that only some of the kit needs, by the extra of vesselkit that installs them."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from helpers.core.errors import UsageProblem

EXTRAS = {
    "lab": (
        "jupyterlab", "jupyter_client", "ipykernel", "ipywidgets", "anywidget", "voila", "nbclient", "nbformat",
        "nbconvert", "papermill", "IPython", "traitlets",
    ),
    "train": ("mmengine",),
    "dicom": ("pydicom", "gdcm"),
    "video": ("av",),
    "grid": ("submitit",),
}  # fmt: skip
"""Extra -> names under which its packages, and what these bring, are imported."""

_EXTRA_OF = {name: extra for extra, names in EXTRAS.items() for name in names}
_WORK = {
    "lab": "the notebooks and the review in them",
    "train": "training and mmengine's test",
    "dicom": "DICOM files",
    "video": "videos and films",
    "grid": "job arrays",
}


def needed(name: str) -> ModuleType:
    """A module of an extra, imported now.

    Raises:
        UsageProblem: where it is not installed; it names the extra.
    """
    with explain_missing_extras():
        return importlib.import_module(name)


@contextmanager
def explain_missing_extras() -> Iterator[None]:
    """Raise UsageProblem in place of the ModuleNotFoundError of a package of an extra; others go on as they are."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        if package not in _EXTRA_OF:
            raise
        extra = _EXTRA_OF[package]
        raise UsageProblem(
            f"{package}: expected for {_WORK[extra]}, not installed here. Install it: pip install 'vesselkit[{extra}]'"
        ) from error
