"""Paths: one rule for relative ones, and the folders of results.

A relative path means the project root, wherever a notebook runs. Paths typed in a shell are made absolute before they
get here (`helpers.cli.arguments`).
"""

import os
import re
import time
from enum import Enum
from itertools import chain, count
from pathlib import Path

from helpers.core.errors import UsageProblem

ROOT_VARIABLE = "VESSELKIT_ROOT"
PROJECT_MARK = ".vesselkit-project"  # a file that says that its folder is a project root, as `vesselkit init` leaves it
PARTIAL_PREFIX = ".partial-"

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")


class Stage(Enum):
    """The stages that leave results, and the file that a complete result of each holds."""

    CONVERT = "convert"
    PREDICT = "predict"
    EVALUATE = "evaluate"
    REVIEW = "review"
    NOTEBOOKS = "notebooks"

    @property
    def final_file(self) -> str:
        """Written last, so that its presence means complete."""
        return {Stage.CONVERT: "conversion.json", Stage.EVALUATE: "summary.json"}.get(self, "manifest.json")


def project_root() -> Path:
    """The project root.

    The first of: the folder that the environment variable VESSELKIT_ROOT names; the nearest checkout of vesselkit, or
    project laid out by `vesselkit init`, at or above the working directory; the checkout that this package runs from
    (an editable install); the working directory.
    The variable comes first, so that results can be kept outside a checkout.

    Raises:
        UsageProblem: where VESSELKIT_ROOT names no folder.
    """
    named = os.environ.get(ROOT_VARIABLE)
    if named:
        root = Path(named).expanduser()
        if not root.is_dir():
            raise UsageProblem(f"{ROOT_VARIABLE}: expected an existing folder, got {named!r}; correct or unset it")
        return root.resolve()
    here = Path.cwd().resolve()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if _is_checkout(folder) or (folder / PROJECT_MARK).is_file():
            return folder
    return here


def packaged(path: Path) -> Path:
    """A file or folder that comes with the kit, in the installed package.

    Args:
        path: relative to a checkout, below `helpers` or `notebooks`.
    """
    inside = path.relative_to("helpers") if path.parts[0] == "helpers" else Path("notebook") / path
    return (Path(__file__).resolve().parents[1] / inside).resolve()


def shipped(path: Path) -> Path:
    """A file or folder that comes with the kit: the project's where it has one, else as `packaged`."""
    in_project = project_root() / path
    return in_project if in_project.exists() else packaged(path)


def is_checkout() -> bool:
    """Whether the package runs from a checkout of vesselkit, not from a wheel that was installed."""
    return _is_checkout(Path(__file__).resolve().parents[2])


def resolve(path: str | Path) -> Path:
    """The path, a relative one taken from the project root; `~` is the home folder, before no user's name a letter."""
    try:
        expanded = Path(path).expanduser()
    except RuntimeError:
        expanded = Path(path)
    return expanded if expanded.is_absolute() else project_root() / expanded


def followed(path: Path) -> Path:
    """Where a file or folder that is to be written comes to lie: what a symbolic link points to, else the path itself.

    Links are followed as by a shell, so that the link stays. One that leads to nothing is not: its disk may be away.

    Raises:
        UsageProblem: where the path, or a folder above it, is a link that leads to nothing.
    """
    for place in (path, *path.parents):
        if place.is_symlink() and not place.exists():
            raise UsageProblem(
                f"{path}: expected a place to write to, found the symbolic link {place.name} that leads to nothing "
                f"({os.readlink(place)}). Make what it points to, or remove the link"
            )
    return path.resolve() if path.is_symlink() else path


def plain_name(name: str, what: str) -> str:
    """The name itself, where it can be a folder's name on any system.

    Raises:
        UsageProblem: naming `what`.
    """
    if not _PLAIN_NAME.fullmatch(name):
        raise UsageProblem(
            f"{what}: expected a name of letters, digits, '.', '_', '+' and '-' that begins with a letter or digit, "
            f"got {name!r}"
        )
    return name


def stage_folder(project: str, stage: Stage) -> Path:
    """`outputs/<project>/<stage>`, or `<project>/<stage>` where the project is a path; not created.

    Raises:
        UsageProblem: for a project that is neither a plain folder name nor a path (`is_path`).
    """
    if is_path(project):
        return resolve(project) / stage.value
    return project_root() / "outputs" / plain_name(project, "project") / stage.value


def is_path(project: str) -> bool:
    """Whether a project is a folder of its own, absolute or `./` from the project root, and not a name in `outputs`."""
    return Path(project).is_absolute() or (project.startswith("./") and ".." not in Path(project).parts)


def project_of(folder: Path) -> str:
    """The project whose results go to this folder, an absolute path; inside the project root it is told from there."""
    root = project_root()
    return f"./{folder.relative_to(root).as_posix()}" if folder.is_relative_to(root) else str(folder)


def next_free(folder: Path, stem: str, suffix: str = "") -> Path:
    """The path of a name that is not taken: `stem`, or the next free of `stem-2`, `stem-3`, ..., before the suffix."""
    names = chain([stem], (f"{stem}-{number}" for number in count(2)))
    return next(path for path in (folder / f"{name}{suffix}" for name in names) if not path.exists())


def latest_complete(project: str, stage: Stage) -> Path:
    """The newest complete result of a stage: a folder that holds the stage's final file. Raises as `all_complete`."""
    return all_complete(project, stage)[0]


def all_complete(project: str, stage: Stage) -> list[Path]:
    """The complete results of a stage, at least one, the newest first.

    Of two results of the same moment, the name that sorts last comes first.

    Raises:
        UsageProblem: where there is none, or several and the clock was set back since one was written.
    """
    folder = stage_folder(project, stage)
    found = newest_first(folder, stage.final_file)
    if not found:
        raise UsageProblem(
            f"{folder}: expected a finished result of '{stage.value}' (a folder with {stage.final_file}), found none; "
            f"run {_ADVICE[stage]} with project '{project}' first, or name a folder"
        )
    if len(found) > 1 and (found[0] / stage.final_file).stat().st_mtime > time.time() + _CLOCKS_DIFFER:
        raise UsageProblem(
            f"{found[0]}: is dated in the future, since the clock was set back: which of {len(found)} results "
            "is the newest cannot be told. Name the folder that you mean"
        )
    return found


def newest_first(folder: Path, final_file: str) -> list[Path]:
    """The folders below `folder` that hold a complete result, as its final file tells, the newest first."""
    found = [path for path in folder.glob(f"*/{final_file}") if not path.parent.name.startswith(PARTIAL_PREFIX)]
    newest = sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.parent.name), reverse=True)
    return [path.parent for path in newest]


_CLOCKS_DIFFER = 300.0  # seconds by which the clock of a file server may differ

_ADVICE = {
    Stage.CONVERT: "notebooks/01_convert.ipynb",
    Stage.PREDICT: "notebooks/02_infer.ipynb",
    Stage.EVALUATE: "the evaluation",
    Stage.REVIEW: "the review",
    Stage.NOTEBOOKS: "a notebook",
}


def _is_checkout(folder: Path) -> bool:
    """Whether the folder is a checkout of vesselkit, by its pyproject.toml; not merely a folder that uses it."""
    pyproject = folder / "pyproject.toml"
    if not pyproject.is_file() or not (folder / "helpers").is_dir():
        return False
    return 'name = "vesselkit"' in pyproject.read_text(encoding="utf-8", errors="replace").splitlines()
