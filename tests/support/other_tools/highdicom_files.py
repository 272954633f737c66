"""highdicom: Segmentation objects of single frames that have a place in space, in each of its types.

FOLDER/sources holds the frames, FOLDER/masks.npz a mask for each, in order of their names.
"""

import sys
from pathlib import Path

import highdicom
import numpy as np
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

VESSEL = highdicom.sr.CodedConcept("59820001", "SCT", "Blood vessel")
CATHETER = highdicom.sr.CodedConcept("19923001", "SCT", "Catheter")


def main(folder: Path) -> None:
    (folder / "theirs").mkdir()
    sources = [dcmread(path) for path in sorted((folder / "sources").iterdir())]
    vessel = np.stack(list(np.load(folder / "masks.npz").values()))
    catheter = np.zeros_like(vessel)
    catheter[:, 1:4] = True  # overlaps the vessel
    both = np.stack([catheter, vessel], axis=-1)
    soft = np.where(vessel, 0.8, 0.3)
    single = np.where(vessel, 2, catheter).astype(np.uint8)
    for name, pixels, kind, syntax, more in (
        ("binary", vessel, "BINARY", ExplicitVRLittleEndian, {}),
        ("two_segments", both, "BINARY", ExplicitVRLittleEndian, {}),
        ("reversed", vessel[::-1], "BINARY", ExplicitVRLittleEndian, {}),
        ("labelmap", single, "LABELMAP", ExplicitVRLittleEndian, {}),
        ("labelmap_rle", single, "LABELMAP", RLELossless, {}),
        ("probability", soft, "FRACTIONAL", ExplicitVRLittleEndian, {"max_fractional_value": 200}),
        ("probability_rle", soft, "FRACTIONAL", RLELossless, {}),
        ("occupancy", soft, "FRACTIONAL", ExplicitVRLittleEndian, {"fractional_type": "OCCUPANCY"}),
    ):
        several = name in ("two_segments", "labelmap", "labelmap_rle")
        segments = (
            [segment(1, "catheter", CATHETER), segment(2, "vessel", VESSEL)]
            if several
            else [segment(1, "vessel", VESSEL)]
        )
        written(sources[::-1] if name == "reversed" else sources, pixels, kind, segments, syntax, more).save_as(
            folder / f"theirs/{name}.dcm"
        )


def segment(number: int, label: str, kind: highdicom.sr.CodedConcept) -> highdicom.seg.SegmentDescription:
    return highdicom.seg.SegmentDescription(number, label, codes.SCT.AnatomicalStructure, kind, "MANUAL")


def written(sources: list[Dataset], pixels: np.ndarray, kind: str, segments: list, syntax: str, more: dict) -> Dataset:
    """An object; frames that no segment shows are left out, as highdicom does unless it is told otherwise."""
    return highdicom.seg.Segmentation(
        sources,
        pixels,
        kind,
        segments,
        highdicom.UID(),
        1,
        highdicom.UID(),
        1,
        "maker",
        "model",
        "1",
        "1",
        transfer_syntax_uid=syntax,
        **more,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
