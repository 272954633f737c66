"""COCO annotations, polygons and run-length codes; and ARCADE, which is published so."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from helpers.core.errors import RefusedInput
from helpers.core.safe_json import read_json
from helpers.core.shown_text import counted
from helpers.data.cases import Fault, Reading, Record, Truth
from helpers.data.layouts.annotation import (
    image_path,
    images_beside,
    objects_truth,
    reading,
    record_name,
    split_of,
    stated_size,
)
from helpers.data.layouts.file_walk import UnsafePath
from helpers.data.truth.ground_truth import BrokenTruth, PolygonTruth, RleTruth, UnionTruth
from helpers.data.truth.shape_labels import LabelledTruth, label_of

# A lesion's outline is not a vessel's: it joins a mask only where lesions are asked for by name.
LESION = "stenosis"
_OF_RUN = {"case_id", "seg_index"}  # of an annotation in a run's own coco.json (docs/run-format.md)
_PREDICTED = (
    "these are masks that a run predicted (its coco.json), and no ground truth; `vesselkit import --into corrections` "
    "takes those that people corrected"
)


@dataclass(frozen=True)
class CocoFile:
    """The tables of one COCO file. Ids are compared as text: 2 and "2" are the same.

    Attributes:
        entries: the images with their ids, in the order of the file.
        by_image: annotations by the id of their image.
        repeated: ids that stand for several different images.
        faults: entries that belong nowhere.
    """

    path: Path
    entries: tuple[tuple[str, dict], ...] = field(repr=False)
    by_image: dict[str, list[dict]] = field(repr=False)
    categories: dict[str | None, str] = field(repr=False)
    repeated: frozenset[str] = field(repr=False)
    faults: tuple[Fault, ...] = field(repr=False)

    @property
    def images(self) -> dict[str, dict]:
        """The images by their ids, but for those whose id is not theirs alone."""
        return {key: image for key, image in self.entries if key not in self.repeated}

    @property
    def of_run(self) -> bool:
        """Whether it is a run's own `coco.json`, wherever it lies, which no other tool wrote."""
        return any(item.keys() >= _OF_RUN for items in self.by_image.values() for item in items)


def is_coco(value: Any) -> bool:
    """Whether a JSON value is of this kind."""
    return isinstance(value, dict) and all(isinstance(value.get(key), list) for key in ("images", "annotations"))


def load_coco(path: Path) -> CocoFile:
    """Read and index a COCO file. Raises `RefusedInput` where it is none."""
    return index_coco(path, read_json(path))


def index_coco(path: Path, value: Any) -> CocoFile:
    """As `load_coco`, of a JSON value that was read from `path`."""
    if not is_coco(value):
        raise RefusedInput(
            f"{path}: expected the lists 'images' and 'annotations' (COCO), found another kind of JSON. "
            "Name its layout with --layout"
        )
    faults: list[Fault] = []
    entries = []
    files: dict[str, set[str]] = defaultdict(set)
    for number, item in enumerate(value["images"]):
        key = _key(item.get("id")) if isinstance(item, dict) else None
        if key is None:
            faults.append(Fault(f"{path.name} images[{number}]", f"entry {number} of 'images' has no id"))
        else:
            entries.append((key, item))
            files[key].add(str(item.get("file_name")))
    by_image: dict[str, list[dict]] = defaultdict(list)
    for number, item in enumerate(value["annotations"]):
        key = _key(item.get("image_id")) if isinstance(item, dict) else None
        if key in files:
            by_image[key].append(item)
        else:
            reason = f"entry {number} of 'annotations' points to no image of the file"
            faults.append(Fault(f"{path.name} annotations[{number}]", reason))
    listed = value.get("categories")
    categories = {
        _key(item.get("id")): str(item.get("name"))
        for item in (listed if isinstance(listed, list) else ())
        if isinstance(item, dict)
    }
    repeated = frozenset(key for key, names in files.items() if len(names) > 1)
    return CocoFile(path, tuple(entries), dict(by_image), categories, repeated, tuple(faults))


