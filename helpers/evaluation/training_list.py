"""Which cases of a data set a model was trained on: from a list, annotations, or the training config.

Files are matched by name. A config is read as text, never executed.
"""

import ast
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from helpers.data.dataset import Dataset
from helpers.data.safe_json import read_json
from helpers.errors import RefusedInput

_IMAGE_KEYS = ("image", "file_name", "image_path", "imagePath")


def training_cases(path: Path, dataset: Dataset) -> tuple[str, ...]:
    """Ids of the cases of `dataset` that a training list names.

    Args:
        path: a text file of one case id or image file a line; an annotation file (.json: LabelMe, COCO, RefCOCO or
            Sa2VA); or an mmengine config (.py), of which every annotation file that it names and that exists is read.
    Raises:
        RefusedInput: where the file cannot be read, or a config names no annotation file that is here.
    """
    path = Path(path)
    names = set(_names(path))
    if not names:
        raise RefusedInput(f"{path}: expected names of training images or case ids, found none. Give another file")
    found = []
    for case in dataset.cases:
        own = {case.case_id, case.frame.path.name, case.frame.path.stem}
        if own & names:
            found.append(case.case_id)
    return tuple(found)


def _names(path: Path) -> Iterator[str]:
    if path.suffix == ".json":
        for value in _images(read_json(path)):
            yield from _forms(value)
    elif path.suffix == ".py":
        for file in _annotation_files(path):
            yield from _names(file)
    else:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise RefusedInput(f"{path}: expected a text file, one name a line ({error})") from error
        for line in lines:
            if line.strip() and not line.startswith("#"):
                yield from _forms(line.strip())


def _forms(name: str) -> tuple[str, str]:
    """A file's name with its suffix and without, whatever folders stand before it."""
    file = PurePosixPath(name.replace("\\", "/"))
    return file.name, file.stem


def _images(value: Any) -> Iterator[str]:
    """Every image that a JSON value names, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in _IMAGE_KEYS and isinstance(inner, str):
                yield inner
            else:
                yield from _images(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _images(inner)


def _annotation_files(config: Path) -> list[Path]:
    try:
        tree = ast.parse(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, SyntaxError, ValueError) as error:
        raise RefusedInput(f"{config}: expected a training config in Python ({error})") from error
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    roots = [Path(text) for text in texts if "/" in text and not text.endswith(".json")]
    named = [text for text in texts if text.endswith(".json")]
    places = [base / text for text in named for base in (config.parent, Path.cwd(), *roots)]
    found = list(dict.fromkeys(place.resolve() for place in places if place.is_file()))
    if not found:
        listed = ", ".join(json.dumps(text) for text in named) or "none at all"
        raise RefusedInput(
            f"{config}: expected annotation files (.json) of its training data here, found {listed}. Give the "
            "annotation file itself, or a text file of the training images' names"
        )
    return found
