"""Verdicts for other programs: a table, and the cases that are to be corrected as frames with their predictions."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from helpers.core.atomic import partial_folder, write_json_atomic, write_text_atomic
from helpers.core.shown_text import safe_text
from helpers.data.exchange.labelme_files import LABELME_VERSION
from helpers.data.frames.image_reading import natural_key
from helpers.data.truth.shapes import encode, polygons
from helpers.review.figures.panels import PredictedMask
from helpers.review.review_source import ReviewSource
from helpers.review.verdicts import Verdict, VerdictRecord

LABEL = "prediction to correct"
DESCRIPTION = "Predictions to be corrected, not ground truth."


@dataclass(frozen=True)
class ToCorrect:
    """A frame that a reviewer rejected or wants fixed.

    Attributes:
        name: of its picture, a file name.
        width, height: in pixels.
        mask: None where nothing was predicted.
        verdicts: what reviewers said, each once.
    """

    name: str
    width: int
    height: int
    mask: PredictedMask | None = field(repr=False)
    verdicts: Sequence[str]


def coco(frames: Iterable[ToCorrect]) -> dict[str, Any]:
    """All frames as one COCO object, their masks as run-length codes."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, frame in enumerate(frames, 1):
        size = {"width": frame.width, "height": frame.height}
        images.append({"id": number, "file_name": frame.name, **size, "verdicts": list(frame.verdicts)})
        if frame.mask is not None and frame.mask.mask.any():
            annotations.append(_annotation(frame.mask.mask, len(annotations) + 1, number))
    return {
        "info": {"description": DESCRIPTION},
        "images": images,
        "categories": [{"id": 1, "name": LABEL}],
        "annotations": annotations,
    }


def labelme(frame: ToCorrect, folder: str) -> dict[str, Any]:
    """One frame as a LabelMe object, with a polygon for each connected part of its mask.

    Args:
        folder: of the picture, as seen from that of the file, such as `../images`.
    """
    outlines = [] if frame.mask is None else polygons(frame.mask.mask)
    return {
        "version": LABELME_VERSION,
        "flags": dict.fromkeys(frame.verdicts, True),
        "shapes": [
            {
                "label": LABEL,
                "points": np.reshape(flat, (-1, 2)).tolist(),
                "group_id": None,
                "description": DESCRIPTION,
                "shape_type": "polygon",
                "flags": {},
            }
            for flat in outlines
        ],
        "imagePath": f"{folder}/{frame.name}",
        "imageData": None,
        "imageHeight": frame.height,
        "imageWidth": frame.width,
    }


def _annotation(mask: np.ndarray, number: int, image: int) -> dict[str, Any]:
    rows, columns = mask.any(axis=1).nonzero()[0], mask.any(axis=0).nonzero()[0]
    left, top = int(columns[0]), int(rows[0])
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "segmentation": encode(mask),
        "area": int(mask.sum()),
        "bbox": [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top],
        "iscrowd": 0,
    }


TABLE_NAME = "verdicts.csv"
LIST_NAME = "rejected.txt"
CORRECT_NAME = "to_correct"
_IMAGES, _LABELME = "images", "labelme"

_COLUMNS = (
    "case_id", "patient", "sequence", "frame", "status", "dice", "reviewer", "verdict", "reasons", "note", "threshold",
    "time",
)  # fmt: skip

Verdicts = Mapping[str, Mapping[str, VerdictRecord]]


def write_verdict_export(source: ReviewSource, verdicts: Verdicts, folder: Path) -> list[str]:
    """Write the verdicts that stand, and the frames to correct, into a new folder.

    `to_correct/images` is a data set by itself, under case ids, for `vesselkit predict --data`; `to_correct/coco.json`
    and the files of `to_correct/labelme` hold the predictions of these frames for a labelling tool. They are what a
    model said, never ground truth, and the files say so.

    Args:
        verdicts: as `helpers.review.verdicts.current` gives them.
    Returns:
        Ids of the cases to correct: those that a reviewer rejected or wants fixed.
    Raises:
        RefusedInput: where the folder holds something, or files of the run are damaged.
    """
    wanted = cases_with(verdicts, {Verdict.REJECT, Verdict.FIX})
    rejected = cases_with(verdicts, {Verdict.REJECT})
    source.require_whole(wanted)
    with partial_folder(folder) as partial:
        write_text_atomic(partial / TABLE_NAME, verdict_table(source, verdicts))
        write_text_atomic(partial / LIST_NAME, "".join(f"{case_id}\n" for case_id in rejected))
        if wanted:
            _write_frames(source, wanted, verdicts, partial / CORRECT_NAME)
    return wanted


def verdict_table(source: ReviewSource, verdicts: Verdicts) -> str:
    """CSV, one row for each reviewer and case. Texts that a spreadsheet would run as a formula get an apostrophe."""
    cases = {case.case_id: case for case in source.cases}
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for reviewer in sorted(verdicts):
        for case_id in sorted(verdicts[reviewer], key=natural_key):
            record, case = verdicts[reviewer][case_id], cases[case_id]
            row = (
                case_id, case.patient, case.sequence, case.frame, case.status, case.scores.get("dice"), reviewer,
                record.verdict.value, "; ".join(record.reasons), record.note, record.threshold, record.time,
            )  # fmt: skip
            writer.writerow([safe_text(value) if isinstance(value, str) else value for value in row])
    return buffer.getvalue()


def cases_with(verdicts: Verdicts, kinds: set[Verdict]) -> list[str]:
    """Ids of the cases that any reviewer gave one of these verdicts, in natural order."""
    case_ids = {case_id for given in verdicts.values() for case_id, record in given.items() if record.verdict in kinds}
    return sorted(case_ids, key=natural_key)


def _write_frames(source: ReviewSource, case_ids: list[str], verdicts: Verdicts, folder: Path) -> None:
    """The frames as PNG under their case ids, and the masks for labelling. What cannot be read is left out."""
    for name in (_IMAGES, _LABELME):
        (folder / name).mkdir(parents=True)
    write_json_atomic(folder / _IMAGES / "dataset.json", {"ids": "public", "layout": "images"})
    write_json_atomic(folder / "coco.json", coco(_written(source, case_ids, verdicts, folder)))


def _written(source: ReviewSource, case_ids: list[str], verdicts: Verdicts, folder: Path) -> Iterator[ToCorrect]:
    """Each frame once its picture and its LabelMe file are written."""
    for case_id in case_ids:
        view = source.view(case_id)
        if view.image is None:
            continue
        given = sorted({str(one[case_id].verdict) for one in verdicts.values() if case_id in one})
        frame = ToCorrect(f"{case_id}.png", view.width, view.height, view.predictions[0].mask, given)
        view.image.save(folder / _IMAGES / frame.name)
        write_json_atomic(folder / _LABELME / f"{case_id}.json", labelme(frame, f"../{_IMAGES}"))
        yield frame
