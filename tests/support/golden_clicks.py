"""What official SAM 2.0 gave for clicks, boxes and mask prompts, as test data."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from helpers.checkpoints.convert.key_map import SAM2, canonical_name, places
from helpers.model.image_mode import to_rgb
from helpers.model.sam2_sizes import Sam2Sizes
from helpers.prediction.engine.sam2_part import Sam2Part, build_sam2

_TOKENS = 4


@dataclass(frozen=True)
class GoldenClicks:
    """The recorded cases: `facts` of the manifest, `arrays` as stored."""

    root: Path
    facts: Mapping

    @classmethod
    def open(cls, shared: Path) -> "GoldenClicks":
        root = shared / "golden/tiny_sam2_clicks"
        return cls(root, json.loads((root / "manifest.json").read_text()))

    def image(self, name: str) -> Image.Image:
        return to_rgb(Image.open(self.root / self.facts["images"][name]["file"]))

    def arrays(self, case: str) -> Mapping[str, np.ndarray]:
        return dict(np.load(self.root / "cases" / f"{case}.npz"))

    def masks(self, case: str, entry: str, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        """Recorded masks of the objects and the four tokens, bool (B, 4, H, W)."""
        shape = self.facts["cases"][case]["mask_shape"]
        bits = np.unpackbits(arrays[f"{entry}.masks"])
        return bits[: int(np.prod(shape))].reshape(shape).astype(bool)


def golden_sam2(shared: Path) -> Sam2Part:
    """The base SAM2 that the recorded cases were made with."""
    root = shared / "golden/tiny_qwen2"
    sizes = Sam2Sizes.from_dict(json.loads((root / "sam2_dims.json").read_text()))
    stored = torch.load(root / "base/sam2_base.pt", weights_only=True)["model"]
    pieces: dict[str, dict[int, torch.Tensor]] = {}
    for name, tensor in stored.items():
        for place in places(str(canonical_name(SAM2 + name))):
            pieces.setdefault(place.target.removeprefix("sam2."), {})[place.position] = tensor
    tensors = {name: torch.cat([found[at] for at in sorted(found)]) for name, found in pieces.items()}
    return Sam2Part(build_sam2(sizes, tensors), "bf16_rounded", {"folder_name": "golden"})
