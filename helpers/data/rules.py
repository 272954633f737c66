"""What was decided about a data set and is kept with it: layout, ids, groups, meaning of mask values and labels, bits.

The file is `dataset.json` in the data set's folder. Where another tool's file has that name, it is
`.vesselkit/dataset.json`; where the folder cannot be written, `NAME.vesselkit.json` beside the folder NAME. All that
exist are read. They complete each other, and two that state one rule otherwise are refused.
"""

import errno
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from helpers.core.atomic import write_json_atomic
from helpers.core.errors import RefusedInput
from helpers.core.safe_json import read_json
from helpers.core.vocabulary import MaskValues
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.ids.id_key import FOLDER, make_folder
from helpers.data.rule_values import choice, text, texts, whole

SCHEMA = "vesselkit.dataset"
VERSION = 1
NAME = "dataset.json"
BESIDE = ".vesselkit.json"

VALUES = tuple(MaskValues)
BITS = range(8, 17)

_OLD = frozenset({"ids", "layout"})
_NOT_WRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_ADVICE = "`vesselkit data check DATASET --save` with the option replaces what is saved"


@dataclass(frozen=True)
class Rules:
    """What was decided about a data set; None for what was not.

    Attributes:
        layout: one of the layouts of docs/datasets.md.
        ids: `public` where the data set's names are no secret, `keep`, or `pseudonym`.
        group_by: as in `helpers.data.groups.grouping.group`. It may hold a name: for the data set's own folder alone.
        values: of mask files: `mask`, vessel where above 0; `probability`, vessel from half the full value.
        vessel: the values, colours (`#rrggbb`) or labels that are vessel; all others are background.
        ignore: those whose pixels are not scored.
        bits: of a pixel of 16 that are used.
    """

    layout: str | None = None
    ids: IdPolicy | None = None
    group_by: str | None = field(default=None, repr=False)
    values: str | None = None
    vessel: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    bits: int | None = None

    def decided(self) -> dict[str, Any]:
        """The rules that are not None, by name."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def to_dict(self) -> dict[str, Any]:
        """The content of a file."""
        decided = self.decided()
        return {
            "schema": SCHEMA,
            "schema_version": VERSION,
            **{name: list(value) if isinstance(value, tuple) else value for name, value in decided.items()},
        }

    def to_text(self) -> str:
        """For people, without names: the text of `group_by` is left out."""
        said = []
        for name, value in self.decided().items():
            said.append(name if name == "group_by" else f"{name} {_said(value)}")
        return ", ".join(said)


# Those that say what ground truth is: they change scores, and never a prediction.
TRUTH_RULES = ("values", "vessel", "ignore")
RULES = tuple(one.name for one in fields(Rules))


@dataclass(frozen=True)
class Above:
    """Rules of a folder above, of which the data set is a part.

    Attributes:
        rules: those that count, since the data set has none of its own for them.
    """

    folder: Path = field(repr=False)
    files: tuple[Path, ...] = field(repr=False)
    rules: Rules


@dataclass(frozen=True)
class Saved:
    """The rules of a data set and the files that they came from.

    Attributes:
        rules: all that count, those from above among them.
        files: those in the data set's own folder, or beside it.
        above: None where none comes from above.
    """

    rules: Rules = Rules()
    files: tuple[Path, ...] = field(default=(), repr=False)
    above: Above | None = None

    @property
    def own(self) -> Rules:
        """The rules of the data set's own files."""
        return self.rules if self.above is None else replace(self.rules, **dict.fromkeys(self.above.rules.decided()))

    def to_text(self) -> str:
        """A note for people, without names; '' where there are none."""
        own = self.own.to_text()
        said = [f"rules kept with the data ({_files(self.files)}): {own}"] if own else []
        if self.above is not None:
            said.append(f"rules kept in a folder above ({_files(self.above.files)}): {self.above.rules.to_text()}")
        return "; ".join(said)

    def says(self, name: str) -> str:
        """Where a rule comes from, for people."""
        if self.above is not None and name in self.above.rules.decided():
            return f"the rules kept in a folder above ({_files(self.above.files)})"
        return f"the rules kept with the data ({_files(self.files[-1:])})"


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


