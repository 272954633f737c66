"""Matches files to cases: by case id, else by the frame's path below the data set, or its end."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath

from helpers.core.errors import RefusedInput
from helpers.data.frames.frame import Frame
from helpers.data.ids.case_ids import IdPolicy

# Endings of a file's stem that say what it is, not whose: `x_mask.png` may belong to `x.png`.
ENDINGS = ("mask", "masks", "pred", "prediction", "prob", "probability", "logits", "seg", "segmentation", "vessels")

# Folders that say what lies in them, not whose it is.
_ROLES = frozenset(
    ("annotations", "data", "default", "frames", "image", "images", "imagestr", "imagests", "img", "imgs")
    + ("label", "labels", "labelstr", "mask", "masks")
)

_FIRST = "0000"
_SHOWN = 3


def match(
    frames: Sequence[Frame], root: Path, names: Sequence[str], *, stated: bool = False
) -> tuple[dict[str, str], int]:
    """The file of each case that has one.

    A file in a folder of other frames than the one of its name belongs to no case: `B/x` is not `A/x`.

    A frame of a file of several frames is matched by its case id alone. `x` belongs to the frame `x_0000`, as nnU-Net
    names the first channel of an image, where no other frame is named `x_` and four digits.

    Args:
        frames: all of the data set, so that none takes what is another's.
        root: folder of the data set that frames are named from.
        names: of the files, relative to their folder, with '/'.
        stated: whether they are names of images that annotation files state. Then any other folder than the frame's
            speaks against it, else one that holds frames.
    Returns:
        Case id -> name; and how many files belong to no case.
    Raises:
        RefusedInput: where a file fits several cases, or several files fit one.
    """
    places = _places(frames, root)
    keys, channels = _keys(frames, places), _channels(places)
    known = None if stated else frozenset(part for place in places.values() for part in _told(_folded(place)))
    found: dict[str, str] = {}
    strays = 0
    for name in names:
        case_ids = {
            case_id
            for case_id in _cases_of(name, keys) or _first_channel(name, channels)
            if not _contradicts(name, case_id, places.get(case_id), known)
        }
        if len(case_ids) > 1:
            raise RefusedInput(
                f"{name}: expected a file of one case, and {len(case_ids)} have such a name. Put the files into the "
                "folders that the frames lie in, or name them by case id"
            )
        if not case_ids:
            strays += 1
            continue
        (case_id,) = case_ids
        if case_id in found:
            raise RefusedInput(f"{name} and {found[case_id]}: expected one file for case {case_id}. Remove one of them")
        found[case_id] = name
    return found, strays


def told_strays(names: Sequence[str], matched: Collection[str], ids: IdPolicy) -> str:
    """Which files belong to no case, for the user who has them: the first few in brackets; empty where all do.

    Args:
        names: of all files, in the order that the user has them in.
        matched: of those that belong to a case.
        ids: of the data set. Where its names are hidden, those of the files are, too, and their places stand for them.
    """
    hidden = ids is IdPolicy.PSEUDONYM
    strays = [
        f"number {at} of {len(names)}" if hidden else repr(name)
        for at, name in enumerate(names, 1)
        if name not in matched
    ]
    return f" ({', '.join(strays[:_SHOWN])}{' and more' if len(strays) > _SHOWN else ''})" if strays else ""


def _places(frames: Sequence[Frame], root: Path) -> Mapping[str, PurePosixPath]:
    """Case id -> path below the data set without suffix, of the frames that are a file below it each."""
    return {
        frame.case_id: PurePosixPath(frame.path.relative_to(root).as_posix()).with_suffix("")
        for frame in frames
        if frame.index is None and frame.path.is_relative_to(root)
    }


def _keys(frames: Sequence[Frame], places: Mapping[str, PurePosixPath]) -> Mapping[str, set[str]]:
    """Case ids by each name that a file of them can bear."""
    keys = defaultdict(set)
    for frame in frames:
        keys[frame.case_id].add(frame.case_id)
    for case_id, place in places.items():
        for tail in _tails(place):
            keys[tail].add(case_id)
    return keys


def _contradicts(name: str, case_id: str, place: PurePosixPath | None, known: frozenset[str] | None) -> bool:
    """Whether the folders of a name speak against the frame that it would belong to.

    Args:
        place: of the frame below its data set, without suffix; None for one of a file of several.
        known: folders that hold frames; None where every folder counts.
    """
    given, parts = _folded(PurePosixPath(name).with_suffix("")), () if place is None else _folded(place)
    if not parts or (given[-1] == case_id and case_id != parts[-1]):
        return False  # a case id that is no file's name stands for its case wherever it lies
    folders = _told(given)
    if known is not None:
        return any(part in known and part not in parts for part in folders)
    return any(one != other for one, other in zip(reversed(folders), reversed(_told(parts)), strict=False))


def _folded(path: PurePosixPath) -> tuple[str, ...]:
    """The parts of a path, their letters composed."""
    return tuple(unicodedata.normalize("NFC", part) for part in path.parts)


def _told(parts: Sequence[str]) -> list[str]:
    """The folders of a path that tell whose a file is."""
    return [part for part in parts[:-1] if part.casefold() not in _ROLES]


def _channels(places: Mapping[str, PurePosixPath]) -> Mapping[str, set[tuple[str, str]]]:
    """Case id and digits of the frames whose name ends in `_` and four digits, by what stands before."""
    channels = defaultdict(set)
    for case_id, place in places.items():
        channel = re.fullmatch(r"(.+)_(\d{4})", place.name)
        if channel is not None:
            for tail in _tails(place.with_name(channel[1])):
                channels[tail].add((case_id, channel[2]))
    return channels


def _first_channel(name: str, channels: Mapping[str, set[tuple[str, str]]]) -> set[str]:
    """The case of a first channel, where no other channel and no other frame has such a name."""
    for tail in _tails(PurePosixPath(name).with_suffix("")):
        found = channels.get(tail)
        if found:
            return {case_id for case_id, digits in found if len(found) > 1 or digits == _FIRST}
    return set()


def _cases_of(name: str, keys: Mapping[str, set[str]]) -> set[str]:
    """Cases of the most specific key that fits: the name as it is before the name without an ending."""
    whole = PurePosixPath(name).with_suffix("")
    for path in (whole, *(whole.with_name(stem) for stem in _without_ending(whole.name))):
        for tail in _tails(path):
            if tail in keys:
                return keys[tail]
    return set()


def _tails(path: PurePosixPath) -> list[str]:
    """`a/b/c`, `b/c` and `c`, their letters composed."""
    parts = _folded(path)
    return ["/".join(parts[start:]) for start in range(len(parts))]


def _without_ending(stem: str) -> list[str]:
    return [
        stem[: -len(ending) - 1]
        for ending in ENDINGS
        if stem.lower().endswith((f"_{ending}", f"-{ending}")) and len(stem) > len(ending) + 1
    ]
