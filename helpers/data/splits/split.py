"""The split of a data set by patient, as its rules keep it: parts with the ids of their patients."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted
from helpers.data.cases import Record
from helpers.data.groups.name_parts import Spellings
from helpers.data.ids.case_ids import Names

TRAIN, DEV, TEST = "train", "dev", "test"

_FIELDS = frozenset({"parts", "sealed", "key_fingerprint", "seed", "shares", "strata"})
_AGAIN = "Correct it, or take `split` out of the file and give `vesselkit data split` again"


@dataclass(frozen=True)
class Split:
    """Parts of a data set, each with patients of its own.

    Attributes:
        parts: name of a part -> ids of its patients, as the data set's case ids name them.
        sealed: the parts whose patients test: each evaluation on them is counted, and nothing is trained on them.
        key_fingerprint: of the key that the ids were drawn under; None for kept ones.
        seed: of the dealing; None for a split that was written by hand.
        shares: per cent of the patients that were asked for, by part; None for folds and by hand.
        strata: what the parts are alike in, for people; None where nothing was asked of them.
    """

    parts: Mapping[str, tuple[str, ...]] = field(repr=False)
    sealed: tuple[str, ...] = ()
    key_fingerprint: str | None = None
    seed: int | None = None
    shares: Mapping[str, int] | None = None
    strata: str | None = None

    @property
    def sealed_patients(self) -> frozenset[str]:
        """Ids of the patients of all sealed parts."""
        return frozenset(patient for name in self.sealed for patient in self.parts[name])

    def to_json(self) -> dict[str, Any]:
        """As the file of the rules holds it; see docs/datasets.md."""
        return {
            "parts": {name: list(patients) for name, patients in self.parts.items()},
            "sealed": list(self.sealed),
            "key_fingerprint": self.key_fingerprint,
            "seed": self.seed,
            "shares": None if self.shares is None else dict(self.shares),
            "strata": self.strata,
        }

    def to_text(self) -> str:
        """`by patients: train 8, dev 1, test 3`; `none` for a split of no parts."""
        if not self.parts:
            return "none"
        return "by patients: " + ", ".join(f"{name} {len(patients)}" for name, patients in self.parts.items())


# A split that leaves the splits of the layout as they are: what a new one is made from.
NO_SPLIT = Split({})


def parse_split(value: Any) -> Split:
    """A split out of the rules of a data set.

    Raises:
        RefusedInput: where it is none, or a patient is in two parts; without the file's name.
    """
    if not isinstance(value, dict) or not isinstance(value.get("parts"), dict) or not value["parts"]:
        raise RefusedInput(f'split: expected such as {{"parts": {{"train": ["P001"], "test": ["P002"]}}}}. {_AGAIN}')
    strays = sorted(value.keys() - _FIELDS)
    if strays:
        raise RefusedInput(f"split: expected {', '.join(sorted(_FIELDS))}, found {strays[0]!r}. {_AGAIN}")
    parts = {}
    for name, patients in value["parts"].items():
        if not name.strip() or "," in name:
            raise RefusedInput(f"split: expected names of parts without commas, found {name!r}. {_AGAIN}")
        parts[name] = _texts(f"part {name}", patients)
    twice = [patient for patient, count in Counter(one for ids in parts.values() for one in ids).items() if count > 1]
    if twice:
        raise _on_both_sides(twice, parts)
    sealed = _texts("sealed", value["sealed"]) if "sealed" in value else tuple(one for one in (TEST,) if one in parts)
    unknown = [name for name in sealed if name not in parts]
    if unknown:
        raise RefusedInput(f"split: expected sealed parts out of {', '.join(parts)}, found {unknown[0]!r}. {_AGAIN}")
    seed = value.get("seed")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int)):
        raise RefusedInput(f"split: seed: expected a whole number, found {seed!r}. {_AGAIN}")
    shares = value.get("shares")
    if shares is not None and not (isinstance(shares, dict) and all(type(one) is int for one in shares.values())):
        raise RefusedInput(f"split: shares: expected per cent by part, found {shares!r}. {_AGAIN}")
    texts: dict[str, str | None] = {}
    for name in ("key_fingerprint", "strata"):
        texts[name] = value.get(name)
        if texts[name] is not None and not isinstance(texts[name], str):
            raise RefusedInput(f"split: {name}: expected a text, found {texts[name]!r}. {_AGAIN}")
    return Split(parts, sealed, texts["key_fingerprint"], seed, shares, texts["strata"])


def with_parts(
    records: Sequence[Record],
    names: Sequence[Names],
    split: Split,
    *,
    key_fingerprint: str | None,
    spellings: Spellings,
) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """Records with the part of their patient in place of the layout's split, and what must be said of others.

    Args:
        names: ids of the records, in their order.
        key_fingerprint: of the key that these were drawn under; None for kept ones.
        spellings: which ids are one patient; the part of one is that of all.
    Returns:
        The records; those of no part have no split. Sentences without names.
    Raises:
        RefusedInput: where the split names patients by ids from elsewhere, or a patient stands in two parts.
    """
    if split.key_fingerprint != key_fingerprint:
        theirs, ours = (
            "kept names" if one is None else f"ids under key {one}" for one in (split.key_fingerprint, key_fingerprint)
        )
        raise RefusedInput(
            f"the split kept with the data names patients by {theirs}, and this data set is opened with {ours}: whose "
            'they are cannot be told. Give the --ids and --id-key that the split was made with ("key_fingerprint" in '
            "a split written by hand)"
        )
    part_of: dict[str, str] = {}
    for part, patients in split.parts.items():
        for patient in patients:
            known = spellings.united.get(patient, patient)
            if part_of.setdefault(known, part) != part:
                raise _on_both_sides([patient], {name: split.parts[name] for name in (part_of[known], part)})
    placed, outside, unknown = [], Counter[str](), 0
    for record, given in zip(records, names, strict=True):
        united = spellings.of(given.patient)
        own = None if united is None else part_of.get(united)
        placed.append(replace(record, split=own))
        unknown += united is None
        if united is not None and own is None:
            outside[united] += 1
    notes = []
    if outside:
        notes.append(
            f"in no part of the split: {counted(len(outside), 'patient')} with {counted(outside.total(), 'frame')}, "
            "who came after it. Write their ids into a part of `split` in the rules, or leave them out"
        )
    if unknown:
        notes.append(f"in no part of the split: {counted(unknown, 'frame')} whose patient is unknown")
    return tuple(placed), tuple(notes)


def chosen_parts(text: str | None) -> frozenset[str] | None:
    """The splits that a choice names, such as `test`, or `fold2,fold3`; None for all."""
    return None if text is None else frozenset(part.strip() for part in text.split(",") if part.strip())


def _texts(name: str, value: Any) -> tuple[str, ...]:
    sound = isinstance(value, list) and all(isinstance(one, str) and one.strip() for one in value)
    if not sound:
        raise RefusedInput(f"split: {name}: expected a list of texts, found {value!r}. {_AGAIN}")
    return tuple(value)


def _on_both_sides(patients: Sequence[str], parts: Mapping[str, Sequence[str]]) -> RefusedInput:
    first = patients[0]
    inside = [name for name, ids in parts.items() if first in ids]
    where = f"{' and '.join(inside)}" if len(inside) > 1 else " and ".join(parts)
    more = f" (the first of {len(patients)})" if len(patients) > 1 else ""
    return RefusedInput(
        f"split: patient {first}{more} stands in {where}: a patient trains or tests, with all frames and under every "
        f"spelling. {_AGAIN}"
    )
