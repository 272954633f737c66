"""dcmqi: Segmentation objects of single frames that have a place in space, from a stack that SimpleITK writes.

FOLDER/sources holds the frames, FOLDER/masks.npz a mask for each, in order of their names.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import SimpleITK

PROGRAM = Path(sys.executable).parent / "itkimage2segimage"
STRUCTURE = {"CodeValue": "91723000", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Anatomical Structure"}
VESSEL = {"CodeValue": "59820001", "CodingSchemeDesignator": "SCT", "CodeMeaning": "Blood vessel"}


def main(folder: Path) -> None:
    (folder / "theirs").mkdir()
    stack = np.stack(list(np.load(folder / "masks.npz").values())).astype(np.uint8)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(stack), str(folder / "stack.nii.gz"))
    segment = {
        "labelID": 1,
        "SegmentLabel": "vessel",
        "SegmentDescription": "vessel",
        "SegmentAlgorithmType": "MANUAL",
        "SegmentedPropertyCategoryCodeSequence": STRUCTURE,
        "SegmentedPropertyTypeCodeSequence": VESSEL,
    }
    facts = {"SeriesDescription": "x", "SeriesNumber": "1", "InstanceNumber": "1", "segmentAttributes": [[segment]]}
    (folder / "facts.json").write_text(json.dumps(facts))
    for name, words in (
        ("binary", ()),
        ("labelmap", ("--segmentationType", "labelmap")),
        ("deflated", ("--compress", "deflate")),
    ):
        call = [PROGRAM, "--inputImageList", folder / "stack.nii.gz", "--inputDICOMDirectory", folder / "sources"]
        call += ["--outputDICOM", folder / f"theirs/{name}.dcm", "--inputMetadata", folder / "facts.json", *words]
        subprocess.run(call, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
