"""Rules of a data set of which only a part is opened: a folder inside it has the same values, depth and patients."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from helpers.data.rules import SCHEMA, Above, Rules, Saved, read_rules, rules_paths

_MOST_BYTES = 1_000_000  # rules are short; another tool's file of the name need not be read to the end


def with_rules_above(saved: Saved, root: Path, layouts: Collection[str]) -> Saved:
    """Saved rules, completed by those of the nearest folder above that has any. Its layout is that of the whole alone.

    Args:
        saved: of the folder `root` itself.
        root: absolute.
        layouts: as for `read_rules`.
    Raises:
        RefusedInput: where a file above is of this schema and damaged.
    """
    above = next((folder for folder in root.parents if folder.name and any(map(_is_ours, rules_paths(folder)))), None)
    if above is None:
        return saved
    saved_above = read_rules(above, layouts)
    known = saved.rules.decided()
    inherited = {name: value for name, value in saved_above.rules.decided().items() if name not in {*known, "layout"}}
    if not inherited:
        return saved
    return replace(
        saved, rules=replace(saved.rules, **inherited), above=Above(above, saved_above.files, Rules(**inherited))
    )


def _is_ours(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size <= _MOST_BYTES and f'"{SCHEMA}"'.encode() in path.read_bytes()
    except OSError:  # a folder above that may not be looked into
        return False
