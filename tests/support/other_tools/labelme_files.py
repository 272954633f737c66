"""LabelMe: shapes of pixels by its writer and polygons drawn by its rasteriser."""

import sys
from pathlib import Path

import numpy as np
from labelme import utils
from labelme._label_file import read_label_file, write_label_file
from PIL import Image


def main(folder: Path) -> None:
    read = {}
    for path in sorted((folder / "given/labelme").glob("*.json")):
        label_file = read_label_file(str(path))
        size = utils.img_data_to_arr(label_file.image_data).shape[:2]
        labels = sorted({shape["label"] for shape in label_file.shapes})
        drawn, _ = utils.shapes_to_label(size, label_file.shapes, dict.fromkeys(labels, 1))
        read[path.stem] = drawn == 1
    np.savez(folder / "read.npz", **read)
    theirs = folder / "theirs"
    theirs.mkdir()
    for name, mask in np.load(folder / "masks.npz").items():
        height, width = mask.shape
        Image.fromarray(mask.astype(np.uint8)).save(theirs / f"{name}.png")
        halves = np.arange(width) < width // 2
        shapes = [shape_of(mask & side) for side in (halves, ~halves) if (mask & side).any()]
        write_label_file(
            str(theirs / f"{name}.json"),
            shapes=shapes,
            image_path=f"{name}.png",
            image_height=height,
            image_width=width,
        )


def shape_of(mask: np.ndarray) -> dict:
    """A shape of pixels as LabelMe's window saves it: its PNG holds 0 and 1."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    (top, bottom), (left, right) = rows[[0, -1]].tolist(), columns[[0, -1]].tolist()
    pixels = mask[top : bottom + 1, left : right + 1].astype(np.uint8)
    return {
        "label": "vessel",
        "points": [[float(left), float(top)], [float(right), float(bottom)]],
        "group_id": None,
        "description": "",
        "shape_type": "mask",
        "flags": {},
        "mask": utils.img_arr_to_b64(pixels),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
