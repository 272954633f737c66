"""Records of a reader, with the original names; the cases that they become once ids replace names; their scored
pixels.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from helpers.core.errors import RefusedInput
from helpers.data.frames.dicom_header import Moment
from helpers.data.frames.frame import Frame
from helpers.data.truth.truth_problem import TruthProblem

if TYPE_CHECKING:
    from helpers.data.truth.shape_labels import LabelledTruth

_SHOWN = 3
# Of a frame's number at most. It stands in the case id, and what is longer names something else: a patient, a date.
NUMBER_DIGITS = 6


class NumberFrom(Enum):
    """Who says which number a frame has."""

    LAYOUT = "layout"
    RULE = "rule"  # the user's
    NAME = "name"  # whatever number its name ends in


class Truth(Protocol):
    """Ground truth of one frame, rasterised only when asked for."""

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels that the annotation was made for; None where it does not say."""

    def mask(self, width: int, height: int) -> np.ndarray:
        """The mask, bool (height, width).

        Raises:
            RefusedInput: where the annotation does not fit a frame of that size, or cannot be read.
        """

    def problems(self, width: int | None = None, height: int | None = None) -> tuple[TruthProblem, ...]:
        """All that is wrong, without names and without raising. Any but a remark keeps the mask from being drawn.

        Args:
            width, height: of the frame in pixels; without them the annotation's own size is taken, where it has one.
        """

    def rescaled_mask(self, width: int, height: int, made_for: tuple[int, int] | None = None) -> np.ndarray:
        """The mask of an annotation made for another size, bool (height, width).

        Polygons are scaled and drawn anew, pixels are taken from the nearest.

        Args:
            made_for: width and height of the annotation where it does not state them; its own statement goes first.
        Raises:
            RefusedInput: where no size is known, or the annotation is broken.
        """


@dataclass(frozen=True)
class Record:
    """One frame as a reader found it. It carries original names and stays on this machine.

    Attributes:
        name: path of the frame's file relative to the data set's root, with '/' between its parts; with the position
            behind a '#' for a file of several frames. It decides the case id.
        path: the file, absolute, inside the data set's root.
        index: position in a file of several frames, from 0; None for a file of one.
        truth: ground truth; None where there is none.
        patient, sequence: the source's own names, from headers, columns or folders; None where the reader cannot tell.
        number: of the frame in its sequence, of at most NUMBER_DIGITS digits; None where the reader cannot tell.
        number_from: who says so.
        moments: what a header says of when the frame was taken.
        split: None where the layout has none.
        from_header: which of `patient` and `sequence` a file's header states; such names are never kept as ids.
        provenance: where the annotation came from, for people: annotation file, position in it, texts, second reader.
        labelled: the truth with its shapes under their labels, where a source states labels that may not all be
            vessels; None where it does not.
    """

    name: str
    path: Path
    index: int | None = None
    truth: Truth | None = None
    patient: str | None = None
    sequence: str | None = None
    number: int | None = None
    number_from: NumberFrom = NumberFrom.LAYOUT
    moments: Mapping[Moment, float] = field(default_factory=dict)
    split: str | None = None
    from_header: frozenset[str] = frozenset()
    provenance: Mapping[str, str | int | float | None] = field(default_factory=dict)
    labelled: "LabelledTruth | None" = None


@dataclass(frozen=True)
class Fault:
    """One thing in a data set that could not become a record.

    Attributes:
        name: of the file or entry, as the source has it; it may name a patient and stays on this machine.
        reason: without names.
    """

    name: str = field(repr=False)
    reason: str


@dataclass(frozen=True)
class Reading:
    """What a reader made of a data set.

    Attributes:
        layout: name of the layout, such as `coco` or `drive`.
        records: in natural order of their names.
        public: whether the layout is that of a published data set, whose file names are not secret.
        notes: sentences on what was found and skipped, without file names.
        faults: what could not become a record, one by one; such entries do not stop the others.
        unread: kinds of annotation files that are there and not read -> how many.
    """

    layout: str
    records: tuple[Record, ...]
    public: bool = False
    notes: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    unread: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One case of an opened data set: the frame that inference may see, and what only evaluation may.

    Attributes:
        truth: ground truth; None where there is none.
        provenance: as in `Record`; it may carry names and stays on this machine.
    """

    frame: Frame
    truth: Truth | None = field(default=None, repr=False)
    provenance: Mapping[str, str | int | float | None] = field(default_factory=dict, repr=False)

    @property
    def case_id(self) -> str:
        return self.frame.case_id


def listed(frames: Sequence[Frame], path: Path) -> tuple[Frame, ...]:
    """The frames whose case ids are in the list, in the order of the data set. Empty lines are skipped.

    Raises:
        RefusedInput: where the file cannot be read as text, names no case, or one that the data set lacks.
    """
    try:
        wanted = set(filter(None, map(str.strip, path.read_text(encoding="utf-8-sig").splitlines())))
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedInput(f"{path}: expected a text file of case ids, got {type(error).__name__}") from error
    if not wanted:
        raise RefusedInput(f"{path}: expected one case id a line, found none")
    chosen = tuple(frame for frame in frames if frame.case_id in wanted)
    strays = sorted(wanted - {frame.case_id for frame in chosen})
    if strays:
        more = f" and {len(strays) - _SHOWN} more" if len(strays) > _SHOWN else ""
        raise RefusedInput(
            f"{path}: expected case ids of this data set, {', '.join(strays[:_SHOWN])}{more} are not in it. "
            "Give the data set, --ids and --id-key of the run that the list came from"
        )
    return chosen


@runtime_checkable
class PartlyScored(Protocol):
    """A truth of which some pixels may be ignored: they are neither vessel nor background, and are not scored."""

    def ignored(self, width: int, height: int) -> np.ndarray | None:
        """The ignored pixels, bool (height, width); None where there is none. Raises as `Truth.mask`."""

    def rescaled_ignored(self, width: int, height: int, made_for: tuple[int, int] | None = None) -> np.ndarray | None:
        """The same of an annotation made for another size."""


def ignored_of(truth: Truth, width: int, height: int) -> np.ndarray | None:
    """The pixels of a truth that are not scored, bool (height, width); None where there is none.

    Raises:
        RefusedInput: as `Truth.mask`.
    """
    return truth.ignored(width, height) if isinstance(truth, PartlyScored) else None


def rescaled_ignored_of(
    truth: Truth, width: int, height: int, made_for: tuple[int, int] | None = None
) -> np.ndarray | None:
    """As `ignored_of`, of an annotation made for another size."""
    return truth.rescaled_ignored(width, height, made_for) if isinstance(truth, PartlyScored) else None


def scored_pixels(ignored: np.ndarray | None) -> Callable[[np.ndarray], np.ndarray]:
    """A function that leaves the ignored pixels out of arrays (H, W): they become (1, N); without any they stay.

    Args:
        ignored: bool (H, W); None for none.
    """
    if ignored is None or not ignored.any():
        return as_it_is
    scored = ~ignored
    return lambda array: array[scored][None]


def as_it_is(array: np.ndarray) -> np.ndarray:
    """The array itself: all its pixels are scored."""
    return array
