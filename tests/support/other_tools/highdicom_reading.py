"""highdicom: the frames of the kit's segmentation of FOLDER/cine.dcm, by the frames that they refer to."""

import sys
from pathlib import Path

import highdicom
import numpy as np
from pydicom import dcmread


def main(folder: Path) -> None:
    (path,) = (folder / "given/segmentations").iterdir()
    source = dcmread(folder / "cine.dcm", stop_before_pixels=True)
    frames = list(range(1, source.NumberOfFrames + 1))
    segmentation = highdicom.seg.segread(path)
    masks = segmentation.get_pixels_by_source_frame(source.SOPInstanceUID, frames, combine_segments=True)
    np.save(folder / "read_by_frame.npy", masks)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
