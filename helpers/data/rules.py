"""What was decided about a data set and is kept with it: layout, ids, groups, values, labels, bits, the split."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import MaskValues
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.ids.id_key import FOLDER
from helpers.data.splits.split import Split

SCHEMA = "vesselkit.dataset"

VERSION = 2

READ = (1, VERSION)  # 1 knows no split

NAME = "dataset.json"

BESIDE = ".vesselkit.json"

# Behind the name of a folder that cannot be written: the count of `helpers.data.splits.looks` beside it, and its lock.
LOOKS_BESIDE, LOOKS_LOCK_BESIDE = ".vesselkit-looks.jsonl", ".vesselkit-looks.lock"


VALUES = tuple(MaskValues)

BITS = range(8, 17)


_ADVICE = "`vesselkit data check DATASET --save` with the option replaces what is saved"


@dataclass(frozen=True)
class Rules:
    """What was decided about a data set; None for what was not.

    Attributes:
        layout: one of the layouts of docs/datasets.md.
        ids: `public` where the data set's names are not secret, `keep`, or `pseudonym`.
        group_by: as in `helpers.data.groups.grouping.group`. It may hold a name: for the data set's own folder alone.
        values: of mask files: `mask`, vessel where above 0; `probability`, vessel from half the full value.
        vessel: the values, colours (`#rrggbb`) or labels that are vessel; all others are background.
        ignore: those whose pixels are not scored.
        bits: of a pixel of 16 that are used.
        split: which patients train, choose and test.
    """

    layout: str | None = None
    ids: IdPolicy | None = None
    group_by: str | None = field(default=None, repr=False)
    values: str | None = None
    vessel: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    bits: int | None = None
    split: Split | None = None

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
            **{name: _json_value(value) for name, value in decided.items()},
        }

    def to_text(self) -> str:
        """For people, without names: the text of `group_by` is left out."""
        said = []
        for name, value in self.decided().items():
            said.append(name if name == "group_by" else f"{name} {rule_text(value)}")
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


def with_options(saved: Saved, given: Rules) -> Rules:
    """Saved rules with what a command's options say beside.

    Ids of a data set that is declared public may be kept or replaced on request, as its names are not secret.

    Raises:
        RefusedInput: where an option says otherwise than the saved rule.
    """
    for name in differing(saved, given):
        if name == "ids" and saved.rules.ids is IdPolicy.PUBLIC:
            continue
        ours, theirs = getattr(saved.rules, name), getattr(given, name)
        raise RefusedInput(
            f"{option_of(name)} {rule_text(theirs)}: {saved.says(name)} say {name} {rule_text(ours)}. "
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


def option_of(name: str) -> str:
    """The option that gives a rule."""
    return "--" + name.replace("_", "-")


def in_both(rules: Rules) -> str | None:
    """A value that is named as vessel and as ignored; None where none is."""
    return next((one for one in rules.vessel or () if one in (rules.ignore or ())), None)


def rule_text(value: Any) -> str:
    """A rule's value for people."""
    if isinstance(value, Split):
        return value.to_text()
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _json_value(value: Any) -> Any:
    if isinstance(value, Split):
        return value.to_json()
    return list(value) if isinstance(value, tuple) else value


def _files(paths: Iterable[Path]) -> str:
    return " and ".join(map(_file, paths))


def _file(path: Path) -> str:
    """A file of rules as a note names it: the folder's name may be a person's."""
    if path.name.endswith(BESIDE):
        return f"the {BESIDE} file beside the folder"
    return f"{FOLDER}/{NAME}" if path.parent.name == FOLDER else NAME
