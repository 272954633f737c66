"""One depth for the deep still images of a data set, so that equal pictures come out equal whatever else they show.

An 8-bit image, a DICOM frame, a frame of a video and an image whose format fixes its range need none.
"""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from helpers.core.errors import RefusedInput
from helpers.core.progress import track
from helpers.core.shown_text import agreeing, counted
from helpers.data.frames.image_reading import UNIT, Depth, Grey, UnreadableImage, bits_for, image_depth, image_grey
from helpers.data.frames.video_file import is_video

_SAVE = "`vesselkit data check DATASET --bits N --save` keeps what they have, such as 12"
# Floats above 1 and below this are neither 0 to 1 nor the grey of a detector.
_FIRST_GREY = 2.0
# Of files that were decoded for their largest value, in one process: notebooks open a data set again and again.
_REMEMBERED = 100_000


@dataclass(frozen=True)
class CommonDepth:
    """How the deep still images of a data set become 8 bits.

    Attributes:
        bits: of the deep images whose format states no range; None where there are none.
        ranges: the values that are white in images whose format states it, rising.
        by_path: bits of each image that needs some.
        note: what was found and from what, without names; None where no image is deep.
    """

    bits: int | None = None
    ranges: tuple[int, ...] = ()
    by_path: dict[Path, int] = field(default_factory=dict, repr=False)
    note: str | None = None


def common_depth(root: Path, paths: Iterable[Path], bits: int | None = None) -> CommonDepth:
    """The depth of a data set's frames.

    The headers of all files are looked at. Where images leave their range open, all of these are decoded for the
    largest value, unless `bits` decide.

    Args:
        root: of the data set, for messages.
        paths: of all frames of the whole data set, whatever part of it is used.
        bits: decided by the rules of the data set; None to find out.
    Raises:
        RefusedInput: where files state depths that contradict each other or their values, or hold floats of no known
            range.
    """
    stills = [path for path in dict.fromkeys(paths) if not is_video(path)]
    depths = {path: image_depth(path) for path in track(stills, "headers", unit="file")}
    deep = {path: depth for path, depth in depths.items() if depth is not None}
    ranges = tuple(sorted({depth.full_scale for depth in deep.values() if depth.full_scale is not None}))
    stated = sum(depth.full_scale is not None for depth in deep.values())
    said = (
        []
        if not stated
        else [f"{counted(stated, 'image')} with the range of grey stated by the format: {_listed(ranges)}"]
    )
    whole = {path: depth for path, depth in deep.items() if depth.full_scale is None and not depth.is_float}
    floats = [path for path, depth in deep.items() if depth.full_scale is None and depth.is_float]
    largest = _largest(floats)
    unit = _are_units(root, floats, largest)
    open_paths = [*whole, *([] if unit else floats)]
    by_path = dict.fromkeys(floats, UNIT) if unit else {}
    if unit:
        said.append(f"{counted(len(floats), 'image')} of floats read as 0 to 1")
    reason = "by the rules of the data set"
    if open_paths and bits is None:
        bits, reason = _decided(root, whole, [] if unit else [grey.largest for grey in largest.values()])
    if open_paths and bits is not None:
        by_path |= dict.fromkeys(open_paths, bits)
        count, top = len(open_paths), 2**bits - 1
        said.append(f"{counted(count, 'image')} of more than 8 bits read as {bits} bits, 0 to {top}: {reason}")
    return CommonDepth(bits if open_paths else None, ranges, by_path, "; ".join(said) or None)


def _decided(root: Path, whole: dict[Path, Depth], others: Sequence[float]) -> tuple[int | None, str]:
    """The depth of images that leave it open, and why; None where none of them can be read.

    Args:
        whole: those of integers.
        others: largest values of those of floats.
    """
    greys = _largest(whole)
    remarks: Counter[int] = Counter()
    silent = list(others)
    for path, depth in whole.items():
        grey = greys.get(path)
        if depth.significant_bits is None or grey is None:
            silent += [value for value in (depth.noted_maximum, None if grey is None else grey.largest) if value]
            continue
        remarks[depth.significant_bits] += 1
    for bits in list(remarks):
        remarked = [greys[path] for path, depth in whole.items() if depth.significant_bits == bits and path in greys]
        if all(grey.largest < 2**bits for grey in remarked):
            continue
        if not all(grey.is_widened for grey in remarked):
            raise RefusedInput(
                f"{root}: {counted(remarks[bits], 'image')} with {bits} significant bits as stated (PNG's sBIT), and "
                f"grey values up to {max(grey.largest for grey in remarked):g}, which these bits do not give. {_SAVE}"
            )
        remarks[16] += remarks.pop(bits)
    by_values = bits_for(max(silent)) if silent else None
    if not remarks:
        return by_values, f"the largest value of all is {max(silent, default=0):g}"
    if len(remarks) > 1 or (by_values is not None and by_values > max(remarks)):
        held = f", and {counted(len(silent), 'other')} with values up to {max(silent):g}" if silent else ""
        raise RefusedInput(
            f"{root}: its images state {_listed(sorted(remarks))} significant bits (PNG's sBIT){held}. {_SAVE}"
        )
    return max(
        remarks
    ), f"{sum(remarks.values())} of them {agreeing(sum(remarks.values()), 'states', 'state')} so (PNG's sBIT)"


def _are_units(root: Path, floats: Sequence[Path], largest: dict[Path, Grey]) -> bool:
    """Whether images of floats are to be read as 0 to 1."""
    if not largest:
        return bool(floats)
    top = max(grey.largest for grey in largest.values())
    if 1 < top < _FIRST_GREY:
        raise RefusedInput(
            f"{root}: {counted(len(floats), 'image')} of floats with values up to {top:g}, expected 0 to 1 or a "
            "detector's grey. Save them again as integers of 8 or 16 bits"
        )
    return top <= 1


def _largest(paths: Iterable[Path]) -> dict[Path, Grey]:
    """The values of those images that can be read."""
    paths = list(paths)
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads:
        greys = threads.map(_grey, paths)
        shown = track(greys, "depth", unit="image", total=len(paths))
        return {path: grey for path, grey in zip(paths, shown, strict=True) if grey is not None}


def _grey(path: Path) -> Grey | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return _known_grey(path, status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=_REMEMBERED)
def _known_grey(path: Path, *_state: int) -> Grey | None:
    """None for what cannot be read or has no depth: its frame says why."""
    try:
        grey = image_grey(path)
        bits_for(grey.largest)
    except (UnreadableImage, ValueError):
        return None
    return grey


def _listed(numbers: Iterable[int]) -> str:
    return " and ".join(map(str, numbers))
