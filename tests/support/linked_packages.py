"""Installed packages, and what they require, as another environment's by hard links: no registry, no second copy."""

import os
import shutil
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution
from importlib.util import cache_from_source
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def required(names: Iterable[str]) -> dict[str, Distribution]:
    """Installed distributions by canonical name: those of `names`, and what they require, extras where asked for."""
    found: dict[str, Distribution] = {}
    seen = set()
    waiting = [Requirement(name) for name in names]
    while waiting:
        wanted = waiting.pop()
        for extra in ("", *wanted.extras):
            name = canonicalize_name(wanted.name)
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            found[name] = distribution(name)
            waiting += [
                one
                for one in map(Requirement, found[name].requires or [])
                if one.marker is None or one.marker.evaluate({"extra": extra})
            ]
    return found


def link_packages(names: Iterable[str], packages: Path) -> None:
    """Link the modules of these distributions, and what they were compiled to, into another folder of packages.

    Raises:
        LookupError: where an installed distribution has no list of its files.
    """
    for name, one in required(names).items():
        if one.files is None:
            raise LookupError(f"{name} has no list of its files")
        home = str(one.locate_file(""))
        for file in map(str, one.files):
            if not file.startswith(".."):  # no program
                _link(os.path.join(home, file), os.path.join(packages, file))


def _link(source: str, target: str) -> None:
    """Link a file, where there is one that is not linked yet, and what it was compiled to."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    try:
        os.link(source, target)
    except (FileExistsError, FileNotFoundError):
        return
    except OSError:  # another disk
        shutil.copy2(source, target)
    if source.endswith(".py"):
        _link(cache_from_source(source), cache_from_source(target))
