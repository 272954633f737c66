"""One frame to look at, and frames in sequences: all that inference may know of cases. No ground truth is in here."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")

MOST_VESSEL = 0.6  # share of a frame: no angiogram holds more vessel than this


@dataclass(frozen=True)
class Frame:
    """One angiogram frame under its case id.

    Attributes:
        case_id: a plain name, unique in its data set, such as `P007-S02-F034`; it says nothing of the patient.
        path: the file that holds the frame. It may carry a name: never to be logged or written to a result.
        index: position in a file of several frames, from 0; None for a file of one.
        patient, sequence: stable pseudonyms, such as `P007` and `P007-S02`; None where unknown.
        number: of the frame in its sequence, as the source counts; None where unknown.
        position: in its sequence in order of time, from 0, frames of other splits counted too, see
            `helpers.data.groups.time_order`; None where the sequence is unknown.
        split: such as `train` or `test`; None where the data set has none.
        nbytes: size of the file in bytes; None where it cannot be told.
        bits: depth that its data set has for images whose format states no range, see `data.frames.set_depth`; None for
            a frame that needs none.
    """

    case_id: str
    path: Path = field(repr=False)
    index: int | None = None
    patient: str | None = None
    sequence: str | None = None
    number: int | None = None
    split: str | None = None
    nbytes: int | None = None
    position: int | None = None
    bits: int | None = None


def in_sequences(items: Iterable[Item], frame_of: Callable[[Item], Frame]) -> tuple[tuple[Item, ...], ...]:
    """The items of each sequence in order of time, sequences in the order of their first items.

    An item without a sequence is one of its own. Frames without a position are taken by their numbers, and keep their
    order where these do not tell all of a sequence apart.

    Args:
        frame_of: the frame of an item.
    """
    return tuple(_in_time(group, frame_of) for group in _grouped(items, frame_of))


def _grouped(items: Iterable[Item], frame_of: Callable[[Item], Frame]) -> Iterable[list[Item]]:
    groups: dict[tuple[bool, str | None], list[Item]] = {}
    for item in items:
        frame = frame_of(item)
        alone = frame.sequence is None
        groups.setdefault((alone, frame.case_id if alone else frame.sequence), []).append(item)
    return groups.values()


def _in_time(group: list[Item], frame_of: Callable[[Item], Frame]) -> tuple[Item, ...]:
    for times in ([frame_of(item).position for item in group], [frame_of(item).number for item in group]):
        known = [time for time in times if time is not None]
        if len(set(known)) == len(times):
            return tuple(group[place] for place in sorted(range(len(group)), key=known.__getitem__))
    return tuple(group)


def order_sha256(frames: Sequence[Frame]) -> str | None:
    """SHA-256 of the frames of each sequence in order of time; None where that is the order of their numbers.

    Frames of one number, or of none, then stand in the order given, as all did before positions were known: so runs of
    that time stay the same runs where their order was right.
    """
    ordered = in_sequences(frames, lambda frame: frame)
    by_number = (sorted(group, key=_number) for group in _grouped(frames, lambda frame: frame))
    if ordered == tuple(map(tuple, by_number)):
        return None
    return hashlib.sha256(json.dumps([[frame.case_id for frame in group] for group in ordered]).encode()).hexdigest()


def _number(frame: Frame) -> int:
    return -1 if frame.number is None else frame.number


def listing_sha256(frames: Sequence[Frame]) -> str:
    """SHA-256 of the cases' ids, groups and splits, so that a changed data set or grouping is noticed.

    A changed image is noticed case by case, see `helpers.prediction.resume`.
    """
    listing = [
        [frame.case_id, frame.index, frame.patient, frame.sequence, frame.number, frame.split] for frame in frames
    ]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()
