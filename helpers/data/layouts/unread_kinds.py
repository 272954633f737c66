"""Annotation files of kinds that are not read, told by their content, so that none is skipped without a word."""

import io
import json
import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from helpers.core.errors import RefusedInput
from helpers.core.safe_json import read_json
from helpers.data.frames.image_reading import IMAGE_SUFFIXES
from helpers.data.frames.video_file import VIDEO_SUFFIXES
from helpers.data.layouts.annotation import MAX_DEPTH, walk
from helpers.data.layouts.mask_looks import chosen
from helpers.data.rules import LOOKS_BESIDE, LOOKS_LOCK_BESIDE

# Of a file that is no JSON.
_HEAD = 65_536
_MOST_JSON = 16_000_000
# Of a folder's files with one suffix, looked at before the others are taken for the same.
_LOOKED_AT = 8
_LINES = 50

_MAGIC = (
    (b"\x93NUMPY", "NumPy arrays (npy)"),
    (b"NRRD", "NRRD volumes"),
    (b"MATLAB ", "MATLAB files"),
    (b"\x89HDF\r\n\x1a\n", "HDF5 files"),
    (b"Iout", "ImageJ ROIs"),
    (b"ObjectType", "MetaImage volumes"),
    (b"PAR1", "Parquet tables"),
)
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_NIFTI = (b"n+1\x00", b"ni1\x00", b"n+2\x00")
_GZIP = b"\x1f\x8b"
_NUMBER = r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_YOLO = re.compile(rf"\d+(?:\s+{_NUMBER}){{4,}}\s*")
_RLE_COLUMNS = re.compile(r"\b(?:encoded_?pixels|rle|rle_mask|segmentation_rle)\b", re.IGNORECASE)
_BOXES = frozenset({"xmin", "ymin", "xmax", "ymax"})


def unread_annotations(root: Path) -> dict[str, int]:
    """Kinds of annotation files below a folder that no reader reads, and how many there are of each.

    Images, videos, DICOM files and JSON of the kinds that are read do not count. Where the first few files of a folder
    and suffix are of one kind, so are the others.
    """
    groups: dict[tuple[Path, str], list[Path]] = defaultdict(list)
    for path in walk(root, _may_annotate, MAX_DEPTH):
        groups[path.parent, path.suffix.lower()].append(path)
    counts: Counter[str | None] = Counter()
    for paths in groups.values():
        first = chosen(paths, _LOOKED_AT)
        kinds = {kind_of(path) for path in first}
        if len(kinds) == 1:
            counts[kinds.pop()] += len(paths)
        else:
            counts.update(map(kind_of, paths))
    return {kind: count for kind, count in sorted(counts.items(), key=lambda one: str(one[0])) if kind is not None}


def _may_annotate(name: str) -> bool:
    ours = name.endswith((LOOKS_BESIDE, LOOKS_LOCK_BESIDE))
    return not ours and Path(name).suffix.lower() not in IMAGE_SUFFIXES | VIDEO_SUFFIXES


