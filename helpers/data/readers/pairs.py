"""Pairs of a user's own: which folders and file names hold images, which hold their masks.

Two folders belong together if their paths are equal but for the word that tells images from masks: `images/P1` and
`masks/P1`, `P1/images` and `P1/masks`, `P1` and `P1/masks`. A folder without such a partner may hold both, told apart
by the end of the name: `a.png` and `a_mask.png`.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from helpers.data.readers.annotation import SPLITS
from helpers.data.readers.layouts import GREY, Part, Side

# Names of folders, compared in lower case without blanks and punctuation.
_IMAGES = frozenset(("images", "image", "imgs", "img", "original", "originals", "frames", "angiograms"))
_MASKS = frozenset(
    ("masks", "mask", "labels", "label", "gt", "gts", "groundtruth", "groundtruths", "annotations", "annotation")
    + ("segmentations", "segmentation", "seg", "segs", "manual", "1stmanual", "2ndmanual", "manual1", "manual2")
)

_END = r"[_-](mask|gt|label|seg|vessel|vessels)"
_SUFFIX = r"\.(png|tif|tiff|bmp|gif|pgm|ppm|pnm|jpg|jpeg|webp|jp2)"
_IMAGE = rf"(?P<key>[^.].*?){_SUFFIX}"
_MASK = rf"(?P<key>[^.].*?)({_END})?{GREY}"
_IMAGE_BESIDE_MASK = rf"(?!.*{_END}\.[^.]*$)(?P<key>[^.].*?){_SUFFIX}"
_MASK_BESIDE_IMAGE = rf"(?P<key>[^.].*?){_END}{GREY}"

# What a mask may be called besides, so that it is at least not taken for a frame.
_MASK_WORD = r"(?:masks?|gts?|ground[ _-]?truths?|labels?|segs?|segmentations?|annotations?|manual\d?)"
_LIKE_MASK = re.compile(rf"(?:^|.*[^a-z]){_MASK_WORD}|{_MASK_WORD}[^a-z].*", re.IGNORECASE)


@dataclass(frozen=True)
class Pairs:
    """Images and masks as they lie in a folder.

    Attributes:
        parts: with masks or without, in order of their folders.
        lone_masks: folders of masks that belong to no folder of images.
        passed_over: count of image files beside folders named `images` and the like, which hold neither.
    """

    parts: tuple[Part, ...]
    lone_masks: tuple[str, ...]
    passed_over: int

    @property
    def is_paired(self) -> bool:
        """Whether any images have masks."""
        return any(part.masks for part in self.parts)


def find_pairs(files: Mapping[str, Sequence[str]]) -> Pairs:
    """Find which folders and names go together.

    Args:
        files: names of the image files by their folder relative to the data set, with '/', '' for itself.
    """
    masks: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for folder in sorted(files):
        if files[folder] and _has(folder, _MASKS):
            masks[_common(folder)].append(folder)
    others = [folder for folder in sorted(files) if files[folder] and not _has(folder, _MASKS)]
    frames = [folder for folder in others if _has(folder, _IMAGES)] or others
    parts = []
    for folder in frames:
        beside = masks.get(_common(folder), [])
        parts += [Part(Side(folder, _IMAGE), Side(mask, _MASK), split=_split(folder)) for mask in beside]
        if not beside:
            parts.append(_alone(folder, files[folder]))
    together = {_common(folder) for folder in frames}
    lone = [folder for common, folders in masks.items() if common not in together for folder in folders]
    passed_over = sum(len(files[folder]) for folder in others if folder not in frames)
    return Pairs(tuple(parts), tuple(lone), passed_over)


def mask_like(files: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], int]:
    """Names of folders that seem to hold masks, and how many file names elsewhere seem to be masks'.

    Args:
        files: as in `find_pairs`.
    """
    folders, count = {}, 0
    for folder, names in files.items():
        found = [part for part in PurePosixPath(folder).parts if _LIKE_MASK.fullmatch(part)]
        if not names:
            continue
        if found:
            folders[found[0]] = None
        else:
            count += sum(bool(_LIKE_MASK.fullmatch(PurePosixPath(name).stem)) for name in names)
    return tuple(folders), count


def _alone(folder: str, names: Sequence[str]) -> Part:
    """A folder without a partner: with masks of its own where some name is another's with such an end, else without."""
    sides = Side(folder, _IMAGE_BESIDE_MASK), Side(folder, _MASK_BESIDE_IMAGE)
    images, masks = ({found["key"].casefold() for found in map(side.match, names) if found} for side in sides)
    if images & masks:
        return Part(*sides, split=_split(folder))
    return Part(Side(folder, _IMAGE), None, split=_split(folder))


def _has(folder: str, words: frozenset[str]) -> bool:
    return any(_plain(part) in words for part in PurePosixPath(folder).parts)


def _common(folder: str) -> tuple[str, ...]:
    """The parts of a path that images and masks share."""
    parts = [part for part in PurePosixPath(folder).parts if _plain(part) not in _IMAGES | _MASKS]
    return tuple(part.casefold() if part.casefold() in SPLITS else part for part in parts)


def _split(folder: str) -> str | None:
    words = [part.casefold() for part in PurePosixPath(folder).parts]
    return next((SPLITS[word] for word in words if word in SPLITS), None)


def _plain(name: str) -> str:
    return re.sub(r"[ _-]+", "", name.casefold())
