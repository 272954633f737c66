"""Common parts of the readers of annotation files: finding the image, reading polygons, building a reading."""

import os
import posixpath
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted
from helpers.data.cases import Fault, Reading, Record, Truth
from helpers.data.frames.image_reading import IMAGE_SUFFIXES, natural_key
from helpers.data.layouts.file_walk import UnsafePath, inside, leads_inside
from helpers.data.truth.ground_truth import BrokenTruth, PolygonTruth, Size

# Names of splits as folders and files have them.
SPLITS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}

# Of folders below the root that are searched.
MAX_DEPTH = 12


class BadPolygons(ValueError):
    """Polygons without numbers. Its text says why, without names."""


def image_path(root: Path, annotation: Path, given: Any) -> Path:
    """The image that an annotation file names.

    It is looked for beside the file, in `images/` beside it, in the folder above, in `images/` there, and in the data
    set's root, never outside the root; and in a folder of the file's subset there, as `images/train/` for
    `instances_train.json`. Where none exists, the first of these is the answer. Letters may be composed on one side and
    decomposed on the other.

    Raises:
        UnsafePath: where the path could lead out of the root, or could mean several files.
    """
    folder = annotation.parent
    bases = (folder, folder / "images", folder.parent, folder.parent / "images", root, root / "images")
    subset = annotation.stem.removeprefix("instances_")
    image = _first_there(root, bases, given)
    of_subset = _first_there(root, [base / subset for base in bases], given)
    if image and of_subset and not image.samefile(of_subset):
        raise UnsafePath(given, f"it is there twice, in a folder {subset} and outside")
    path = image or of_subset or bases[0] / inside(bases[0], given).relative_to(bases[0])
    if not leads_inside(root, path):
        raise UnsafePath(given, "a link leads out of the data set, or in a circle")
    return path


def _first_there(root: Path, bases: Iterable[Path], given: str) -> Path | None:
    """The first existing file of that name below one of the folders; None where there is none."""
    paths = (on_disk(base, inside(base, given).relative_to(base)) for base in bases if base.is_relative_to(root))
    return next((path for path in paths if path is not None), None)


def on_disk(base: Path, relative: Path) -> Path | None:
    """The file of a name below a folder, where letters may be composed otherwise; None where there is none.

    Raises:
        UnsafePath: where two files have that name, one composed and one decomposed.
    """
    if str(relative).isascii():
        return base / relative if (base / relative).is_file() else None
    path = base
    for part in relative.parts:
        names = _spellings(path).get(one_spelling(part), ())
        if len(names) > 1:
            raise UnsafePath(
                str(relative), "two files have this name, one with composed and one with decomposed letters"
            )
        if not names:
            return None
        path = path / names[0]
    return path if path.is_file() else None


def one_spelling(name: str) -> str:
    """A name with its letters composed, as names are compared."""
    return unicodedata.normalize("NFC", name)


def comparable(name: str) -> str:
    """A name in one spelling and without case, as names of images and masks are compared."""
    return one_spelling(name).casefold()


def _spellings(folder: Path) -> dict[str, tuple[str, ...]]:
    """Names in a folder by their one spelling."""
    try:
        return _listed(folder, folder.stat().st_mtime_ns)
    except OSError:
        return {}


@lru_cache(maxsize=64)
def _listed(folder: Path, changed: int) -> dict[str, tuple[str, ...]]:
    """As `_spellings`; `changed` is there so that a folder that was written to is listed again."""
    by_spelling: dict[str, tuple[str, ...]] = {}
    for name in sorted(os.listdir(folder)):
        by_spelling[one_spelling(name)] = (*by_spelling.get(one_spelling(name), ()), name)
    return by_spelling


def normalised(root: Path, folder: Path, given: Any) -> Any:
    """`given`, relative to `folder`, with `..` taken out as text where that stays in the root; else as it is."""
    if not isinstance(given, str) or ".." not in given:
        return given
    joined = posixpath.normpath(posixpath.join(folder.relative_to(root).as_posix(), given.replace("\\", "/")))
    return given if joined.startswith(("..", "/")) else joined


def record_name(root: Path, path: Path) -> str:
    """Name of a record: the path below the root, with '/'."""
    return path.relative_to(root).as_posix()


def polygons_of(value: Any) -> Iterator[tuple[float, ...]]:
    """Polygons out of lists nested in any of the usual ways: flat, a list of flat ones, points [x, y], lists of these.

    Raises:
        BadPolygons: where something else than numbers and lists is met.
    """
    if not isinstance(value, list):
        raise BadPolygons(f"expected polygons as lists of numbers, found {_kind(value)}")
    if value and not any(isinstance(part, list) for part in value):
        yield tuple(map(_number, value))
    elif _is_points(value):
        yield tuple(_number(coordinate) for point in value for coordinate in point)
    else:
        for part in value:
            yield from polygons_of(part)


