"""A folder to work in with an installed kit (`vesselkit init DIR`), and working copies of the notebooks (`make lab`).

Shipped notebooks stay as they are. `python -m helpers.notebook.project_folder` makes the copies in `outputs/notebooks`.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from helpers.core.atomic import write_text_atomic
from helpers.core.errors import RefusedInput, VesselkitError
from helpers.core.paths import PROJECT_MARK, packaged, project_root, shipped
from helpers.core.vocabulary import Language
from helpers.notebook.kit_notebooks import SETTINGS
from helpers.notebook.parameters import PARAMETERS_TAG, read_notebook
from helpers.notebook.prose import tell_in

# Of the notebook's metadata: SHA-256 of the cells that a copy was made with.
_COPIED_FROM = "vesselkit_copied"
_LANGUAGE_LINE = 'language: str = "{}"'

_README = """\
# {name}

Laid out by `vesselkit init`. Relative paths of the kit mean this folder.

- `notebooks/`: copies of the kit's notebooks, from a checkpoint to a review. Open them in JupyterLab, or run one by
  `python -m helpers.notebook notebooks/02_infer.ipynb -p project NAME -p data DATASET`. `vesselkit init .` renews those
  that were neither edited nor run, after an update of the kit.
- `outputs/`: results, in `outputs/PROJECT/{{convert,predict,evaluate,review,notebooks}}`. They may show patients.
"""
_MARK = "The root of a project of vesselkit: relative paths mean this folder.\n"
_IGNORED = "outputs/\n.vesselkit/\n.vesselkit-ids/\n"


class State(StrEnum):
    """How a working copy stands to its notebook."""

    NEW = "copied"
    SAME = "there"
    RENEWED = "renewed, since the shipped notebook is another by now and this copy was not used"
    BEHIND = "kept, since it was edited or run; the shipped notebook is another by now. To have that, rename this copy"


@dataclass(frozen=True)
class WorkingCopy:
    """A copy to work on, and what became of it just now."""

    path: Path
    state: State


def working_copies(source: Path, folder: Path, language: Language = Language.ENGLISH) -> tuple[WorkingCopy, ...]:
    """Make or renew the copies of the kit's notebooks; one that was edited or run is never written over.

    Args:
        source: folder of the notebooks.
        folder: of the copies; made where it is missing.
        language: of their prose, and their parameter of that name.
    Raises:
        RefusedInput: where a file there is no notebook.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return tuple(_copy(source / f"{name}.ipynb", folder / f"{name}.ipynb", language) for name in SETTINGS)


def _copy(notebook: Path, copy: Path, language: Language) -> WorkingCopy:
    node = read_notebook(notebook)
    if language is not Language.ENGLISH:
        tell_in(node["cells"], language)
        for cell in node["cells"]:
            if PARAMETERS_TAG in cell["metadata"].get("tags", ()):
                english, other = (_LANGUAGE_LINE.format(one.value) for one in (Language.ENGLISH, language))
                cell["source"] = "".join(cell["source"]).replace(english, other)
    mark = _cells_sha256(node)
    if not copy.exists():
        state = State.NEW
    else:
        there = read_notebook(copy)
        before = there["metadata"].get(_COPIED_FROM)
        if before == mark:
            return WorkingCopy(copy, State.SAME)
        used = _cells_sha256(there) != before or any(cell.get("outputs") for cell in there["cells"])
        if used:
            return WorkingCopy(copy, State.BEHIND)
        state = State.RENEWED
    node["metadata"][_COPIED_FROM] = mark
    write_text_atomic(copy, json.dumps(node, indent=1, ensure_ascii=False) + "\n")
    return WorkingCopy(copy, state)


def _cells_sha256(node: Mapping[str, Any]) -> str:
    """SHA-256 of the cells without their outputs, however their lines are stored."""
    cells = [[cell["cell_type"], "".join(cell["source"])] for cell in node["cells"]]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the copies and say where they are; the exit code is that of the kit's commands."""
    parser = argparse.ArgumentParser(
        prog="python -m helpers.notebook.project_folder", description="Make working copies of the notebooks."
    )
    parser.add_argument("--language", type=Language, choices=list(Language), default=Language.ENGLISH)
    options, root = parser.parse_args(arguments), project_root()
    try:
        made = working_copies(shipped(Path("notebooks")), root / "outputs" / "notebooks", options.language)
    except VesselkitError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write("working copies of the notebooks, which git does not see:\n")
    for one in made:
        sys.stdout.write(f"  {one.path.relative_to(root)}: {one.state}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())


@dataclass(frozen=True)
class NewProject:
    """A project's folder, and what became of the notebooks in it."""

    folder: Path
    notebooks: tuple[WorkingCopy, ...]


def lay_out(folder: Path) -> NewProject:
    """Make a project's folder, or bring the notebooks of one up to date; no other file in it is written over.

    Args:
        folder: absolute; made where it is missing.
    Raises:
        RefusedInput: where the path is a file, or holds files and was not laid out by this function.
    """
    if folder.exists() and not folder.is_dir():
        raise RefusedInput(f"{folder}: expected a folder, or none, found a file. Name another folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / PROJECT_MARK).is_file():
        raise RefusedInput(
            f"{folder}: expected a new or empty folder, or a project of `vesselkit init`, found other files. Name a "
            "new folder"
        )
    (folder / "outputs").mkdir(parents=True, exist_ok=True)
    write_text_atomic(folder / PROJECT_MARK, _MARK)
    for name, text in (("README.md", _README.format(name=folder.name)), (".gitignore", _IGNORED)):
        if not (folder / name).exists():
            write_text_atomic(folder / name, text)
    return NewProject(folder, working_copies(packaged(Path("notebooks")), folder / "notebooks"))
