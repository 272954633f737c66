"""What the values of a mask mean: one table, for ground truth and for imported files. What it does not hold is refused.

| values of a file | what they are |
|---|---|
| 0 and 1, 0 and 255, 0 and 65535, of any type; one of them alone | a mask |
| 0 and one other whole number; one alone that is above half | a mask; told |
| many greys, most pixels at both ends, as smoothing and JPEG leave them | cut at half of the full value; told |
| all else: three values and more, a dark one alone, greys in between, below 0, fractions, not finite | to be decided |

The files of one data set are judged together: labels in one of them make the others' 1 doubtful too.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from helpers.core.shown_text import counted
from helpers.data.rules import Rules

FULL = (1, 255, 65535)
# Rounding leaves shares so far outside 0 .. 1.
NEAR = 1e-3

# Up to so many values are labels unless they are a mask's; smoothing and JPEG leave more.
FEW = 8
# Greys this close to black or white are smeared black or white, of 255.
_SMEAR = 16
# Of the pixels that are not black at most so many lie between black and white where a mask was smoothed.
_BETWEEN = 2 / 3
# Near black and near white JPEG leaves so many values at least.
_JPEG = 3
_LISTED = 32
_SHOWN = 8


DECIDE = (
    "Say which are vessel and which are not to be scored with `vesselkit data check DATASET --vessel VALUE --ignore "
    "VALUE --save` (or --values mask|probability), or export masks of 0 and 255"
)


class ValueKind(StrEnum):
    """What the values of one file are."""

    EMPTY = "empty"  # 0 alone
    MASK = "mask"  # 0 and one other value
    GREY = "grey"  # a mask whose edges are smeared
    SHARES = "shares"  # fractions within 0 .. 1
    OTHER = "other"


@dataclass(frozen=True)
class Found:
    """The values of one file.

    Attributes:
        one: of a mask, the value that is not 0, by name.
        full: of greys, the value of white.
        low, high: the extremes; NaN where a value is none.
        whole: whether all values are whole numbers.
        counts: pixels by value's name, of the 32 most frequent values at most, the smallest first.
        distinct: number of values.
        pixels: of all values.
        coloured: whether the values stand for colours.
        dtype: the type of number.
    """

    kind: ValueKind
    low: float
    high: float
    whole: bool
    counts: Mapping[str, int] = field(repr=False)
    distinct: int
    pixels: int
    one: str | None = None
    full: int | None = None
    coloured: bool = False
    dtype: str = "uint8"


@dataclass(frozen=True)
class Judgement:
    """What the values of all files together are.

    Attributes:
        reason: why they cannot be taken, without names, with the histogram; None where they can.
        notes: what to tell where they can.
        values: the names that were counted, over all files.
        highest: the largest value of all.
    """

    reason: str | None = None
    notes: tuple[str, ...] = ()
    values: frozenset[str] = field(default=frozenset(), repr=False)
    highest: float = 0.0


def look(values: np.ndarray, names: Mapping[int, str] | None = None) -> Found:
    """What the values of one file are, by the table.

    Args:
        values: (H, W), bool, integer or floating.
        names: of values that stand for colours, of which 0 is black; None where the values speak for themselves.
    """
    distinct, pixels = _histogram(values)
    finite = bool(np.isfinite(distinct).all())
    whole = finite and bool((distinct == np.floor(distinct)).all())
    low, high = (float(distinct[0]), float(distinct[-1])) if finite else (np.nan, np.nan)
    frequent = np.sort(np.argsort(-pixels, kind="stable")[:_LISTED])
    listed = {name_of(distinct[at], names): int(pixels[at]) for at in frequent}
    kind, one, full = _kind(values, distinct, pixels, whole, names)
    named = None if one is None else name_of(one, names)
    return Found(
        kind, low, high, whole, listed, len(distinct), values.size, named, full, names is not None, values.dtype.name
    )


def judge(files: Iterable[Found], advice: str) -> Judgement:
    """What the values of all files together are.

    Args:
        advice: what to do where they cannot be taken.
    """
    files = tuple(files)
    values = frozenset(name for file in files for name in file.counts)
    ones = {file.one for file in files if file.kind is ValueKind.MASK and file.one is not None}
    greys = {str(file.full) for file in files if file.kind is ValueKind.GREY}
    usual = set(map(str, FULL))
    doubtful = [file for file in files if file.kind in (ValueKind.OTHER, ValueKind.SHARES)]
    if doubtful or len(ones) > 1 and not ones <= usual or (ones - usual and greys):
        odd = f" in {len(doubtful)} of {counted(len(files), 'file')}" if doubtful and len(files) > 1 else ""
        said = said_other(doubtful[0]) if doubtful else "another single value beside 0 in some files than in others"
        reason = f"expected masks of 0 and 255, or 0 and 1, found {said}{odd}: {shares(files)}. {advice}"
        return Judgement(reason, (), values)
    notes = []
    if len(ones | greys) > 1:
        listed = " and ".join(f"0 and {one}" for one in sorted(ones | greys, key=int))
        notes.append(f"masks hold {listed}, not all the same; vessel is what is not 0 in each")
    notes += [f"masks hold 0 and {one}: {one} was taken as vessel" for one in sorted(ones - usual)]
    if greys:
        count = sum(file.kind is ValueKind.GREY for file in files)
        notes.append(
            f"{count} of {counted(len(files), 'mask')} with many greys, cut at half of {' or '.join(sorted(greys))}"
        )
    return Judgement(None, tuple(notes), values)


def shares(files: Sequence[Found]) -> str:
    """The histogram of files: value and share of pixels, the most frequent ones in ascending order."""
    counts: Counter[str] = Counter()
    for file in files:
        counts.update(file.counts)
    pixels = sum(file.pixels for file in files)
    shown = sorted((name for name, _ in counts.most_common(_SHOWN)), key=_order)
    more = max((file.distinct for file in files), default=0) > _LISTED or len(counts) > len(shown)
    return ", ".join(f"{name}: {counts[name] / pixels:.2%}" for name in shown) + (" and more" if more else "")


def name_of(value: float, names: Mapping[int, str] | None = None) -> str:
    """A value as `--vessel` and `--ignore` name it: `255`, `0.5`, `#ff0000`."""
    if names is not None:
        return names[int(value)]
    return f"{float(value):.15g}"


def half(full: int) -> float:
    """The smallest value that is vessel where a mask is cut at half: 128 of 255."""
    return (full + 1) // 2 if full > 1 else 0.5


def full_of(low: float, high: float, whole: bool) -> int | None:
    """The value of white: 255 or 65535 of whole numbers, 1 or 255 of others; None where values lie outside."""
    if not whole and low >= -NEAR and high <= 1 + NEAR:
        return 1
    if not low >= 0:
        return None
    if not whole:
        return 255 if high <= 255 else None
    return next((full for full in FULL[1:] if high <= full), None)


def _histogram(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values in ascending order and their pixels. Small whole numbers are counted without sorting."""
    if values.dtype.kind in "bu" and values.dtype.itemsize <= 2:
        ends = np.unique([values.min(), values.max()]).astype(np.int64)
        pixels = np.array([np.count_nonzero(values == one) for one in ends])
        if pixels.sum() == values.size:  # most masks, in a twentieth of the time
            return ends, pixels
        counts = np.bincount(values.ravel())
        distinct = np.flatnonzero(counts)
        return distinct, counts[distinct]
    distinct, counts = np.unique(values, return_counts=True)
    return distinct.astype(np.float64) if values.dtype.kind == "f" else distinct, counts


