"""The file of a data set's rules: read, completed by those of a folder above, and written.

It is `dataset.json` in the data set's folder. Where another tool's file has that name, it is `.vesselkit/dataset.json`;
where the folder cannot be written, `NAME.vesselkit.json` beside the folder NAME. All that exist are read. They complete
each other, and two that state one rule otherwise are refused.
"""

import errno
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from helpers.core.atomic import write_json_atomic
from helpers.core.errors import RefusedInput
from helpers.core.safe_json import read_json
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.ids.id_key import FOLDER, default_key_path, fingerprint, make_folder, read_key
from helpers.data.rules import (
    BESIDE,
    BITS,
    NAME,
    READ,
    RULES,
    SCHEMA,
    VALUES,
    VERSION,
    Above,
    Rules,
    Saved,
    in_both,
    rule_text,
)
from helpers.data.splits.split import Split, parse_split

_FIRST = frozenset(RULES) - {"split"}  # what files before version 2 can say

_OLD = frozenset({"ids", "layout"})

_NOT_WRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})

_MOST_BYTES = 1_000_000  # rules are short; another tool's file of the name need not be read to the end


def read_rules(root: Path, layouts: Collection[str]) -> Saved:
    """The rules kept with the data set in the folder `root`.

    Args:
        layouts: names that a layout can have.
    Raises:
        RefusedInput: where a file of the kit's holds what it cannot, is of a newer version, or contradicts another.
    """
    rules = Rules()
    files: list[Path] = []
    for path in rules_paths(root):
        own = _own(path, layouts)
        if own is None:
            continue
        _refuse_contradiction(path, own, files, rules)
        rules = replace(rules, **own.decided())
        files.append(path)
    return Saved(rules, tuple(files))


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


def key_path(root: Path, saved: Saved) -> Path:
    """Where the key of the data set in the folder `root` lies unless it is named.

    A part of a data set whose split names patients under the key of the whole has that key: under one of its own, whose
    patients these are could not be told.

    Raises:
        RefusedInput: where the file in that place is not a key.
    """
    own = default_key_path(root)
    split = None if saved.above is None else saved.above.rules.split
    if saved.above is None or split is None or split.key_fingerprint is None:
        return own
    whole = default_key_path(saved.above.folder)
    fits = whole.is_file() and fingerprint(read_key(whole)) == split.key_fingerprint
    return whole if fits else own


def save_rules(root: Path, rules: Rules, layouts: Collection[str]) -> Path:
    """Write the rules of the data set in the folder `root`, whole or not at all, in the place of saved ones.

    Args:
        layouts: as for `read_rules`.
    Returns:
        The file: the one that held them before, else `dataset.json`; never one of another tool.
    Raises:
        RefusedInput: where no file can be written, or another that stays contradicts.
    """
    rules_at = {path: _own(path, layouts) for path in rules_paths(root)}
    held = [path for path, own in rules_at.items() if own is not None and not _foreign_keys(path)]
    first, hidden, beside = rules_paths(root)
    free = first if not first.exists() else hidden
    targets = dict.fromkeys((*held[:1], free, beside))
    refused = ""
    for target in targets:
        for path, own in rules_at.items():
            if path != target and own is not None:
                _refuse_contradiction(target, rules, [path], own)
        try:
            if target == hidden:
                make_folder(hidden.parent)
            write_json_atomic(target, rules.to_dict())
        except OSError as error:
            if error.errno not in _NOT_WRITABLE:
                raise RefusedInput(f"{target}: cannot be written ({error.strerror}). Nothing was saved") from error
            refused = str(error.strerror)
            continue
        return target
    raise RefusedInput(
        f"{root}: the rules can be written neither in the folder nor beside it ({refused}). Make one of them writable"
    )


def is_rules_file(path: Path) -> bool:
    """Whether a file has a name that rules are kept under; its content may be another tool's."""
    return path.name == NAME or path.name.endswith(BESIDE)


def rules_paths(root: Path) -> tuple[Path, Path, Path]:
    """The files that may hold the rules of the folder `root`: in it, hidden in it, beside it."""
    root = Path(root)
    return root / NAME, root / FOLDER / NAME, root.with_name(f"{root.name}{BESIDE}")


def parse_rules(path: Path, value: Mapping[str, Any], layouts: Collection[str]) -> Rules:
    """The rules in a file of this schema. Raises `RefusedInput`, naming what is wrong."""
    version = value.get("schema_version")
    if version not in READ or isinstance(version, bool):
        raise RefusedInput(
            f"{path}: expected {SCHEMA} of version {' or '.join(map(str, READ))}, found {version!r}. Read it with the "
            "kit that wrote it, or save the rules again"
        )
    known = [name for name in RULES if version != READ[0] or name in _FIRST]
    strays = sorted(value.keys() - {*known, "schema", "schema_version"})
    if strays:
        raise RefusedInput(f"{path}: expected rules out of {', '.join(known)}, found {strays[0]!r}. Take it out")
    rules = Rules(
        layout=_choice(path, value, "layout", layouts),
        ids=_choice(path, value, "ids", tuple(IdPolicy), IdPolicy),
        group_by=_text(path, value, "group_by"),
        values=_choice(path, value, "values", VALUES),
        vessel=_texts(path, value, "vessel"),
        ignore=_texts(path, value, "ignore"),
        bits=_whole(path, value, "bits", BITS),
        split=_split(path, value),
    )
    both = in_both(rules)
    if both:
        raise RefusedInput(f"{path}: expected {both!r} as vessel or as ignored, found both. Take it out of one")
    return rules


