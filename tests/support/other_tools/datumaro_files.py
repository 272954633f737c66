"""Datumaro, which CVAT reads and writes COCO with: masks as run-length codes, and as polygons where it says so."""

import sys
from pathlib import Path

import datumaro
import numpy as np
from datumaro.components.annotation import AnnotationType, Mask
from datumaro.components.media import Image


def main(folder: Path) -> None:
    read = {}
    for item in datumaro.Dataset.import_from(str(folder / "given"), "coco_instances"):
        masks = [one.image for one in item.annotations if one.type is AnnotationType.mask]
        read[item.id] = np.any([np.zeros(item.media.size), *masks], axis=0)
    np.savez(folder / "read.npz", **read)
    items = []
    for name, mask in np.load(folder / "masks.npz").items():
        halves = np.arange(mask.shape[1]) < mask.shape[1] // 2
        parts = [mask & side for side in (halves, ~halves)]
        masks = [Mask(part, label=0, group=place, id=place) for place, part in enumerate(parts, 1) if part.any()]
        grey = np.zeros((*mask.shape, 3), np.uint8)
        items.append(datumaro.DatasetItem(name, media=Image.from_numpy(grey), annotations=masks))
    dataset = datumaro.Dataset.from_iterable(items, categories=["vessel"])
    dataset.export(str(folder / "theirs"), "coco_instances", save_media=False, segmentation_mode="mask")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
