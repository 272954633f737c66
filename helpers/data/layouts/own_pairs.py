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

from helpers.data.layouts.annotation import SPLITS, comparable, one_spelling
from helpers.data.layouts.paired_table import PairedFiles, PairedPart

# Names of folders, compared in lower case without blanks and punctuation.
_IMAGES = frozenset(("images", "image", "imgs", "img", "original", "originals", "frames", "angiograms", "jpegimages"))
_MASKS = frozenset(
    ("masks", "mask", "labels", "label", "gt", "gts", "groundtruth", "groundtruths", "annotations", "annotation")
    + ("segmentations", "segmentation", "seg", "segs", "manual", "1stmanual", "2ndmanual", "manual1", "manual2")
    + ("segmentationclass", "segmentationclasspng")
)
# Of several folders of masks side by side, that of classes is the truth: the others show objects, or are for the eye.
_DECIDING = {
    "segmentationclass": ("segmentationobject", "segmentationclassvisualization"),
    "segmentationclasspng": ("segmentationobject", "segmentationobjectpng", "segmentationclassvisualization"),
    "semantic": ("semanticrgb", "instance"),
}
# As nnU-Net ends the names of its folders.
_SPLIT_ENDS = {"tr": "train", "ts": "test"}

_END = r"[_-](mask|gt|label|seg|vessel|vessels)"
IMAGE_SUFFIX = r"\.(png|tif|tiff|bmp|gif|pgm|ppm|pnm|pbm|jpg|jpeg|webp|jp2)"
_IMAGE = rf"(?P<key>[^.].*?){IMAGE_SUFFIX}"
_MASK = rf"(?P<key>[^.].*?)({_END})?{IMAGE_SUFFIX}"
_IMAGE_BESIDE_MASK = rf"(?!.*{_END}\.[^.]*$)(?P<key>[^.].*?){IMAGE_SUFFIX}"
_MASK_BESIDE_IMAGE = rf"(?P<key>[^.].*?){_END}{IMAGE_SUFFIX}"

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
        left_out: the folders of these that may hold masks under another name.
    """

    parts: tuple[PairedPart, ...]
    lone_masks: tuple[str, ...]
    passed_over: int
    left_out: tuple[str, ...] = ()

    @property
    def is_paired(self) -> bool:
        """Whether any images have masks."""
        return any(part.masks for part in self.parts)


def find_pairs(files: Mapping[str, Sequence[str]]) -> Pairs:
    """Find which folders and names go together.

    Args:
        files: names of the image files by their folder relative to the data set, with '/', '' for itself.
    """
    shown = sum(len(names) for folder, names in files.items() if _is_decided(folder, files))
    files = {folder: names for folder, names in files.items() if not _is_decided(folder, files)}
    masks: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for folder in sorted(files):
        if files[folder] and _has(folder, _MASKS):
            masks[_common(folder)].append(folder)
    others = [folder for folder in sorted(files) if files[folder] and not _has(folder, _MASKS)]
    frames = [folder for folder in others if _has(folder, _IMAGES)] or others
    parts = []
    for folder in frames:
        beside = masks.get(_common(folder), [])
        parts += [
            PairedPart(PairedFiles(folder, _IMAGE), PairedFiles(mask, _MASK), split=split_of_folder(folder))
            for mask in beside
        ]
        if not beside:
            parts.append(_alone(folder, files[folder]))
    together = {_common(folder) for folder in frames}
    lone = [folder for common, folders in masks.items() if common not in together for folder in folders]
    left_out = tuple(folder for folder in others if folder not in frames)
    return Pairs(tuple(parts), tuple(lone), shown + sum(len(files[folder]) for folder in left_out), left_out)


def mask_like(files: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], int]:
    """Names of folders that seem to hold masks, and how many file names elsewhere seem to be masks'.

    Args:
        files: as in `find_pairs`.
    """
    folders: dict[str, None] = {}
    count = 0
    for folder, names in files.items():
        parts = [part for part in PurePosixPath(folder).parts if _LIKE_MASK.fullmatch(part)]
        if not names:
            continue
        if parts:
            folders[parts[0]] = None
        else:
            count += sum(bool(_LIKE_MASK.fullmatch(PurePosixPath(name).stem)) for name in names)
    return tuple(folders), count


def _alone(folder: str, names: Sequence[str]) -> PairedPart:
    """A folder without a partner: with masks of its own where some name is another's with such an end, else without."""
    sides = PairedFiles(folder, _IMAGE_BESIDE_MASK), PairedFiles(folder, _MASK_BESIDE_IMAGE)
    images, masks = ({comparable(match["key"]) for match in map(side.match, names) if match} for side in sides)
    if images & masks:
        return PairedPart(*sides, split=split_of_folder(folder))
    return PairedPart(PairedFiles(folder, _IMAGE), None, split=split_of_folder(folder))


def _has(folder: str, words: frozenset[str]) -> bool:
    return any(_plain(part) in words for part in PurePosixPath(folder).parts)


def _common(folder: str) -> tuple[str, ...]:
    """The parts of a path that images and masks share."""
    parts = [part for part in PurePosixPath(folder).parts if _plain(part) not in _IMAGES | _MASKS]
    return tuple(part.casefold() if part.casefold() in SPLITS else one_spelling(part) for part in parts)


def split_of_folder(folder: str) -> str | None:
    """The split that a folder's path states."""
    for part in PurePosixPath(folder).parts:
        rest = residue(part)
        split = SPLITS.get(part.casefold()) or (_SPLIT_ENDS.get(rest) if rest != _plain(part) else None)
        if split:
            return split
    return None


def is_named_for_masks(folder: str) -> bool:
    """Whether a folder's path says that it holds masks."""
    return _has(folder, _MASKS)


def residue(part: str) -> str:
    """What is left of a folder's name without the word that tells images from masks: `tr` of `imagesTr`."""
    plain = _plain(part)
    for word in sorted(_IMAGES | _MASKS, key=len, reverse=True):
        for rest in (plain.removeprefix(word), plain.removesuffix(word)):
            if rest != plain:
                return rest
    return plain


def _is_decided(folder: str, files: Mapping[str, Sequence[str]]) -> bool:
    """Whether a folder beside this one holds the truth, so that it does not."""
    path = PurePosixPath(folder)
    beside = {_plain(other.name) for other in map(PurePosixPath, files) if other.parent == path.parent}
    return any(_plain(path.name) in others for word, others in _DECIDING.items() if word in beside)


def _plain(name: str) -> str:
    return re.sub(r"[ _-]+", "", comparable(name))
