"""Copies of the tiny fixture's files that a test may damage."""

import copy
import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from helpers.checkpoints.convert import ConversionRequest

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
_READ: dict[bytes, Any] = {}
_MOST_READ = 12


@dataclass(frozen=True)
class TinySources:
    """A checkpoint with its bases, in a folder of their own."""

    checkpoint: Path
    base: Path
    sam2: Path
    sizes: Path

    def request(self, output: Path, **changes) -> ConversionRequest:
        """The conversion of these files, in float32 unless changed."""
        request = ConversionRequest(
            checkpoint=self.checkpoint,
            output=output,
            base=self.base,
            sam2=self.sam2,
            sam2_config=str(self.sizes),
            dtype="float32",
        )
        return replace(request, **changes)

    def edit_checkpoint(self, change) -> None:
        """Load the checkpoint as plain tensors and text, let `change` edit the whole dict, and write it back."""
        content = self.content()
        change(content)
        torch.save(content, self.checkpoint)

    def content(self) -> dict:
        """The checkpoint's meta and state dict; the log history is left out."""
        stored = _read_once(self.checkpoint, _checkpoint)
        return {"meta": copy.deepcopy(stored["meta"]), "state_dict": _cloned(stored["state_dict"])}

    def sam2_state(self) -> dict[str, torch.Tensor]:
        """The SAM2 file's tensors."""
        return _cloned(_read_once(self.sam2, lambda path: torch.load(path, weights_only=True)["model"]))

    def edit_base(self, change) -> None:
        """Let `change` edit the base's tensors."""
        path = self.base / "model.safetensors"
        tensors = {name: tensor.clone() for name, tensor in load_file(path).items()}
        change(tensors)
        save_file(tensors, path, metadata={"format": "pt"})

    def edit_base_config(self, change) -> None:
        """Let `change` edit the base's config.json."""
        path = self.base / "config.json"
        config = json.loads(path.read_text())
        change(config)
        path.write_text(json.dumps(config))

    def edit_sam2(self, change) -> None:
        """Let `change` edit the SAM2 file's tensors."""
        state = self.sam2_state()
        change(state)
        torch.save({"model": state}, self.sam2)


def _checkpoint(path: Path) -> dict[str, Any]:
    from helpers.checkpoints.read.unpickle import load_torch_file

    stored = load_torch_file(path)
    return {"meta": dict(stored["meta"]), "state_dict": _cloned(stored["state_dict"])}  # not pages of the file


def _cloned(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in tensors.items()}


def _read_once(path: Path, read: Callable[[Path], Any]) -> Any:
    """What a file of this content holds, read once: safely, some hundred tensors take a tenth of a second."""
    key = hashlib.sha256(path.read_bytes()).digest()
    _READ[key] = _READ.pop(key) if key in _READ else read(path)
    if len(_READ) > _MOST_READ:
        del _READ[next(iter(_READ))]
    return _READ[key]


def fixture_sources() -> TinySources:
    """The fixture's own files; not to be changed."""
    checkpoint = next((FIXTURES / "ckpt").glob("iter_*.pth"))
    base = FIXTURES / "base"
    return TinySources(checkpoint, base / "internvl_base", base / "sam2_base.pt", FIXTURES / "sam2_sizes.json")


def copy_sources(folder: Path) -> TinySources:
    """The fixture's files, copied to `folder`."""
    original = fixture_sources()
    shutil.copytree(original.base, folder / "internvl_base")
    for path in (original.checkpoint, original.sam2, original.sizes):
        shutil.copy(path, folder)
    return TinySources(
        folder / original.checkpoint.name,
        folder / "internvl_base",
        folder / original.sam2.name,
        folder / original.sizes.name,
    )


def internlm2_sources() -> TinySources:
    """The fixture with InternLM2, with SAM2's file of the other one; not to be changed."""
    folder = FIXTURES / "internlm2"
    other = fixture_sources()
    checkpoint = next((folder / "ckpt").glob("iter_*.pth"))
    return TinySources(checkpoint, folder / "base/internvl_base", other.sam2, other.sizes)


def copy_internlm2(folder: Path) -> TinySources:
    """Its files, copied to `folder`; SAM2's stay where they are."""
    original = internlm2_sources()
    shutil.copytree(original.base, folder / "internvl_base")
    shutil.copy(original.checkpoint, folder)
    return replace(original, checkpoint=folder / original.checkpoint.name, base=folder / "internvl_base")


def qwen_vl_sources(name: str) -> TinySources:
    """The fixture `qwen25vl` or `qwen3vl`, with SAM2's file of the one with InternVL; not to be changed."""
    folder = FIXTURES / name
    other = fixture_sources()
    (checkpoint,) = (folder / "ckpt").glob("iter_*.pth")
    (base,) = (folder / "base").iterdir()
    return TinySources(checkpoint, base, other.sam2, other.sizes)


def family_sources(name: str) -> TinySources:
    """The fixture `internlm2`, `qwen25vl` or `qwen3vl`; not to be changed."""
    return internlm2_sources() if name == "internlm2" else qwen_vl_sources(name)


def copy_qwen_vl(name: str, folder: Path) -> TinySources:
    """Its files, copied to `folder`; SAM2's stay where they are."""
    original = qwen_vl_sources(name)
    base = folder / original.base.name
    shutil.copytree(original.base, base)
    shutil.copy(original.checkpoint, folder)
    return replace(original, checkpoint=folder / original.checkpoint.name, base=base)