def polygon_truth(value: Any, size: Size | None = None) -> Truth:
    """The truth of nested polygons; a `BrokenTruth` where they are none.

    In a list of lists of polygons each of these is an object; else all polygons are parts of one.
    """
    several = isinstance(value, list) and not _is_points(value) and any(map(_is_nested, value))
    return objects_truth(value if several else [value], size)


def objects_truth(values: Iterable[Any], size: Size | None = None) -> Truth:
    """As `polygon_truth`, of the nested polygons of each object."""
    polygons: list[tuple[float, ...]] = []
    objects: list[int] = []
    try:
        for number, value in enumerate(values):
            polygons += polygons_of(value)
            objects += [number] * (len(polygons) - len(objects))
    except BadPolygons as error:
        return BrokenTruth(str(error), size)
    return PolygonTruth(tuple(polygons), size, tuple(objects))


def stated_size(width: Any, height: Any) -> Size | None:
    """Width and height that a source states; None unless both are whole and positive."""
    sides = (width, height)
    if all(isinstance(side, int | float) and not isinstance(side, bool) and 0 < side < 1e6 for side in sides):
        return int(width), int(height)
    return None


def split_of(path: Path, root: Path) -> str | None:
    """The split that an annotation file's name or the folders between it and the root state."""
    stems = [path.stem, *reversed(path.relative_to(root).parts[:-1])]
    for stem in stems:
        for word in stem.casefold().replace("-", "_").split("_"):
            if word in SPLITS:
                return SPLITS[word]
    return None


def walk(root: Path, wanted: Callable[[str], bool], depth: int = MAX_DEPTH) -> list[Path]:
    """Files below the root whose name is wanted, in natural order; hidden ones and links that lead out are left out."""
    found = []
    for folder, folders, files in os.walk(root):
        level = len(Path(folder).relative_to(root).parts)
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if level < depth else []
        for name in files:
            path = Path(folder, name)
            if not name.startswith(".") and wanted(name) and leads_inside(root, path):
                found.append(path)
    return sorted(found, key=lambda path: natural_key(record_name(root, path)))


def images_beside(records: Iterable[Record]) -> list[Path]:
    """Image files in the folders of the records that no record names, hidden ones left out."""
    named = {record.path for record in records}
    return [
        path
        for folder in sorted({path.parent for path in named if path.parent.is_dir()})
        for path in sorted(folder.iterdir(), key=lambda path: natural_key(path.name))
        if path.suffix.lower() in IMAGE_SUFFIXES
        and path not in named
        and not path.name.startswith(".")
        and path.is_file()
        and leads_inside(folder, path)
    ]


def reading(
    layout: str,
    records: Iterable[Record],
    *,
    source: Path,
    public: bool = False,
    notes: Sequence[str] = (),
    faults: Sequence[Fault] = (),
) -> Reading:
    """A reading in natural order of names.

    Raises:
        RefusedInput: where there is no record at all, or none of the images exists.
    """
    ordered = tuple(sorted(records, key=lambda record: natural_key(record.name)))
    if not ordered:
        why = f"; refused entries: {len(faults)}, the first since: {faults[0].reason}" if faults else ""
        raise RefusedInput(f"{source}: expected cases of layout {layout}, found none{why}. Check the path or --layout")
    missing = sum(not record.path.is_file() for record in ordered)
    if missing == len(ordered):
        raise RefusedInput(
            f"{source}: expected the images that it names, found none of {missing}; the first looked for is "
            f"{ordered[0].path}. Put the images beside the annotation file or in images/{_prefix_text(ordered[0].path)}"
        )
    said = [*notes]
    if missing:
        said.append(f"{counted(missing, 'image')} named but missing")
    if faults:
        said.append(f"skipped, since they could not be read: {len(faults)} of the entries")
    return Reading(layout, ordered, public, tuple(said), tuple(faults))


def _prefix_text(path: Path) -> str:
    """What is to be said where the image is there without what an upload put before its name; '' where it is not."""
    folders = [folder for folder in (path.parent, path.parent / "images") if folder.is_dir()]
    names = (entry.name for folder in folders for entry in sorted(folder.iterdir()))
    found = next((name for name in names if path.name.endswith((f"-{name}", f"_{name}"))), None)
    return "" if found is None else f"; {found} is there: take off in the file what an upload put before the names"


def _is_points(value: list) -> bool:
    """Whether a list holds at least three points [x, y] rather than flat polygons, which have 6 numbers or more."""
    return len(value) >= 3 and all(
        isinstance(part, list) and len(part) == 2 and not any(isinstance(number, list) for number in part)
        for part in value
    )


def _is_nested(value: Any) -> bool:
    """Whether a value is a list of polygons rather than one polygon."""
    return isinstance(value, list) and any(isinstance(part, list) for part in value) and not _is_points(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadPolygons(f"expected numbers in a polygon, found {_kind(value)}")
    try:
        return float(value)
    except OverflowError as error:
        raise BadPolygons("a polygon holds a number that is too large") from error


def _kind(value: Any) -> str:
    return "nothing" if value is None else type(value).__name__
