"""Images and masks in files of their own: one reader for every row of the table of layouts."""

import os
from collections import defaultdict
from collections.abc import Container, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from helpers.data.readers.annotation import reading, record_name
from helpers.data.readers.layouts import Layout, Part, Side
from helpers.data.record import Fault, Reading, Record
from helpers.data.safe_path import leads_inside
from helpers.data.truth import AuditedTruth, BrokenTruth, MaskFileTruth
from helpers.errors import RefusedInput

_LINK = "a link leads out of the data set"


# Deepest folder of any layout, below the root: wrapper, split, kind.
_DEPTH = 3


@dataclass
class _Found:
    """What the parts of a layout gave."""

    records: list[Record] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    lacking: int = 0


class _Folders:
    """The folders below a root by their path in lower case.

    Those that differ in case alone are left out, and so are links that lead out of the root.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        found: dict[str, list[Path]] = defaultdict(list)
        for folder, names, _ in os.walk(root, followlinks=True):
            relative = Path(folder).relative_to(root)
            found[relative.as_posix().casefold()].append(Path(folder))
            wanted = [name for name in names if not name.startswith(".") and leads_inside(root, Path(folder, name))]
            names[:] = wanted if len(relative.parts) < _DEPTH else []
        self._by_path = {path: folders[0] for path, folders in found.items() if len(folders) == 1}

    def get(self, base: str, relative: str) -> Path | None:
        return self._by_path.get(Path(base, relative).as_posix().casefold())

    def files(self, base: str, side: Side) -> list[Path]:
        folder = self.get(base, side.folder)
        if folder is None:
            return []
        return sorted(path for path in folder.iterdir() if side.match(path.name) and not path.is_dir())

    def has(self, base: str, part: Part) -> bool:
        """Whether a part has an image and, unless its masks may lack, a mask."""
        if not self.files(base, part.images):
            return False
        return part.masks_may_lack or bool(self.files(base, part.masks))

    def base(self, layout: Layout) -> str | None:
        """The folder of the layout, relative: the root, or a wrapper in it; None where it is in neither."""
        bases = ("", *layout.wrappers)
        return next((base for base in bases if any(self.has(base, part) for part in layout.parts)), None)


def recognised(root: Path, layouts: Iterable[Layout]) -> tuple[Layout, ...]:
    """Those of the layouts that may be taken unasked."""
    folders = _Folders(root)
    return tuple(layout for layout in layouts if _is_recognised(folders, layout))


def _is_recognised(folders: _Folders, layout: Layout) -> bool:
    base = folders.base(layout)
    if base is None:
        return False
    name = (base or folders.root.resolve().name).casefold()
    named = name in {wrapper.casefold() for wrapper in layout.wrappers}
    return not layout.marks or named or any(folders.get(base, mark) for mark in layout.marks)


def read_paired(root: Path, layout: Layout) -> Reading:
    """One record for each image of a layout; the first reader's mask is its truth.

    An image without a mask has no truth, and is counted in the notes. A mask without an image is a fault. Two masks, or
    two images, under the same key make a `BrokenTruth`.

    Raises:
        RefusedInput: where the layout is not there, or images go with masks of two folders.
    """
    folders = _Folders(root)
    base = folders.base(layout)
    if base is None:
        raise RefusedInput(
            f"{root}: expected layout {layout.name} ({layout.expected}), found none such. Check the path or --layout"
        )
    parts = [part for part in layout.parts if folders.has(base, part)]
    sides = [part.images.folder for part in parts]
    for part in parts:
        if sides.count(part.images.folder) > 1:
            masks = " and ".join(
                f"{other.masks.folder}/" for other in parts if other.images.folder == part.images.folder
            )
            raise RefusedInput(
                f"{root}: expected one folder of masks for {part.images.folder}/, found {masks}. Move the others away"
            )
    found = _Found()
    for part in parts:
        _read_part(folders, base, part, found)
    notes = [layout.note] if layout.note else []
    if found.lacking:
        notes.append(f"{found.lacking} images have no mask")
    return reading(layout.name, found.records, source=root, public=layout.public, notes=notes, faults=found.faults)


def _read_part(folders: _Folders, base: str, part: Part, found: _Found) -> None:
    root = folders.root
    images = _by_key(folders, base, part.images, found)
    masks = _by_key(folders, base, part.masks, found, images)
    seconds = _by_key(folders, base, part.second, found) if part.second else {}
    for key, paths in images.items():
        given = masks.get(key, [])
        found.lacking += not given
        truth: AuditedTruth | None = None
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
            patient = part.images.match(path.name).groupdict().get("patient")
            record = Record(record_name(root, path), path, truth=truth, patient=patient, split=part.split)
            found.records.append(replace(record, provenance=provenance))
    for key in masks.keys() - images.keys():
        found.faults += [Fault(record_name(root, path), "a mask without an image of its stem") for path in masks[key]]


def _by_key(
    folders: _Folders, base: str, side: Side, found: _Found, images: Container[str] = ()
) -> dict[str, list[Path]]:
    """Files of one side by their key, a plain file before its gzipped twin; what leads out of the root is a fault.

    A mask whose whole stem is that of an image belongs to it, whatever the stem ends in.
    """
    by_key: dict[str, list[Path]] = defaultdict(list)
    for path in folders.files(base, side):
        stem = path.stem.casefold()
        if leads_inside(folders.root, path):
            by_key[stem if stem in images else side.match(path.name)["key"].casefold()].append(path)
        else:
            found.faults.append(Fault(path.name, "a link leads out of the data set"))
    for paths in by_key.values():
        plain = {path.name for path in paths}
        paths[:] = [path for path in paths if path.suffix.lower() != ".gz" or path.stem not in plain]
    return by_key