def read_coco(
    root: Path,
    files: Sequence[Path],
    *,
    layout: str = "coco",
    public: bool = False,
    lesions: bool = False,
    labelled: bool = False,
) -> Reading:
    """One record for each image; its truth is the union of its annotations of every category.

    Annotations of the category `stenosis` are skipped and counted, unless `lesions`: then they alone count. In a
    file without any annotation the images have no truth; else an image without one has an empty mask. Masks that a run
    predicted are no truth.

    Args:
        labelled: whether the categories may be other things than vessels, and are kept apart.
    """
    records: dict[str, Record] = {}
    faults: list[Fault] = []
    passed_over = empty = 0
    for file in files:
        coco = load_coco(file)
        of_run = coco.of_run
        faults += coco.faults
        for image_id, image in coco.entries:
            try:
                path = image_path(root, file, image.get("file_name"))
            except UnsafePath as error:
                faults.append(Fault(f"{file.name}[image {image_id}]", f"image path: {error.reason}"))
                continue
            name = record_name(root, path)
            if name in records:
                faults.append(Fault(f"{file.name}[image {image_id}]", "another entry names the same image"))
                continue
            given = coco.by_image.get(image_id, [])
            kept = [item for item in given if (_category(coco, item) == LESION) is lesions]
            if not labelled:  # else they are labels like others, and the labels are told
                passed_over += len(given) - len(kept)
            empty += bool(coco.by_image) and not (given if labelled else kept)
            truth = coco_truth(kept, image) if coco.by_image else None
            if of_run:
                truth = BrokenTruth(_PREDICTED)
            if image_id in coco.repeated:
                truth = BrokenTruth("several images of the file have the same id; its annotations could be any's")
            annotation = record_name(root, file)
            provenance: dict[str, str | int | float | None] = {
                "annotation": annotation,
                "image_id": image_id,
                "objects": len(kept),
            }
            record = Record(name, path, truth=truth, split=split_of(file, root), provenance=provenance)
            if labelled and truth is not None and not isinstance(truth, BrokenTruth):
                record = replace(record, labelled=_labelled(coco, given, image))
            records[name] = record
    notes = []
    if passed_over:
        notes.append(f"skipped: {counted(passed_over, 'annotation')} of {'vessels' if lesions else 'lesions'}")
    if empty:
        notes.append(f"{counted(empty, 'image')} without an annotation, whose mask is empty")
    bare = len(images_beside(records.values()))
    if bare:
        notes.append(f"skipped: {counted(bare, 'image')} beside, in no annotation file")
    return reading(layout, records.values(), source=files[0], public=public, notes=notes, faults=faults)


def coco_truth(items: Iterable[dict], image: dict) -> Truth:
    """The union of COCO annotations of one image."""
    size = stated_size(image.get("width"), image.get("height"))
    parts: list[Truth] = []
    codes = []
    polygons: list[Any] = []
    for item in items:
        shape = item.get("segmentation")
        if isinstance(shape, dict):
            codes.append(shape)
        elif isinstance(shape, list) and shape:  # an empty list is what box detectors leave there
            polygons.append(shape)
        else:
            parts.append(BrokenTruth("an annotation has no segmentation", size))
    if codes:
        parts.append(RleTruth(tuple(codes)))
    if polygons:
        parts.append(objects_truth(polygons, size))
    if not parts:
        return PolygonTruth((), size)
    return parts[0] if len(parts) == 1 else UnionTruth(tuple(parts))


_ARCADE_PREFIXES = ("", "arcade/", "arcade_challenge_datasets/")
_ARCADE = {
    False: (
        "syntax/*/annotations/*.json",
        "dataset_phase_1/segmentation_dataset/seg_*/annotations/*.json",
        "dataset_final_phase/test_case_segmentation/annotations/*.json",
    ),
    True: (
        "stenosis/*/annotations/*.json",
        "dataset_phase_1/stenosis_dataset/sten_*/annotations/*.json",
        "dataset_final_phase/test_cases_stenosis/annotations/*.json",
    ),
}


def arcade_files(root: Path, lesions: bool = False) -> tuple[Path, ...]:
    """Annotation files of ARCADE's vessel task, or of its lesion task, in both published folder layouts."""
    return tuple(
        path
        for prefix in _ARCADE_PREFIXES
        for pattern in _ARCADE[lesions]
        for path in sorted(root.glob(prefix + pattern))
    )


def is_arcade_lesions(file: Path) -> bool:
    """Whether an annotation file lies where ARCADE's lesion task has its own, in whatever folder above."""
    return any(file.match(pattern) for pattern in _ARCADE[True])


def is_arcade_vessels(file: Path) -> bool:
    """Whether an annotation file lies where ARCADE's vessel task has its own: all its categories are vessels."""
    return any(file.match(pattern) for pattern in _ARCADE[False])


def read_arcade(root: Path, lesions: bool = False) -> Reading:
    """ARCADE: vessels from `syntax`; lesions only where they are asked for by name."""
    layout = "arcade_stenosis" if lesions else "arcade"
    files = arcade_files(root, lesions)
    if not files:
        raise RefusedInput(
            f"{root}: expected ARCADE's {' or '.join(_ARCADE[lesions])}, found none. Name the folder that holds "
            f"{'stenosis' if lesions else 'syntax'}/"
        )
    return read_coco(root, files, layout=layout, public=True, lesions=lesions)


def _labelled(coco: CocoFile, items: Sequence[dict], image: dict) -> LabelledTruth:
    """The annotations of one image under their categories."""
    by_label: dict[str, list[dict]] = defaultdict(list)
    for item in items:
        by_label[label_of(coco.categories.get(_key(item.get("category_id"))))].append(item)
    parts = tuple((label, coco_truth([item], image)) for label, group in by_label.items() for item in group)
    lesions = frozenset(label for label in by_label if label.casefold() == LESION)
    size = stated_size(image.get("width"), image.get("height"))
    return LabelledTruth(parts, in_order=False, size=size, lesions=lesions)


def _category(coco: CocoFile, item: dict) -> str:
    return coco.categories.get(_key(item.get("category_id")), "").casefold()


def _key(value: Any) -> str | None:
    """An id as text; None for what is neither a whole number nor text."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None
