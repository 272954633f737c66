"""Files that the tests of annotation readers make up."""

import json
from pathlib import Path
from typing import Any

from PIL import Image

# A square of 2x2 pixels at (1, 1), and one at (4, 1): on a frame of 8x6.
SQUARE = [1, 1, 3, 1, 3, 3, 1, 3]
OTHER = [4, 1, 6, 1, 6, 3, 4, 3]
SIZE = (8, 6)


def frames(root: Path, *names: str) -> None:
    """Black frames of 8x6 pixels."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", SIZE).save(path)


def write(path: Path, value: Any) -> Path:
    """A JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def coco(images: list[dict], annotations: list[dict], categories: tuple[str, ...] = ("1",)) -> dict:
    """A COCO file of frames of 8x6 pixels."""
    return {
        "images": [{"width": 8, "height": 6, **image} for image in images],
        "annotations": [{"category_id": 1, "id": number, **item} for number, item in enumerate(annotations, 1)],
        "categories": [{"id": number, "name": name} for number, name in enumerate(categories, 1)],
    }
