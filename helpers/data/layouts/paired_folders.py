"""Images and masks in files of their own: one reader for every row of the table of layouts."""

import os
from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted
from helpers.data.cases import Fault, Reading, Record, Truth
from helpers.data.frames.image_reading import IMAGE_SUFFIXES
from helpers.data.layouts.annotation import MAX_DEPTH, comparable, reading, record_name
from helpers.data.layouts.by_content import look_like_masks, paired_by_content
from helpers.data.layouts.file_walk import leads_inside, leads_upwards
from helpers.data.layouts.own_pairs import find_pairs, mask_like
from helpers.data.layouts.paired_table import PairedFiles, PairedLayout, PairedPart
from helpers.data.layouts.stem_numbers import shifted_numbers, zeros_text
from helpers.data.truth.ground_truth import BrokenTruth, MaskFileTruth

_LEADS_OUT = "a link leads out of the data set, and is not followed: copy the file in, or name the folder that holds it"
# Below this depth no links of folders are followed, so that links in circles come to an end.
_LINK_DEPTH = 3


@dataclass
class _Found:
    """What the parts of a layout gave."""

    records: list[Record] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    lacking: int = 0


class _Folders:
    """The folders below a root by their path, in whatever case where only one has it; links that lead out are left."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._paths: dict[str, Path] = {}
        by_lower: dict[str, list[Path]] = defaultdict(list)
        for folder, names, _ in os.walk(root, followlinks=True):
            relative = Path(folder).relative_to(root)
            self._paths[_text(relative)] = Path(folder)
            by_lower[_text(relative).casefold()].append(Path(folder))
            names[:] = [name for name in names if _is_entered(root, Path(folder, name), len(relative.parts))]
        self._by_lower = {path: folders[0] for path, folders in by_lower.items() if len(folders) == 1}

    def get(self, base: str, relative: str) -> Path | None:
        path = _text(Path(base, relative))
        return self._paths.get(path) or self._by_lower.get(path.casefold())

    def files(self, base: str, side: PairedFiles | None) -> list[Path]:
        folder = None if side is None else self.get(base, side.folder)
        if side is None or folder is None:
            return []
        return sorted(path for path in folder.iterdir() if side.match(path.name) and not path.is_dir())

    def images(self) -> dict[str, list[str]]:
        """Names of the visible image files in each folder."""
        return {
            folder: sorted(
                entry.name
                for entry in path.iterdir()
                if entry.suffix.lower() in IMAGE_SUFFIXES and not entry.name.startswith(".") and not entry.is_dir()
            )
            for folder, path in self._paths.items()
        }

    def shows(self, base: str, part: PairedPart) -> bool:
        """Whether a part has an image, and masks or what else tells it from anybody's images."""
        if not self.files(base, part.images):
            return False
        return bool(self.files(base, part.masks) or self.files(base, part.field_of_view))

    def base(self, layout: PairedLayout) -> str | None:
        """The folder of the layout, relative: the root, or a wrapper in it; None where it is in neither."""
        bases = ("", *layout.wrappers)
        return next((base for base in bases if any(self.shows(base, part) for part in layout.parts)), None)


def recognised(root: Path, layouts: Iterable[PairedLayout]) -> tuple[PairedLayout, ...]:
    """Those of the published layouts that may be taken unasked."""
    folders = _Folders(root)
    return tuple(layout for layout in layouts if _is_recognised(folders, layout))


def is_paired(root: Path) -> bool:
    """Whether a folder holds a user's own images and masks in pairs."""
    files = _Folders(root).images()
    return paired_by_content(root, files, find_pairs(files)).is_paired


def is_paired_by_name(root: Path) -> bool:
    """Whether names alone say so."""
    return find_pairs(_Folders(root).images()).is_paired


def masks_seen(root: Path) -> str | None:
    """What in a folder looks like masks by its name, else by its pixels, for a message; None where nothing does."""
    files = _Folders(root).images()
    folders, count = mask_like(files)
    if not folders and not count:
        return " and ".join(look_like_masks(root, files)[:4]) or None
    said = [f"the folder {name}/" for name in folders[:4]] + (
        [f"{counted(count, 'file')} named like masks"] if count else []
    )
    return " and ".join(said) or None


def _is_recognised(folders: _Folders, layout: PairedLayout) -> bool:
    base = folders.base(layout)
    if base is None:
        return False
    name = (base or folders.root.resolve().name).casefold()
    named = name in {wrapper.casefold() for wrapper in layout.wrappers}
    return not layout.marks or named or any(folders.get(base, mark) for mark in layout.marks)


