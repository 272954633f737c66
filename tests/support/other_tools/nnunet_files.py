"""nnU-Net: its check of a raw data set, its readers, and the labels and dataset.json that it writes."""

import sys
from pathlib import Path

import numpy as np
from nnunetv2.dataset_conversion.generate_dataset_json import generate_dataset_json
from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity
from nnunetv2.imageio.natural_image_reader_writer import NaturalImage2DIO
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO


def main(folder: Path) -> None:
    verify_dataset_integrity(str(folder / "given"), num_processes=1)
    png, itk = NaturalImage2DIO(), SimpleITKIO()
    paths = sorted((folder / "given/labelsTr").glob("*.png"))
    np.savez(folder / "read.npz", **{path.stem: png.read_seg(str(path))[0][0, 0] == 1 for path in paths})
    masks = np.load(folder / "masks.npz")
    stated = {"sitk_stuff": {"spacing": (1, 1, 1), "origin": (0, 0, 0), "direction": (1, 0, 0, 0, 1, 0, 0, 0, 1)}}
    for ending, tool in ((".png", png), (".nii.gz", itk)):
        # As a prediction: beside the file in a folder of its own.
        target = folder / "theirs" / ending.split(".")[1]
        target.mkdir(parents=True)
        for name, mask in masks.items():
            tool.write_seg(mask[None].astype(np.uint8), str(target / f"{name}{ending}"), stated)
        generate_dataset_json(str(target), {0: "XA"}, {"background": 0, "vessel": 1}, len(masks), ending)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