def with_options(saved: Saved, given: Rules) -> Rules:
    """Saved rules with what a command's options say beside.

    Ids of a data set that is declared public may be kept or replaced on request, as its names are no secret.

    Raises:
        RefusedInput: where an option says otherwise than the saved rule.
    """
    for name in differing(saved, given):
        if name == "ids" and saved.rules.ids is IdPolicy.PUBLIC:
            continue
        ours, theirs = getattr(saved.rules, name), getattr(given, name)
        raise RefusedInput(
            f"{option_of(name)} {_said(theirs)}: {saved.says(name)} say {name} {_said(ours)}. "
            f"Leave the option out to go by them; {_ADVICE}"
        )
    return replace(saved.rules, **given.decided())


def with_trial(saved: Saved, given: Rules) -> Rules:
    """Saved rules with others in their place, which are tried out or about to be saved."""
    return replace(saved.rules, **given.decided())


def rules_notes(saved: Saved, tried: Rules | None) -> tuple[str, ...]:
    """What to tell of the rules of an opened data set.

    Args:
        tried: the rules taken, where some stand in the place of saved ones.
    """
    notes = [saved.to_text()]
    others = () if tried is None else differing(saved, tried)
    if tried is not None and others:
        notes.append(f"taken in place of what is saved: {Rules(**_only(tried, others)).to_text()}")
    return tuple(note for note in notes if note)


def _only(rules: Rules, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(rules, name) for name in names}


def differing(saved: Saved, given: Rules) -> tuple[str, ...]:
    """Names of the rules that are saved and given otherwise."""
    ours = saved.rules.decided()
    return tuple(name for name, value in given.decided().items() if name in ours and ours[name] != value)


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
    refused: OSError | None = None
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
            refused = error
            continue
        return target
    raise RefusedInput(
        f"{root}: the rules can be written neither in the folder nor beside it ({refused.strerror}). Make one of them "
        "writable"
    )


def is_rules_file(path: Path) -> bool:
    """Whether a file has a name that rules are kept under; its content may be another tool's."""
    return path.name == NAME or path.name.endswith(BESIDE)


def option_of(name: str) -> str:
    """The option that gives a rule."""
    return "--" + name.replace("_", "-")


def parse_rules(path: Path, value: Mapping[str, Any], layouts: Collection[str]) -> Rules:
    """The rules in a file of this schema. Raises `RefusedInput`, naming what is wrong."""
    version = value.get("schema_version")
    if version != VERSION or isinstance(version, bool):
        raise RefusedInput(
            f"{path}: expected {SCHEMA} of version {VERSION}, found {version!r}. Read it with the kit that wrote it, "
            "or save the rules again"
        )
    strays = sorted(value.keys() - {*RULES, "schema", "schema_version"})
    if strays:
        raise RefusedInput(f"{path}: expected rules out of {', '.join(RULES)}, found {strays[0]!r}. Take it out")
    rules = Rules(
        layout=choice(path, value, "layout", layouts),
        ids=choice(path, value, "ids", tuple(IdPolicy), IdPolicy),
        group_by=text(path, value, "group_by"),
        values=choice(path, value, "values", VALUES),
        vessel=texts(path, value, "vessel"),
        ignore=texts(path, value, "ignore"),
        bits=whole(path, value, "bits", BITS),
    )
    both = in_both(rules)
    if both:
        raise RefusedInput(f"{path}: expected {both!r} as vessel or as ignored, found both. Take it out of one")
    return rules


def in_both(rules: Rules) -> str | None:
    """A value that is named as vessel and as ignored; None where none is."""
    return next((one for one in rules.vessel or () if one in (rules.ignore or ())), None)


def rules_paths(root: Path) -> tuple[Path, Path, Path]:
    """The files that may hold the rules of the folder `root`: in it, hidden in it, beside it."""
    root = Path(root)
    return root / NAME, root / FOLDER / NAME, root.with_name(f"{root.name}{BESIDE}")


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
        if not value.keys() <= set(RULES):
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


def _refuse_contradiction(path: Path, rules: Rules, others: Iterable[Path], theirs: Rules) -> None:
    known = theirs.decided()
    for name, value in rules.decided().items():
        if name in known and known[name] != value:
            raise RefusedInput(
                f"{path}: the rules of one data set contradict each other: {name} {_said(value)} here, "
                f"{_said(known[name])} in {' and '.join(map(str, others))}. Remove the rule from one of the files"
            )


def _said(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _files(paths: Iterable[Path]) -> str:
    return " and ".join(map(_file, paths))


def _file(path: Path) -> str:
    """A file of rules as a note names it: the folder's name may be a person's."""
    if path.name.endswith(BESIDE):
        return f"the {BESIDE} file beside the folder"
    return f"{FOLDER}/{NAME}" if path.parent.name == FOLDER else NAME