def kind_of(path: Path) -> str | None:
    """The kind of an annotation file that is not read, for people; None for any other file."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            head = file.read(_HEAD)
            size = file.seek(0, io.SEEK_END)
    except OSError:
        return None
    if head[128:132] == b"DICM":
        return None
    return _of_bytes(path, head) or _of_text(path, head, size)


def _of_bytes(path: Path, head: bytes) -> str | None:
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[344:348] in _NIFTI or head[4:8] in _NIFTI or (head.startswith(_GZIP) and ".nii" in path.name.lower()):
        return "NIfTI volumes"
    if _PICKLE.match(head) and (b"." in head[-1:] or len(head) == _HEAD):
        return "pickles, which are never loaded since they can run programs"
    if head.startswith(b"PK\x03\x04"):
        return _of_archive(path)
    return None


def _of_archive(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            suffixes = {Path(name).suffix.lower() for name in archive.namelist()[:1000]}
    except (zipfile.BadZipFile, OSError, ValueError):
        return None
    if suffixes == {".npy"}:
        return "NumPy arrays (npz)"
    if ".roi" in suffixes:
        return "ImageJ ROIs"
    return "archives (zip)" if suffixes & {*IMAGE_SUFFIXES, ".json", ".xml", ".txt", ".dcm"} else None


def _of_text(path: Path, head: bytes, size: int) -> str | None:
    try:
        text = head.decode("utf-8-sig", "strict" if len(head) < _HEAD else "ignore")
    except UnicodeDecodeError:
        return None
    start = text.lstrip()
    if start.startswith("<"):
        return _of_xml(start)
    if start.startswith(("{", "[")):
        return _of_json(path, start, size)
    lines = [line for line in text.splitlines()[:_LINES] if line.strip()]
    if not lines:
        return None
    if all(_YOLO.fullmatch(line.strip()) for line in lines[: -1 if len(head) == _HEAD else None]):
        return "YOLO labels (txt)"
    columns = {column.strip().strip('"').casefold() for column in re.split(r"[,;\t]", lines[0])}
    if "region_shape_attributes" in columns:
        return "VIA annotations (CSV)"
    if _RLE_COLUMNS.search(lines[0]) and len(columns) > 1:
        return "run-length codes in a CSV"
    if columns >= _BOXES:
        return "boxes in a CSV"
    return None


def _of_xml(text: str) -> str | None:
    tags = re.findall(r"<([A-Za-z_][\w:.-]*)", text)
    root = tags[0].casefold() if tags else ""
    if root == "svg":
        return "SVG drawings"
    if root == "annotations" and "image" in tags or "track" in tags:
        return "CVAT annotations (XML)"
    if root == "annotation" and {"filename", "object"} & set(tags):
        return "Pascal VOC boxes (XML)"
    return "annotations in XML" if root.startswith(("annotation", "asap")) else None


def _of_json(path: Path, text: str, size: int) -> str | None:
    first, _, rest = text.partition("\n")
    if rest.lstrip().startswith("{") and _is_json_object(first):
        return "JSON lines (jsonl)"
    if size > _MOST_JSON:
        return None
    try:
        value = read_json(path)
    except RefusedInput:  # told where annotations are read
        return None
    return next((kind for kind, fits in _JSON.items() if fits(value)), None)


def _is_json_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _first(value: Any) -> dict:
    """The first object of a list; empty where it is none."""
    return value[0] if isinstance(value, list) and value and isinstance(value[0], dict) else {}


def _is_label_studio(value: Any) -> bool:
    item = value if isinstance(value, dict) else _first(value)
    results = item.get("annotations", item.get("completions"))
    nested = "result" in _first(results) or ("data" in item and isinstance(results, list))
    return nested or ("result" in item and "task" in item)


def _is_via(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    if "_via_img_metadata" in value or "_via_settings" in value:
        return True
    return any(isinstance(item, dict) and {"filename", "regions"} <= item.keys() for item in list(value.values())[:20])


def _is_supervisely(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    size = value.get("size")
    return isinstance(value.get("objects"), list) and isinstance(size, dict) and {"height", "width"} <= size.keys()


def _is_datumaro(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("items"), list) and "categories" in value


def _is_geojson(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") == "FeatureCollection" or "geometry" in _first(value)


def _is_coco_results(value: Any) -> bool:
    keys = _first(value).keys()
    return {"image_id", "category_id"} <= keys or {"segmentation", "category_id"} <= keys


def _is_create_ml(value: Any) -> bool:
    item = _first(value)
    return "image" in item and "mask" not in item and "coordinates" in _first(item.get("annotations"))


_JSON: dict[str, Callable[[Any], bool]] = {
    "Label Studio annotations (JSON)": _is_label_studio,
    "VIA annotations (JSON)": _is_via,
    "Supervisely annotations (JSON)": _is_supervisely,
    "Datumaro annotations (JSON)": _is_datumaro,
    "GeoJSON shapes": _is_geojson,
    "COCO results (JSON)": _is_coco_results,
    "CreateML annotations (JSON)": _is_create_ml,
}
