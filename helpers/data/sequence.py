"""Which cases belong to one sequence, and in which order."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from helpers.data.frame import Frame

Item = TypeVar("Item")


def in_sequences(items: Iterable[Item], frame_of: Callable[[Item], Frame]) -> tuple[tuple[Item, ...], ...]:
    """The items of each sequence in order of time, sequences in the order of their first items.

    An item without a sequence is one of its own. Items without a number come first and keep their order.

    Args:
        frame_of: the frame of an item.
    """
    groups: dict[tuple[bool, str], list[Item]] = {}
    for item in items:
        frame = frame_of(item)
        alone = frame.sequence is None
        groups.setdefault((alone, frame.case_id if alone else frame.sequence), []).append(item)
    return tuple(tuple(sorted(group, key=lambda item: _time(frame_of(item)))) for group in groups.values())


def _time(frame: Frame) -> int:
    return -1 if frame.number is None else frame.number