def read_paired(root: Path, layout: PairedLayout) -> Reading:
    """One record for each image of a layout; the first reader's mask is its truth.

    An image without a mask has no truth, and is counted in the notes. A mask without an image is a fault. Two masks, or
    two images, under the same key make a `BrokenTruth`.

    Raises:
        RefusedInput: where the layout is not there, or the folders leave open which masks belong to which images.
    """
    folders = _Folders(root)
    notes = [layout.note] if layout.note else []
    found = _Found()
    if layout.parts:
        base = folders.base(layout)
        parts = layout.parts
    else:
        files = folders.images()
        named = find_pairs(files)
        _refuse_doubt(root, named.parts)
        pairs = paired_by_content(root, files, named)
        base = "" if pairs.is_paired else None
        parts = pairs.parts
        _refuse_doubt(root, parts)
        for folder in pairs.lone_masks:
            found.faults += [
                Fault(record_name(root, path), "a mask in a folder that belongs to no folder of images")
                for path in folders.files("", PairedFiles(folder, r"(?P<key>[^.].*)"))
            ]
        if pairs.passed_over:
            notes.append(f"skipped: {counted(pairs.passed_over, 'image file')} outside the folders of images and masks")
    if base is None:
        raise RefusedInput(
            f"{root}: expected layout {layout.name} ({layout.expected}), found no such folders. Check the path or "
            "--layout"
        )
    for part in parts:
        _read_part(folders, base, part, found)
    if found.lacking:
        notes.append(f"{counted(found.lacking, 'image')} without a mask")
    return reading(layout.name, found.records, source=root, public=layout.public, notes=notes, faults=found.faults)


def _refuse_doubt(root: Path, parts: Sequence[PairedPart]) -> None:
    """Refuse several folders of masks for one of images, and the reverse."""
    pairs = [(part.images.folder, part.masks.folder) for part in parts if part.masks]
    for one, other, kind in ((0, 1, "masks"), (1, 0, "images")):
        by_folder: dict[str, list[str]] = defaultdict(list)
        for pair in pairs:
            by_folder[pair[one]].append(pair[other])
        for folder, several in by_folder.items():
            if len(several) > 1:
                listed = " and ".join(f"{name or '.'}/" for name in several)
                raise RefusedInput(
                    f"{root}: expected one folder of {kind} for {folder or '.'}/, found {listed}. Move the others away"
                )


def _is_entered(root: Path, folder: Path, depth: int) -> bool:
    if folder.name.startswith(".") or depth >= MAX_DEPTH:
        return False
    if leads_upwards(folder):
        return False
    return not folder.is_symlink() if depth >= _LINK_DEPTH else leads_inside(root, folder)


def _text(path: Path) -> str:
    """A relative path with '/'; '' for the root itself."""
    return "" if path == Path() else path.as_posix()


def _read_part(folders: _Folders, base: str, part: PairedPart, found: _Found) -> None:
    root = folders.root
    images = _by_key(folders, base, part.images, found)
    masks = _by_key(folders, base, part.masks, found, images)
    seconds = _by_key(folders, base, part.second, found)
    for key, paths in images.items():
        given = masks.get(key, [])
        found.lacking += not given
        truth: Truth | None = None
        if len(paths) > 1:
            truth = BrokenTruth("several images have the same stem; their mask could be either's")
        elif len(given) > 1:
            truth = BrokenTruth("several masks have the stem of the image")
        elif given:
            truth = MaskFileTruth(given[0])
        provenance = {"annotation": record_name(root, given[0])} if len(given) == 1 else {}
        if len(seconds.get(key, ())) == 1:
            provenance["second_reader"] = record_name(root, seconds[key][0])
        for path in paths:
            matched = part.images.match(path.name)
            patient = None if matched is None else matched.groupdict().get("patient")
            record = Record(record_name(root, path), path, truth=truth, patient=patient, split=part.split)
            found.records.append(replace(record, provenance=provenance))
    lone = masks.keys() - images.keys()
    bare = [key for key in images if key not in masks]
    shifted = shifted_numbers(masks, images)
    if shifted is not None:
        raise RefusedInput(
            f"{root}: expected masks with the names of their images, found {len(shifted.masks)} of each that differ in "
            f"their numbers throughout, {shifted.masks[0]} to {shifted.masks[-1]} for masks and {shifted.images[0]} to "
            f"{shifted.images[-1]} for images: by name most masks would go to a neighbouring frame. Number both "
            "alike; where the numbers are right, remove the files without a partner"
        )
    for key in sorted(lone):
        said = zeros_text(key, bare)
        found.faults += [
            Fault(record_name(root, path), f"a mask without an image of its stem{said}") for path in masks[key]
        ]


def _by_key(
    folders: _Folders, base: str, side: PairedFiles | None, found: _Found, images: Container[str] = ()
) -> dict[str, list[Path]]:
    """Files of one side by their key, a plain file before its gzipped twin; what leads out of the root is a fault.

    A mask whose whole stem is that of an image belongs to it, whatever the stem ends in.
    """
    by_key: dict[str, list[Path]] = defaultdict(list)
    for path in folders.files(base, side):
        stem = comparable(path.stem)
        matched = None if side is None else side.match(path.name)
        if leads_inside(folders.root, path):
            by_key[stem if stem in images or matched is None else comparable(matched["key"])].append(path)
        else:
            found.faults.append(Fault(path.name, _LEADS_OUT))
    for paths in by_key.values():
        plain = {path.name for path in paths}
        paths[:] = [path for path in paths if path.suffix.lower() != ".gz" or path.stem not in plain]
    return by_key
