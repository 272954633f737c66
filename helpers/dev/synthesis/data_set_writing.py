"""Data sets of synthetic angiograms, in the layouts that the kit reads."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from helpers.core.atomic import partial_folder, write_json_atomic
from helpers.core.processes import parallel_map
from helpers.core.progress import Bar
from helpers.core.vocabulary import SynthGenerator, SynthLayout
from helpers.data.truth.shapes import encode, polygons
from helpers.dev.synthesis.sequence import SyntheticFrame, draw_frame
from helpers.dev.synthesis.sequence_parameters import GENERATORS, Split, split_of_patient

PROMPT = "Please segment the blood vessels in this X-ray angiogram."


@dataclass(frozen=True)
class Recipe:
    """What a data set is drawn from.

    Attributes:
        patients, sequences, frames: how many; sequences for each patient, frames for each sequence.
        seed: of all random draws.
        size: height and width, pixels.
        splits: only the patients of these are drawn.
        generator: how each frame is drawn.
    """

    patients: int
    sequences: int = 2
    frames: int = 8
    seed: int = 0
    size: int = 512
    splits: tuple[Split, ...] = tuple(Split)
    generator: SynthGenerator = SynthGenerator.FIRST

    @property
    def drawn(self) -> tuple[int, ...]:
        """Numbers of the patients that are drawn."""
        return tuple(number for number in range(1, self.patients + 1) if split_of_patient(number) in self.splits)


@dataclass(frozen=True)
class _Written:
    """What the annotations and the record need of a frame whose files are written."""

    frame_id: str
    split: Split
    annotation: Any
    traits: dict[str, bool]
    lesions: list[dict[str, Any]]


def write_dataset(recipe: Recipe, layout: SynthLayout, folder: Path, processes: int = 1) -> dict[str, Any]:
    """Write a data set, complete or not at all.

    Args:
        folder: new or empty.
    Returns:
        The record, which `synthesis.json` in the folder holds too.
    Raises:
        RefusedInput: where the folder is taken or cannot be written.
    """
    with partial_folder(folder) as partial_path:
        written = list(_frames(recipe, partial(_write_sequence, recipe, layout, partial_path), processes))
        if layout in _ANNOTATIONS:
            for split in Split:
                own = [frame for frame in written if frame.split is split]
                if own:
                    content = _ANNOTATIONS[layout](own, recipe.size)
                    write_json_atomic(partial_path / f"annotations_{split}.json", content)
        write_json_atomic(partial_path / "dataset.json", {"ids": "public", "layout": layout.value})
        record = _record(recipe, layout, written)
        write_json_atomic(partial_path / "synthesis.json", record)
    return record


def _frames(recipe: Recipe, write: Callable[[tuple[int, int]], list[_Written]], processes: int) -> Iterator[_Written]:
    places = [(p, s) for p in recipe.drawn for s in range(1, recipe.sequences + 1)]
    with Bar("synthesis", len(places) * recipe.frames, unit="frame") as bar:
        for done in parallel_map(write, places, processes):
            bar.update(len(done))
            yield from done


def _write_sequence(recipe: Recipe, layout: SynthLayout, root: Path, place: tuple[int, int]) -> list[_Written]:
    patient, sequence = place
    return [
        _write_frame(draw_frame(recipe.seed, patient, sequence, number, recipe.size, recipe.generator), layout, root)
        for number in range(1, recipe.frames + 1)
    ]


def _write_frame(frame: SyntheticFrame, layout: SynthLayout, root: Path) -> _Written:
    name = f"{frame.frame_id}.png"
    annotation: Any = None
    if layout is SynthLayout.PAIRED:
        _write_png(root / frame.split / "images" / name, frame.image)
        _write_png(root / frame.split / "masks" / name, frame.mask.astype(np.uint8) * 255)
    elif layout is SynthLayout.LABELME:
        _write_png(root / frame.split / name, frame.image)
        write_json_atomic(root / frame.split / f"{frame.frame_id}.json", _labelme(frame))
    else:
        _write_png(root / "images" / name, frame.image)
        annotation = encode(frame.mask) if layout is SynthLayout.COCO else polygons(frame.mask)
    traits = {
        "without_contrast": not frame.mask.any(),
        "catheter": frame.catheter,
        "wires": frame.wires,
        "stenosis": frame.stenosis,
        "occlusion": frame.occlusion,
        "subtracted": frame.subtracted,
    }
    return _Written(frame.frame_id, frame.split, annotation, traits, [lesion.row() for lesion in frame.lesions])


def _write_png(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    path.write_bytes(buffer.getvalue())


def _labelme(frame: SyntheticFrame) -> dict[str, Any]:
    return {
        "imagePath": f"{frame.frame_id}.png",
        "imageWidth": frame.image.shape[1],
        "imageHeight": frame.image.shape[0],
        "shapes": [
            {"label": "vessel", "shape_type": "polygon", "points": np.reshape(flat, (-1, 2)).tolist()}
            for flat in polygons(frame.mask)
        ],
    }


def _sa2va(frames: list[_Written], size: int) -> list[dict[str, Any]]:
    return [{"image": f"{f.frame_id}.png", "mask": f.annotation, "text": PROMPT} for f in frames]


def _coco(frames: list[_Written], size: int) -> dict[str, Any]:
    # An annotation for an empty mask as well: without any, a file would state no truth.
    numbered = list(enumerate(frames, 1))
    return {
        "images": [{"id": i, "file_name": f"{f.frame_id}.png", "width": size, "height": size} for i, f in numbered],
        "annotations": [{"id": i, "image_id": i, "category_id": 1, "segmentation": f.annotation} for i, f in numbered],
        "categories": [{"id": 1, "name": "vessel"}],
    }


_ANNOTATIONS: dict[SynthLayout, Callable[[list[_Written], int], Any]] = {
    SynthLayout.SA2VA: _sa2va,
    SynthLayout.COCO: _coco,
}


def _record(recipe: Recipe, layout: SynthLayout, written: list[_Written]) -> dict[str, Any]:
    patients = [split_of_patient(number) for number in recipe.drawn]
    generator = GENERATORS[recipe.generator]
    return {
        "format_version": 1,
        "synthetic": True,
        "recipe": {**vars(recipe), "splits": [split.value for split in recipe.splits], "layout": layout.value},
        "patients": {split.value: patients.count(split) for split in Split},
        "frames": {split.value: sum(frame.split is split for frame in written) for split in Split},
        "shares_of_frames": {
            trait: round(sum(frame.traits[trait] for frame in written) / len(written), 4) for trait in written[0].traits
        },
        "ranges": {
            name: {key: list(ends) for key, ends in ranges.items()}
            for name, ranges in (("train", generator.train), ("test", generator.held_out))
        },
        "shares_of_sequences": vars(generator.shares),
        "lesions": {frame.frame_id: frame.lesions for frame in written if frame.lesions},
    }
