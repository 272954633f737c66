"""Sa2VA fine-tuning JSON: a list of `{image, mask, text}`."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from helpers.core.errors import RefusedInput
from helpers.core.safe_json import read_json
from helpers.core.shown_text import counted
from helpers.data.cases import Fault, Reading, Record, Truth
from helpers.data.layouts.annotation import image_path, images_beside, polygon_truth, reading, record_name, split_of
from helpers.data.layouts.file_walk import UnsafePath
from helpers.data.truth.ground_truth import BrokenTruth, UnionTruth


def is_sa2va(value: Any) -> bool:
    """Whether a JSON value is of this kind."""
    return isinstance(value, list) and any(
        isinstance(item, dict) and {"image", "mask"} <= item.keys() for item in value
    )


def read_sa2va(root: Path, files: Sequence[Path]) -> Reading:
    """One record for each image; its truth is the union of its objects, over all its entries.

    Raises:
        RefusedInput: where a file is of another kind or no case remains.
    """
    entries: dict[str, list[tuple[Path, int, dict]]] = {}
    paths: dict[str, Path] = {}
    faults = []
    for file in files:
        value = read_json(file)
        if not is_sa2va(value):
            raise RefusedInput(
                f"{file}: expected a list of objects with 'image' and 'mask' (Sa2VA fine-tuning JSON), found another "
                "kind of JSON. Name its layout with --layout"
            )
        for number, item in enumerate(value):
            given = item.get("image") if isinstance(item, dict) else None
            try:
                path = image_path(root, file, given)
            except UnsafePath as error:
                faults.append(Fault(f"{file.name}[{number}]", f"image path: {error.reason}"))
                continue
            name = record_name(root, path)
            paths[name] = path
            entries.setdefault(name, []).append((file, number, item))
    records = [_record(root, name, paths[name], items) for name, items in entries.items()]
    merged = sum(len(items) > 1 for items in entries.values())
    notes = [f"{counted(merged, 'image')} with several entries, whose objects are united"] if merged else []
    bare = len(images_beside(records))
    if bare:
        notes.append(f"skipped: {counted(bare, 'image')} beside, in no annotation file")
    return reading("sa2va", records, source=files[0], notes=notes, faults=faults)


def _record(root: Path, name: str, path: Path, items: list[tuple[Path, int, dict]]) -> Record:
    splits = {split_of(file, root) for file, _, _ in items}
    if len(splits) > 1:
        truth: Truth = BrokenTruth("the image is named by the annotation files of several splits")
    else:
        parts = [polygon_truth(item.get("mask")) for _, _, item in items]
        truth = parts[0] if len(parts) == 1 else UnionTruth(tuple(parts))
    file, number, _ = items[0]
    return Record(
        name,
        path,
        truth=truth,
        split=splits.pop() if len(splits) == 1 else None,
        provenance={
            "annotation": record_name(root, file),
            "position": number,
            "texts": _texts(item.get("text") for _, _, item in items),
        },
    )


def _texts(values: Iterable[Any]) -> str | None:
    listed = [value if isinstance(value, list) else [value] for value in values]
    return "\n".join(text for texts in listed for text in texts if isinstance(text, str)) or None
