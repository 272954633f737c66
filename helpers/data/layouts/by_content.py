"""Masks among a user's images whatever their folders are called: told by their pixels, paired by their names.

What looks like masks is never read as frames. It is paired where everything speaks for one folder of images: its masks
have the stems of images, each of another, and their sizes; else it is refused, naming the folders.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted
from helpers.data.frames.image_reading import DECODE_ERRORS, UnreadableImage, open_unpacked
from helpers.data.layouts.annotation import comparable
from helpers.data.layouts.mask_looks import PixelLook, Sample, chosen, look, sample
from helpers.data.layouts.name_stems import SAME, Affix, affix_of, shared
from helpers.data.layouts.own_pairs import IMAGE_SUFFIX, Pairs, is_named_for_masks, residue, split_of_folder
from helpers.data.layouts.paired_table import PairedFiles, PairedPart

# Files that are looked at: of a folder at most, of all folders about.
_OF_A_FOLDER = 24
_OF_ALL = 600
_OF_EACH = 3  # of a folder at least
_SIZES = 12
_OFTEN = 3  # one file in so many is more than a chance frame of few values

_CHANNEL = re.compile(r"[_-]\d{4}$")
_WAY_OUT = "where they are frames indeed, say so with --layout images"


@dataclass(frozen=True)
class _Folder:
    """One folder of image files.

    Attributes:
        stems: file name -> stem in one spelling.
    """

    path: str
    stems: Mapping[str, str]
    seen: Sample


def paired_by_content(root: Path, files: Mapping[str, Sequence[str]], pairs: Pairs) -> Pairs:
    """The pairs that names gave, with those that pixels give, and without frames that are masks.

    Args:
        root: of the data set.
        files: as in `find_pairs`.
    Raises:
        RefusedInput: where something looks like masks and it is not certain of which images.
    """
    looker = _Looker(root, files)
    parts = [_with_affix(looker, part) for part in pairs.parts]
    unpaired = {part.images.folder: part for part in parts if part.masks is None}
    masks = [folder for folder in map(looker.folder, (*unpaired, *pairs.left_out)) if _may_be_masks(folder)]
    masks += [folder for folder in map(looker.folder, pairs.lone_masks) if folder.seen.few_valued]
    lone, taken = (
        list(pairs.lone_masks),
        {part.images.folder: part.masks.folder for part in parts if part.masks is not None},
    )
    for mask in masks:
        others = dict.fromkeys(path for path in (*unpaired, *taken, *pairs.left_out) if path != mask.path)
        images_and_affix = _images_of(looker, mask, [looker.folder(path) for path in others])
        if images_and_affix is None:
            if mask.seen.masks and mask.path not in lone:
                lone.append(mask.path)
                parts = [part for part in parts if part.images.folder != mask.path]
            continue
        images, affix = images_and_affix
        if images.path in taken:
            first = taken[images.path]
            raise RefusedInput(
                f"{root}: expected one folder of masks for {_named(images.path)}, found {_named(first)} and "
                f"{_named(mask.path)}, which looks like masks too. Move the others away"
            )
        part = _part(images, mask, affix)
        lone = [path for path in lone if path != mask.path]
        taken[images.path] = mask.path
        parts = [one for one in parts if one.images.folder not in {images.path, mask.path}] + [part]
    mask_paths = {folder.path for folder in masks}
    parts = [_within(looker, part) if part.images.folder in unpaired.keys() - mask_paths else part for part in parts]
    parts.sort(key=lambda part: part.images.folder)
    gone = {*taken.values(), *taken, *lone}
    passed_over = pairs.passed_over - sum(len(files[folder]) for folder in pairs.left_out if folder in gone)
    left_out = tuple(folder for folder in pairs.left_out if folder not in gone)
    return replace(pairs, parts=tuple(parts), lone_masks=tuple(lone), passed_over=passed_over, left_out=left_out)


def look_like_masks(root: Path, files: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Folders of which most files look like masks.

    Args:
        files: as in `find_pairs`.
    """
    looker = _Looker(root, files)
    return tuple(_named(path) for path in sorted(files) if files[path] and looker.folder(path).seen.masks)


