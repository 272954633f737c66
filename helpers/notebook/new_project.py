"""A folder to work in with an installed kit: `vesselkit init DIR`."""

from dataclasses import dataclass
from pathlib import Path

from helpers.core.atomic import write_text_atomic
from helpers.core.errors import RefusedInput
from helpers.core.paths import PROJECT_MARK, packaged
from helpers.notebook.working_copies import WorkingCopy, working_copies

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
