"""The official implementation's recorded calls, as test data."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from helpers.checkpoints.convert import ConversionRequest, convert

IMAGE_CASES = (
    "img_a_seg1",
    "img_b_seg1",
    "img_b_seg2",
    "img_c_seg1",
    "img_a_desc",
    "text_only",
    "img_b_vp",
    "img_a_past",
)
VIDEO_CASES = ("video5", "video8")
CASES_WITH_MASKS = ("img_a_seg1", "img_b_seg1", "img_b_seg2", "img_c_seg1", "img_a_past")


@dataclass(frozen=True)
class GoldenCase:
    """One recorded call: `facts` from the manifest, `arrays` as stored (some strided, see the manifest)."""

    name: str
    facts: dict
    arrays: dict
    image: Image.Image | None
    mask_prompts: list | None

    def call(self) -> dict:
        """Arguments of predict_forward, but for the tokenizer."""
        return {
            "image": self.image,
            "text": self.facts["text"],
            "past_text": self.facts.get("past_text", ""),
            "mask_prompts": self.mask_prompts,
        }

    def mask(self, index: int) -> np.ndarray:
        """Recorded mask, (1, H, W) bool."""
        shape = self.facts["mask_shapes"][index]
        bits = np.unpackbits(self.arrays[f"mask_seg{index}"])
        return bits[: int(np.prod(shape))].reshape(shape).astype(bool)


@dataclass(frozen=True)
class GoldenVideo:
    """A recorded call on a sequence: `facts` from the manifest, `arrays` as stored."""

    facts: dict
    arrays: dict
    frames: list[Image.Image]

    def mask(self) -> np.ndarray:
        """Recorded mask of the only `[SEG]`, (n, H, W) bool."""
        shape = self.facts["mask_shapes"][0]
        return np.unpackbits(self.arrays["mask_seg0"])[: int(np.prod(shape))].reshape(shape).astype(bool)


def convert_golden(shared: Path, folder: Path) -> Path:
    """The recorded checkpoint with LoRA and its bases, converted in float32 to a new folder."""
    golden = shared / "golden/tiny_qwen2"
    bases = {"base": golden / "base/internvl_base", "sam2": golden / "base/sam2_base.pt"}
    sizes = str(golden / "sam2_dims.json")
    convert(ConversionRequest(golden / "ckpt_lora/iter_3672.pth", folder, sam2_config=sizes, dtype="float32", **bases))
    return folder


def load_video(shared: Path, name: str) -> GoldenVideo:
    """Read a case of `golden/tiny_qwen2` whose input is a sequence."""
    root = shared / "golden/tiny_qwen2"
    facts = json.loads((root / "manifest.json").read_text())["cases"][name]
    return GoldenVideo(facts, dict(np.load(root / facts["file"])), load_frames(shared, facts["mask_shapes"][0][0]))


def load_frames(shared: Path, count: int) -> list[Image.Image]:
    """The first frames of the golden sequence, at most 8."""
    root = shared / "golden/tiny_qwen2/inputs"
    return [Image.open(root / f"seq_{number:02d}.png") for number in range(count)]


def load_case(shared: Path, name: str) -> GoldenCase:
    """Read a case of `golden/tiny_qwen2`."""
    root = shared / "golden/tiny_qwen2"
    facts = json.loads((root / "manifest.json").read_text())["cases"][name]
    arrays = dict(np.load(root / facts["file"]))
    image = Image.open(root / facts["image"]) if facts["image"] else None
    regions = None
    if name == "img_b_vp":
        region = np.zeros((1, 320, 640), dtype=np.float32)
        region[:, 60:200, 100:400] = 1
        regions = [region]
    return GoldenCase(name, facts, arrays, image, regions)