class _Looker:
    """Looks at some files of each folder, at more where there are few folders."""

    def __init__(self, root: Path, files: Mapping[str, Sequence[str]]) -> None:
        self.root, self._files = root, files
        count = sum(bool(names) for names in files.values())
        self._most = max(_OF_EACH, min(_OF_A_FOLDER, _OF_ALL // max(1, count)))
        self.count = count
        self._folders: dict[str, _Folder] = {}

    def folder(self, path: str) -> _Folder:
        if path not in self._folders:
            names = self._files[path]
            seen = sample([self.file(path, name) for name in names], self._most)
            stems = {name: comparable(PurePosixPath(name).stem) for name in names}
            self._folders[path] = _Folder(path, stems, seen)
        return self._folders[path]

    def of_side(self, side: PairedFiles) -> Sample:
        """What the files of one side of a pair look like."""
        names = [name for name in self._files[side.folder] if side.match(name)]
        return sample([self.file(side.folder, name) for name in names], self._most)

    def file(self, folder: str, name: str) -> Path:
        return self.root / folder / name

    def masks(self, folder: str) -> list[str]:
        """The files that were looked at and look like masks."""
        paths = chosen([self.file(folder, name) for name in self._files[folder]], self._most)
        return [path.name for path in paths if look(path) is PixelLook.MASK]

    def same_sizes(self, images: _Folder, masks: _Folder, affix: Affix) -> bool:
        by_key = {affix.image_key(stem): name for name, stem in images.stems.items()}
        for name, stem in sorted(masks.stems.items())[:_SIZES]:
            image = self.file(images.path, by_key[affix.mask_key(stem)])
            if _size(image) != _size(self.file(masks.path, name)):
                return False
        return True


def _may_be_masks(folder: _Folder) -> bool:
    return folder.seen.few_valued or (folder.seen.black and len(folder.stems) > 1)


def _with_affix(looker: _Looker, part: PairedPart) -> PairedPart:
    """A pair of folders by their names, whose files may have something before or behind their stems."""
    if part.masks is None:
        return part
    _refuse_swapped(looker, part.images, part.masks)
    if part.masks.folder == part.images.folder:
        return part
    images, masks = looker.folder(part.images.folder), looker.folder(part.masks.folder)
    keys = {comparable(match["key"]) for match in map(part.masks.match, masks.stems) if match}
    if (keys | set(masks.stems.values())) & set(images.stems.values()):
        return part
    affix = affix_of(tuple(masks.stems.values()), tuple(images.stems.values()))
    return part if affix is None or _has_channels(images, affix) else _part(images, masks, affix)


def _refuse_swapped(looker: _Looker, images: PairedFiles, masks: PairedFiles) -> None:
    if looker.of_side(images).masks and looker.of_side(masks).frames:
        raise RefusedInput(
            f"{looker.root}: expected frames in {_named(images.folder)} and masks in {_named(masks.folder)}, "
            "by their names, found the reverse. Give them their right names"
        )


def _images_of(looker: _Looker, mask: _Folder, others: Sequence[_Folder]) -> tuple[_Folder, Affix] | None:
    """The folder of images that a folder of masks belongs to, and how the names go together; None where there is none.

    Raises:
        RefusedInput: where several could be it, or one nearly.
    """
    frames = [folder for folder in others if folder.stems and not _may_be_masks(folder)]
    stems = tuple(mask.stems.values())
    ranked: dict[int, list[tuple[_Folder, Affix]]] = defaultdict(list)
    nearly: dict[int, list[_Folder]] = defaultdict(list)
    for folder in frames:
        if not folder.seen.frames and not mask.seen.masks:
            continue
        affix, rank = affix_of(stems, tuple(folder.stems.values())), _rank(mask.path, folder.path)
        if affix is not None:
            ranked[rank].append((folder, affix))
        elif mask.seen.masks and 2 * shared(stems, tuple(folder.stems.values())) >= len(stems):
            nearly[rank].append(folder)
    if mask.seen.black:
        if looker.count == 2 and ranked:
            raise _doubt(looker, mask, [ranked[min(ranked)][0][0]], "all of them are black")
        return None
    if not ranked:
        if nearly:
            raise _doubt(looker, mask, nearly[min(nearly)], "not every one has the name of one image")
        return None
    fitting = ranked[min(ranked)]
    if not mask.seen.masks and not is_named_for_masks(mask.path):
        if len(fitting) == 1:
            raise _doubt(looker, mask, [fitting[0][0]], "most of them is not black")
        return None
    if len(fitting) > 1:
        raise _doubt(looker, mask, [folder for folder, _ in fitting], "they have the names of the images of each")
    folder, affix = fitting[0]
    if not looker.same_sizes(folder, mask, affix):
        raise _doubt(looker, mask, [folder], "their sizes differ")
    if not folder.seen.frames:
        raise _doubt(looker, mask, [folder], "those show nothing")
    if _has_channels(folder, affix):
        raise _doubt(looker, mask, [folder], "those are there in several channels (_0000, _0001)")
    return folder, affix


def _doubt(looker: _Looker, mask: _Folder, images: Sequence[_Folder], why: str) -> RefusedInput:
    listed = " or ".join(_named(folder.path) for folder in images)
    return RefusedInput(
        f"{looker.root}: found images in {listed} and what looks like their masks in {_named(mask.path)}, but {why}. "
        f"Put the images into images/ and their masks, with the same names, into masks/; {_WAY_OUT}"
    )


def _has_channels(images: _Folder, affix: Affix) -> bool:
    """Whether images have further channels beside those that masks belong to, as `x_0001` beside `x_0000`."""
    if not _CHANNEL.search(affix.image_end):
        return False
    stems = [stem for stem in images.stems.values() if _CHANNEL.search(stem)]
    return len({_CHANNEL.sub("", stem) for stem in stems}) < len(stems)


def _rank(mask: str, images: str) -> int:
    """How near two paths are: 0 where only the word for masks differs, 1 where one folder does, else 2."""
    one, other = (PurePosixPath(comparable(path)).parts for path in (mask, images))
    if [rest for rest in map(residue, one) if rest] == [rest for rest in map(residue, other) if rest]:
        return 0
    if len(one) == len(other):
        return 1 if sum(a != b for a, b in zip(one, other, strict=True)) == 1 else 2
    longer, shorter = sorted((one, other), key=len, reverse=True)
    inserted = any(longer[:at] + longer[at + 1 :] == shorter for at in range(len(longer)))
    return 1 if inserted else 2


def _part(images: _Folder, masks: _Folder, affix: Affix) -> PairedPart:
    image = rf"{_maybe(affix.image_start)}(?P<key>[^.].*?){_maybe(affix.image_end)}{IMAGE_SUFFIX}"
    mask = rf"{_maybe(affix.mask_start)}(?P<key>[^.].*?){_maybe(affix.mask_end)}{IMAGE_SUFFIX}"
    return PairedPart(
        PairedFiles(images.path, image), PairedFiles(masks.path, mask), split=split_of_folder(images.path)
    )


def _within(looker: _Looker, part: PairedPart) -> PairedPart:
    """A folder that holds both, told apart by what the masks' names have in front or behind, or by their suffix."""
    folder = looker.folder(part.images.folder)
    if not folder.seen.mixed:
        return part
    masks = looker.masks(folder.path)
    by_suffix = _by_suffix(looker, folder, part)
    if by_suffix is not None:
        return by_suffix
    stems = [folder.stems[name] for name in masks]
    rest = [stem for name, stem in folder.stems.items() if name not in masks]
    affix = affix_of(stems, rest)
    if affix is None or affix is SAME or not affix.marks_masks:
        if _OFTEN * len(masks) >= len(folder.seen.looks) or shared(stems, rest) == len(stems):
            raise RefusedInput(
                f"{looker.root / folder.path}: found frames and {counted(len(masks), 'file')} that look like masks in "
                "one folder, and their names do not say which belong together. Put the masks, with the names of their "
                f"images, into a folder masks/ beside images/; {_WAY_OUT}"
            )
        return part
    mask = rf"{re.escape(affix.mask_start)}(?P<key>[^.].*?){re.escape(affix.mask_end)}{IMAGE_SUFFIX}"
    no_mask = rf"{re.escape(affix.mask_start)}.+{re.escape(affix.mask_end)}\.[^.]*$"
    image = rf"(?!{no_mask}){_maybe(affix.image_start)}(?P<key>[^.].*?){_maybe(affix.image_end)}{IMAGE_SUFFIX}"
    return replace(part, images=PairedFiles(folder.path, image), masks=PairedFiles(folder.path, mask))


def _by_suffix(looker: _Looker, folder: _Folder, part: PairedPart) -> PairedPart | None:
    """Masks with the stems of images and a suffix of their own, as `a.png` beside `a.jpg`; None for anything else."""
    by_suffix: dict[str, list[str]] = defaultdict(list)
    for name in folder.stems:
        by_suffix[PurePosixPath(name).suffix.casefold()].append(name)
    if len(by_suffix) != 2:
        return None
    samples = {
        suffix: sample([looker.file(folder.path, name) for name in names], _OF_A_FOLDER)
        for suffix, names in by_suffix.items()
    }
    masks = [suffix for suffix, seen in samples.items() if seen.masks and PixelLook.FRAME not in seen.looks]
    if len(masks) != 1:
        return None
    images = next(suffix for suffix in samples if suffix != masks[0])
    wanted = [folder.stems[name] for name in by_suffix[masks[0]]]
    if not set(wanted) <= {folder.stems[name] for name in by_suffix[images]} or len(set(wanted)) < len(wanted):
        return None
    sides = [PairedFiles(folder.path, rf"(?P<key>[^.].*?){re.escape(suffix)}") for suffix in (images, masks[0])]
    return PairedPart(sides[0], sides[1], split=part.split)


def _maybe(affix: str) -> str:
    return f"(?:{re.escape(affix)})?" if affix else ""


def _size(path: Path) -> tuple[int, int] | None:
    try:
        with open_unpacked(path) as file, Image.open(file) as image:
            return image.size
    except (*DECODE_ERRORS, UnreadableImage, Image.DecompressionBombError):
        return None


def _named(path: str) -> str:
    return f"{path}/" if path else "the folder itself"
