"""Labels of annotated shapes: which are vessel, which are ignored, and which are neither. Several are asked about."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from helpers.core.errors import RefusedInput
from helpers.data.cases import Truth
from helpers.data.rules import Rules
from helpers.data.truth.ground_truth import PolygonTruth, Size
from helpers.data.truth.truth_problem import TruthProblem

# LabelMe's own words: what no one scores, and what is cut out of the shapes before it.
IGNORE = "__ignore__"
BACKGROUND = "_background_"
# Of a shape that has no label.
UNLABELLED = "(none)"

DECIDE_LABELS = (
    "Say which are vessel, and which are not to be scored, with `vesselkit data check DATASET --vessel LABEL --ignore "
    "LABEL --save`, once for each"
)
_SHOWN = 30


@dataclass(frozen=True)
class LabelChoice:
    """What the labels of a data set mean.

    Attributes:
        vessel, ignore: the labels that are; all others are background.
        reason: why that is open, with labels and counts; None where it is not.
        text: what is what, with counts, for the check.
        apart: whether labels are to be told apart; else all are vessel.
    """

    vessel: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset({IGNORE})
    reason: str | None = None
    text: str = ""
    apart: bool = True


@dataclass(frozen=True)
class LabelledTruth:
    """Annotated shapes under their labels.

    Attributes:
        parts: label and shapes, in the order of the file.
        in_order: whether a later part covers the earlier ones, as where LabelMe draws; else vessels are united.
        size: width and height that the source states; None where it does not.
        lines: labels of shapes without an area.
        choice: of the data set; None takes all but the reserved labels and lesions for vessel.
        lesions: labels of lesions, which are vessel only where a rule says so.
    """

    parts: tuple[tuple[str, Truth], ...]
    in_order: bool
    size: Size | None = None
    lines: tuple[str, ...] = ()
    choice: LabelChoice | None = field(default=None, repr=False)
    lesions: frozenset[str] = frozenset()

    def counts(self) -> Counter[str]:
        """Number of parts and lines of each label."""
        return Counter([*(label for label, _ in self.parts), *self.lines])

    def problems(self, width: int | None = None, height: int | None = None) -> tuple[TruthProblem, ...]:
        choice = self._choice()
        if choice.reason is not None:
            return (TruthProblem(choice.reason),)
        size = (width, height) if width is not None and height is not None else self.size or (None, None)
        parts = [PolygonTruth((), self.size), *(part for _, part in self._drawn(choice))]
        of_parts = (problem for part in parts for problem in part.problems(*size))
        return tuple(dict.fromkeys([*map(TruthProblem, self._lines_alone(choice)), *of_parts]))

    def mask(self, width: int, height: int) -> np.ndarray:
        return self._painted(lambda part: part.mask(width, height))[0]

    def ignored(self, width: int, height: int) -> np.ndarray | None:
        return self._painted(lambda part: part.mask(width, height))[1]

    def rescaled_mask(self, width: int, height: int, made_for: Size | None = None) -> np.ndarray:
        return self._painted(lambda part: part.rescaled_mask(width, height, self.size or made_for))[0]

    def rescaled_ignored(self, width: int, height: int, made_for: Size | None = None) -> np.ndarray | None:
        return self._painted(lambda part: part.rescaled_mask(width, height, self.size or made_for))[1]

    def _painted(self, draw: Callable[[Truth], np.ndarray]) -> tuple[np.ndarray, np.ndarray | None]:
        """Vessel, and ignored pixels where there are any, bool (height, width)."""
        choice = self._choice()
        for problem in (choice.reason, *self._lines_alone(choice)):
            if problem is not None:
                raise RefusedInput(f"the ground truth of this frame cannot be used: {problem}")
        vessel = draw(PolygonTruth((), self.size))  # empty, and refused where the frame is of another size
        ignored = vessel.copy()
        for label, part in self._drawn(choice):
            shape = draw(part)
            if self.in_order:
                vessel[shape], ignored[shape] = label in choice.vessel, label in choice.ignore
            elif label in choice.vessel:
                vessel |= shape
            else:
                ignored |= shape
        ignored &= ~vessel
        return vessel, ignored if ignored.any() else None

    def _drawn(self, choice: LabelChoice) -> list[tuple[str, Truth]]:
        """The parts that play a part: where later ones cover earlier ones, all of them."""
        asked = choice.vessel | choice.ignore
        return [(label, part) for label, part in self.parts if self.in_order or label in asked]

    def _lines_alone(self, choice: LabelChoice) -> tuple[str, ...]:
        """A problem where vessels are drawn as lines alone: these have no area, yet the truth is not empty."""
        areas = any(label in choice.vessel for label, _ in self.parts)
        if areas or not choice.vessel & set(self.lines):
            return ()
        return ("its vessels are points and lines alone, which have no area; draw them as polygons",)

    def _choice(self) -> LabelChoice:
        if self.choice is not None:
            return self.choice
        return LabelChoice(frozenset(self.counts()) - {IGNORE, BACKGROUND} - self.lesions)


def choose_labels(truths: Iterable[LabelledTruth], rules: Rules) -> LabelChoice | None:
    """What the labels of a data set mean: by its rules, else where one alone could be vessel; None without any label.

    LabelMe's reserved labels mean what they mean there, unless a rule says otherwise.
    """
    counts: Counter[str] = Counter()
    lesions: set[str] = set()
    for truth in truths:
        counts.update(truth.counts())
        lesions |= truth.lesions
    if not counts:
        return None
    ignore = frozenset(rules.ignore or ()) | ({IGNORE} - set(rules.vessel or ()))
    left = frozenset(counts) - ignore - {BACKGROUND} - lesions
    if rules.vessel is not None:
        vessel = frozenset(rules.vessel)
        if not vessel & counts.keys():
            said = f"expected shapes labelled {_quoted(rules.vessel)}, found {_counted(counts)}"
            return LabelChoice(vessel, ignore, f"{said}. {DECIDE_LABELS}")
    elif len(left) > 1:
        reason = f"expected one label, found several, which may not be vessels: {_counted(counts)}. {DECIDE_LABELS}"
        return LabelChoice(left, ignore, reason)
    elif not left and lesions - ignore:
        return LabelChoice(left, ignore, f"expected vessels, found lesions alone: {_counted(counts)}. {DECIDE_LABELS}")
    else:
        vessel = left
    kinds = {"vessel": vessel, "ignored": ignore, "background": counts.keys() - vessel - ignore}
    told = (
        f"{kind}: {_counted({name: counts[name] for name in counts if name in names})}"
        for kind, names in kinds.items()
        if names & counts.keys()
    )
    apart = bool(len(counts) > 1 or rules.vessel or rules.ignore)
    return LabelChoice(vessel, ignore, None, "; ".join(told) if apart or UNLABELLED not in counts else "", apart)


def _counted(counts: Mapping[str, int]) -> str:
    """Labels as they are, blanks and case too, with their numbers."""
    shown = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]
    more = f" and {len(counts) - len(shown)} more" if len(counts) > len(shown) else ""
    return ", ".join(f"{label!r} {count}" for label, count in shown) + more


def _quoted(labels: Iterable[str]) -> str:
    return " or ".join(map(repr, labels))


def label_of(value: object) -> str:
    """A shape's label as a rule names it."""
    return UNLABELLED if value is None or value == "" else str(value)


def united(truth: LabelledTruth) -> PolygonTruth:
    """The polygons of all shapes as one truth, whatever their labels."""
    areas = [part for _, part in truth.parts if isinstance(part, PolygonTruth)]
    polygons = tuple(polygon for part in areas for polygon in part.polygons)
    return PolygonTruth(polygons, truth.size, tuple(name for part in areas for name in part.objects))