def _kind(
    values: np.ndarray, found: np.ndarray, pixels: np.ndarray, whole: bool, names: Mapping[int, str] | None
) -> tuple[ValueKind, float | None, int | None]:
    if names is not None:
        plain = found.size == 2 and found[0] == 0
        return (
            (ValueKind.MASK, found[1], None)
            if plain
            else (ValueKind.EMPTY if not found.any() else ValueKind.OTHER, None, None)
        )
    if not np.isfinite(found).all() or found[0] < 0:
        return ValueKind.OTHER, None, None
    if whole and found.size == 1:
        full = full_of(float(found[0]), float(found[0]), whole)
        bright = found[0] in FULL or (full is not None and found[0] >= half(full))
        return (
            (ValueKind.MASK, found[0], None)
            if bright
            else (ValueKind.OTHER if found[0] else ValueKind.EMPTY, None, None)
        )
    if whole and found.size == 2 and found[0] == 0:
        return ValueKind.MASK, found[1], None
    full = full_of(float(found[0]), float(found[-1]), whole)
    if full is not None and found.size > FEW and _is_smeared(values, found, pixels, full):
        return ValueKind.GREY, None, full
    return (ValueKind.SHARES if full == 1 else ValueKind.OTHER), None, None


def _is_smeared(values: np.ndarray, found: np.ndarray, pixels: np.ndarray, full: int) -> bool:
    """Whether many greys are a mask's, smoothed or through JPEG, and surely no labels'."""
    near = _SMEAR * full / 255
    dark, bright = found <= near, found >= full - near
    between = ~dark & ~bright
    beside_black = pixels[~dark].sum()
    if not pixels[dark].any() or not pixels[bright].any() or 2 * pixels[between].sum() > pixels.sum():
        return False
    if pixels[between].sum() > _BETWEEN * beside_black:
        return False
    through_jpeg = np.count_nonzero(dark & (found > 0)) >= _JPEG and np.count_nonzero(bright & (found < full)) >= _JPEG
    inner = values[1:-1, 1:-1]
    flat = np.ones(inner.shape, bool)
    for down in range(3):
        for right in range(3):
            flat &= values[down : down + inner.shape[0], right : right + inner.shape[1]] == inner
    ends = near if through_jpeg else 0
    doubtful = (inner > ends) & (inner < full - ends)
    return not (flat & doubtful).any()  # a label fills areas, the edge of a mask does not


def said_other(found: Found) -> str:
    """What a file that is `OTHER` or `SHARES` holds, in words."""
    if found.coloured:
        several = "more than two colours" if found.distinct > 2 else "two colours, none of them black"
        return several if found.distinct > 1 else "one colour alone"
    if np.isnan(found.low):
        return "values that are not finite"
    if found.low < 0:
        return "values below 0"
    if not found.whole:
        return "fractions"
    if found.distinct == 1:
        return "one value alone"
    return "values that seem labels" if found.distinct <= _LISTED else "greys in between"


def _order(name: str) -> tuple[bool, float, str]:
    try:
        return False, float(name), name
    except ValueError:
        return True, 0.0, name


@dataclass(frozen=True)
class ValueChoice:
    """What was decided about mask values: the rules `values`, `vessel` and `ignore`."""

    values: str | None = None
    vessel: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None

    @classmethod
    def of(cls, rules: Rules) -> "ValueChoice":
        """The part of a data set's rules that concerns the values of masks."""
        return cls(rules.values, rules.vessel, rules.ignore)

    @property
    def named(self) -> tuple[str, ...]:
        """All values that are named."""
        return (*(self.vessel or ()), *(self.ignore or ()))


NOTHING = ValueChoice()
