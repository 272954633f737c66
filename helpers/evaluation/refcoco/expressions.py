"""Expressions of a data set: each one's words, its frame and its own ground truth."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from helpers.core.errors import RefusedInput
from helpers.core.progress import track
from helpers.core.safe_json import read_json
from helpers.data.cases import Case, Truth
from helpers.data.dataset import Dataset
from helpers.data.frames.frame import Frame
from helpers.data.frames.frame_source import read_frame
from helpers.data.layouts.annotation import image_path, polygon_truth
from helpers.data.layouts.coco import coco_truth, load_coco
from helpers.data.layouts.file_walk import UnsafePath
from helpers.data.layouts.refcoco_references import annotation_ids, sentences
from helpers.data.truth.truth_problem import texts


@dataclass(frozen=True)
class Expression:
    """One expression.

    Attributes:
        expression_id: its case id with its number among those of the frame, such as `P007-S02-F034-E03`.
        text: as the data set has it.
        truth: of what it refers to, rather than of all in the frame.
    """

    expression_id: str = field(repr=False)
    frame: Frame = field(repr=False)
    text: str = field(repr=False)
    truth: Truth = field(repr=False)


class Expressions(NamedTuple):
    """All expressions, in natural order of cases, and how many entries had to be skipped, by reason."""

    items: tuple[Expression, ...]
    left_out: Mapping[str, int]


class _Found(NamedTuple):
    case: Case
    text: str
    truth: Truth


_MISFIT = "entries whose numbers of texts and objects differ"


def read_expressions(dataset: Dataset) -> Expressions:
    """The expressions of an opened data set of layout `refcoco` or `sa2va`.

    Raises:
        RefusedInput: for another layout, or where there is no expression.
    """
    readers = {"refcoco": _refcoco, "sa2va": _sa2va}
    if dataset.layout not in readers:
        raise RefusedInput(
            f"{dataset.root}: expected references (refs.json with instances.json) or Sa2VA JSON with texts, found "
            f"layout {dataset.layout}, which has no expressions. Check --data_path and --layout"
        )
    left_out: dict[str, int] = defaultdict(int)
    if dataset.faults:
        left_out["entries that could not be read"] = len(dataset.faults)
    by_case: dict[str, list[_Found]] = {case.case_id: [] for case in dataset.cases}
    for entry in readers[dataset.layout](dataset, left_out):
        by_case[entry.case.case_id].append(entry)
    items = tuple(
        Expression(f"{case_id}-E{number:02d}", entry.case.frame, entry.text, entry.truth)
        for case_id, group in by_case.items()
        for number, entry in enumerate(group, start=1)
    )
    if not items:
        why = "".join(f"; {count} {reason}" for reason, count in left_out.items())
        raise RefusedInput(f"{dataset.root}: expected expressions, found none{why}. Check that entries have texts")
    return Expressions(items, dict(left_out))


def check_truths(expressions: Expressions) -> dict[str, tuple[int, int]]:
    """Width and height of each case's frame; every ground truth is checked against it.

    Raises:
        RefusedInput: where one cannot be drawn on its frame, or a frame cannot be read.
    """
    sizes: dict[str, tuple[int, int]] = {}
    problems = []
    for item in track(expressions.items, "checking", unit="expression"):
        if item.frame.case_id not in sizes:
            sizes[item.frame.case_id] = read_frame(item.frame.path, item.frame.index, item.frame.bits).size
        wrong = texts(item.truth.problems(*sizes[item.frame.case_id]))
        problems += [f"{item.expression_id}: {wrong[0]}"] if wrong else []
    if problems:
        raise RefusedInput(
            f"expected a ground truth of every expression that fits its frame, found {len(problems)} that do not, the "
            f"first {problems[0]}. Correct the annotations (`vesselkit data check` lists all)"
        )
    return sizes


def _refcoco(dataset: Dataset, left_out: dict[str, int]) -> Iterator[_Found]:
    """Every sentence of every reference; a reference to several annotations means their union."""
    by_image = {case.provenance["image_id"]: case for case in dataset.cases}
    for file in _annotation_files(dataset):
        coco = load_coco(file.with_name("instances.json"))
        located = {str(item.get("id")): (image_id, item) for image_id, items in coco.by_image.items() for item in items}
        for ref in read_json(file):
            wanted = annotation_ids(ref)
            # The reader has counted those that point nowhere, or into several images.
            if not wanted or not all(key in located for key in wanted) or len({located[key][0] for key in wanted}) > 1:
                continue
            image_id = located[wanted[0]][0]
            case = by_image.get(str(image_id))
            if case is None:  # of another split, or its image was refused
                continue
            truth = coco_truth([located[key][1] for key in wanted], coco.images.get(image_id, {}))
            texts = [text.strip() for text in sentences([ref])]
            if not any(texts):
                left_out["references without a sentence"] += 1
            yield from (_Found(case, text, truth) for text in texts if text)


def _sa2va(dataset: Dataset, left_out: dict[str, int]) -> Iterator[_Found]:
    """Every text with the object at its place; a single text means all objects of its entry."""
    by_path = {case.frame.path: case for case in dataset.cases}
    for file in _annotation_files(dataset):
        for item in read_json(file):
            path = _image_of(dataset.root, file, item)
            case = None if path is None else by_path.get(path)
            if case is None:
                continue
            given, objects = item.get("text"), item.get("mask")
            texts = [given] if isinstance(given, str) else given
            if not isinstance(texts, list) or not texts:
                left_out["entries without a text"] += 1
                continue
            parts = [objects] if len(texts) == 1 else objects
            if not isinstance(parts, list) or len(parts) != len(texts):
                left_out[_MISFIT] += 1
                continue
            for text, part in zip(texts, parts, strict=True):
                if isinstance(text, str) and text.strip():
                    yield _Found(case, text.strip(), polygon_truth(part))
                else:
                    left_out["objects without a text"] += 1


def _image_of(root: Path, file: Path, item: Any) -> Path | None:
    if not isinstance(item, dict):
        return None
    try:
        return image_path(root, file, item.get("image"))
    except UnsafePath:  # counted by the reader
        return None


def _annotation_files(dataset: Dataset) -> list[Path]:
    """The files that the cases came from, in the order of their names."""
    return sorted({dataset.root / str(case.provenance["annotation"]) for case in dataset.cases})