def _own(path: Path, layouts: Collection[str]) -> Rules | None:
    """The rules in a file of the kit's; None where there is no file, or another tool's."""
    if not path.is_file():
        return None
    value = read_json(path)
    if isinstance(value, dict) and str(value.get("schema", "")).startswith("vesselkit."):
        if value["schema"] != SCHEMA:
            raise RefusedInput(f"{path}: expected {SCHEMA}, found {value['schema']}. Move it away")
        return parse_rules(path, value, layouts)
    if path.name != NAME or path.parent.name == FOLDER:
        raise RefusedInput(f"{path}: expected rules of a data set ({SCHEMA}), found something else. Move it away")
    return _old(path, value, layouts)


def _old(path: Path, value: Any, layouts: Collection[str]) -> Rules | None:
    """The rules of a file before the schema, `{"ids": "public", "layout": "paired"}`; None for another tool's file."""
    if isinstance(value, dict):
        ids, layout = value.get("ids"), value.get("layout")
        known = ids in (None, "public") and layout in (None, *layouts)
        if known and value.keys() <= _OLD:
            return Rules(layout=layout, ids=None if ids is None else IdPolicy(ids))
        if not value.keys() <= _FIRST:
            if known and value.keys() & _OLD:
                return Rules(layout=layout, ids=None if ids is None else IdPolicy(ids))
            if not isinstance(ids, str) and not isinstance(layout, str):
                return None
    elif value:
        return None
    raise RefusedInput(
        f'{path}: expected such as {{"ids": "public", "layout": "paired"}} with a layout out of {", ".join(layouts)}, '
        f'or rules with "schema": "{SCHEMA}", "schema_version": {VERSION}, found something else'
    )


def _foreign_keys(path: Path) -> bool:
    """Whether a file that states ids or a layout holds other things too, which are not ours to write over."""
    value = read_json(path)
    return "schema" not in value and not value.keys() <= _OLD


def _is_ours(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size <= _MOST_BYTES and f'"{SCHEMA}"'.encode() in path.read_bytes()
    except OSError:  # a folder above that may not be looked into
        return False


def _refuse_contradiction(path: Path, rules: Rules, others: Iterable[Path], theirs: Rules) -> None:
    known = theirs.decided()
    for name, value in rules.decided().items():
        if name in known and known[name] != value:
            raise RefusedInput(
                f"{path}: the rules of one data set contradict each other: {name} {rule_text(value)} here, "
                f"{rule_text(known[name])} in {' and '.join(map(str, others))}. Remove the rule from one of the files"
            )


def _choice(path: Path, value: Mapping[str, Any], name: str, known: Collection[str], kind: type = str) -> Any:
    """One of the known texts, as `kind`."""
    given = value.get(name)
    if given is None:
        return None
    if not isinstance(given, str) or given not in known:
        raise _wrong(path, name, f"one of {', '.join(known)}", given)
    return kind(given)


def _text(path: Path, value: Mapping[str, Any], name: str) -> str | None:
    """A text that is not blank."""
    given = value.get(name)
    if given is not None and (not isinstance(given, str) or not given.strip()):
        raise _wrong(path, name, "a text", given)
    return given


def _texts(path: Path, value: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    """Different texts, one at least."""
    given = value.get(name)
    if given is None:
        return None
    sound = isinstance(given, list) and given and all(isinstance(one, str) and one.strip() for one in given)
    if not sound or len(set(given)) < len(given):
        raise _wrong(path, name, "a list of different texts", given)
    return tuple(given)


def _whole(path: Path, value: Mapping[str, Any], name: str, known: range) -> int | None:
    """A whole number out of a range."""
    given = value.get(name)
    if given is not None and (isinstance(given, bool) or not isinstance(given, int) or given not in known):
        raise _wrong(path, name, f"a whole number from {known[0]} to {known[-1]}", given)
    return given


def _split(path: Path, value: Mapping[str, Any]) -> Split | None:
    if value.get("split") is None:
        return None
    try:
        return parse_split(value["split"])
    except RefusedInput as error:
        raise RefusedInput(f"{path}: {error}") from error


def _wrong(path: Path, name: str, expected: str, given: Any) -> RefusedInput:
    return RefusedInput(f"{path}: {name}: expected {expected}, found {given!r}. Correct it, or save the rules again")
