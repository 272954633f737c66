"""The files of a tiny Sa2VA, in the layouts of the official tools."""

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from helpers.conversion.key_map import SAM2, inverse, restore_map

_BASE_PREFIXES = ("vision_model.", "language_model.", "mlp1.")


@dataclass(frozen=True)
class DemoCheckpoint:
    """Where the parts of a built checkpoint are."""

    folder: Path

    @property
    def checkpoint(self) -> Path:
        """The partial mmengine checkpoint."""
        return next((self.folder / "ckpt").glob("iter_*.pth"))

    @property
    def base(self) -> Path:
        """The InternVL folder."""
        return self.folder / "base" / "internvl_base"

    @property
    def sam2(self) -> Path:
        """The SAM 2.0 file."""
        return self.folder / "base" / "sam2_base.pt"

    @property
    def sam2_sizes(self) -> Path:
        """The JSON file of SAM2's sizes."""
        return self.folder / "sam2_sizes.json"


def official_tensors(native: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors of the native model under the official export's names."""
    return {
        name: torch.cat([native[piece.target].chunk(piece.parts)[piece.part] for piece in pieces])
        for name, pieces in restore_map(inverse(native)).items()
    }


def write_base(files: DemoCheckpoint, config: dict, official: Mapping[str, torch.Tensor], vocabulary: int) -> None:
    """The InternVL folder and the SAM2 file, in bfloat16; the base has no rows for Sa2VA's tokens."""
    _write_json(files.base / "config.json", config)
    base, sam2 = {}, OrderedDict()
    for name, tensor in official.items():
        if name.startswith(_BASE_PREFIXES):
            is_table = name.endswith(("embed_tokens.weight", "lm_head.weight"))
            base[name] = (tensor[:vocabulary] if is_table else tensor).bfloat16().contiguous()
        elif name.startswith(SAM2):
            stored = name.removeprefix(SAM2)
            if stored.endswith(".g_weight"):
                stored = f"{stored.removesuffix('g_weight')}gamma"
            sam2[stored] = tensor.bfloat16().clone()
    save_file(base, files.base / "model.safetensors", metadata={"format": "pt"})
    torch.save({"model": sam2}, files.sam2)


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
