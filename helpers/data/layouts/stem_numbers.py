"""Numbers in the stems of images and masks: two tools that count from 0 and from 1, or write 1 and 001."""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

_LAST_NUMBER = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL)
_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
_FEWEST = 3


@dataclass(frozen=True)
class ShiftedNumbers:
    """Masks and images of one form of name, as many of each, with numbers that differ by the same throughout.

    Attributes:
        masks, images: the numbers, rising.
    """

    masks: tuple[int, ...]
    images: tuple[int, ...]


def shifted_numbers(masks: Iterable[str], images: Iterable[str]) -> ShiftedNumbers | None:
    """The first form of name whose masks are numbered otherwise than its images, but overlap with them; None without.

    Masks of only some of the images, and sets that have no number in common, are not meant: nothing pairs them wrongly.

    Args:
        masks, images: stems.
    """
    of_masks, of_images = _by_form(masks), _by_form(images)
    for form, numbers in of_masks.items():
        others = of_images.get(form, [])
        if len(numbers) < _FEWEST or len(numbers) != len(others) or set(numbers).isdisjoint(others):
            continue
        steps = {other - number for number, other in zip(numbers, others, strict=True)}
        if len(steps) == 1 and steps != {0}:
            return ShiftedNumbers(tuple(numbers), tuple(others))
    return None


def zeros_text(stem: str, others: Iterable[str]) -> str:
    """What is to be said of a stem that is another one but for zeros before numbers; '' where none is."""
    plain = _ZEROS.sub("", stem)
    alike = any(_ZEROS.sub("", other) == plain for other in others)
    return "; an image differs from it in zeros before a number alone: give both one name" if alike else ""


def _by_form(stems: Iterable[str]) -> dict[tuple[str, str], list[int]]:
    """Last numbers of stems, rising, by what stands before and behind them."""
    found = defaultdict(list)
    for stem in stems:
        match = _LAST_NUMBER.fullmatch(stem)
        if match:
            found[match[1], match[3]].append(int(match[2]))
    return {form: sorted(numbers) for form, numbers in found.items()}
