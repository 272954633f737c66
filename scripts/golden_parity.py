"""Exported models of a family against recorded calls of the official implementation, in float32 with eager attention.

`python -m scripts.golden_parity ../shared --family qwen3vl` converts the recorded checkpoint with its bases, and the
recorded official export, runs every recorded call on both, and prints a table; exit code 1 where anything differs.
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from helpers.checkpoints.convert import ConversionRequest, convert
from helpers.prediction.engine.model_loading import check_folder

SOURCES = ("ckpt_lora", "hf_export")
SEG_TOLERANCE, LOGIT_TOLERANCE, VIDEO_TOLERANCE = 1e-4, 1e-4, 1e-3
VIDEO_PIXELS = 2  # of a frame's mask, that may differ
_UNDECIDED = 2e-4  # where a logit and the recorded one, both in tolerance, may have different signs


@dataclass(frozen=True)
class GoldenFamily:
    """Where a family's recorded files are.

    Attributes:
        folder: below `golden` of the shared folder.
        base: folder of the base within it.
    """

    folder: str
    base: str

    def root(self, shared: Path) -> Path:
        """The folder of the family."""
        return shared / "golden" / self.folder

    def request(self, shared: Path, source: str, output: Path) -> ConversionRequest:
        """The conversion of one of `SOURCES`, in float32."""
        root = self.root(shared)
        settings: dict[str, Any] = {"sam2_config": str(root / "sam2_dims.json"), "dtype": "float32"}
        if source == "hf_export":
            return ConversionRequest(root / "hf_export", output, **settings)
        (checkpoint,) = (root / "ckpt_lora").glob("*.pth")
        sam2 = shared / "golden/tiny_sam2/sam2_base.pt"
        return ConversionRequest(checkpoint, output, base=root / "base" / self.base, sam2=sam2, **settings)

    def cases(self, shared: Path) -> list["GoldenCall"]:
        """All recorded calls."""
        root = self.root(shared)
        return [GoldenCall(name, root, facts) for name, facts in self._manifest(shared)["cases"].items()]

    def case(self, shared: Path, name: str) -> "GoldenCall":
        """One recorded call."""
        return next(case for case in self.cases(shared) if case.name == name)

    def preparations(self, shared: Path) -> list[tuple[dict[str, Any], np.ndarray]]:
        """Recorded inputs of the vision tower alone, of images of other sizes: facts, and the strided pixels."""
        recorded = self._manifest(shared)["prep_only"]
        arrays = np.load(self.root(shared) / recorded["file"], allow_pickle=False)
        return [(facts, arrays[f"{name}_pixel_values_sub"]) for name, facts in recorded["cases"].items()]

    def _manifest(self, shared: Path) -> dict[str, Any]:
        return json.loads((self.root(shared) / "manifest.json").read_text(encoding="utf-8"))


GOLDEN_FAMILIES = {
    "internlm2": GoldenFamily("tiny_internlm2", "internvl_base"),
    "qwen25vl": GoldenFamily("tiny_qwen25vl", "qwen2_5vl_base"),
    "qwen3vl": GoldenFamily("tiny_qwen3vl", "qwen3vl_base"),
}
_REPEATED = re.compile(r"(<IMG_CONTEXT>)\*(\d+)")  # in the manifest; the call had the token so many times
# Rows and columns of the region that a call was given, as its note says.
_REGIONS = {"img_b_vp": ((1, 320, 640), slice(60, 200), slice(100, 400))}


@dataclass(frozen=True)
class GoldenCall:
    """One recorded call; `facts` are its part of the manifest."""

    name: str
    root: Path
    facts: dict[str, Any]

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """What was recorded; some arrays are strided, see the manifest."""
        return dict(np.load(self.root / self.facts["file"], allow_pickle=False))

    @property
    def is_video(self) -> bool:
        return "video" in self.facts

    def arguments(self) -> dict[str, Any]:
        """Of `predict_forward`, but for the tokenizer."""
        image, video = self.facts.get("image"), self.facts.get("video")
        return {
            "image": Image.open(self.root / image) if image else None,
            "video": [Image.open(self.root / name) for name in video] if video else None,
            "text": self.facts["text"],
            "past_text": _REPEATED.sub(lambda found: found[1] * int(found[2]), self.facts["past_text"]),
            "mask_prompts": self._regions(),
        }

    def _regions(self) -> list[np.ndarray] | None:
        if self.name not in _REGIONS:
            return None
        shape, rows, columns = _REGIONS[self.name]
        region = np.zeros(shape, dtype=np.float32)
        region[:, rows, columns] = 1
        return [region]

    def mask(self, index: int) -> np.ndarray:
        """Recorded mask of a `[SEG]`, bool (n, H, W)."""
        shape = self.facts["mask_shapes"][index]
        return np.unpackbits(self.arrays[f"mask_seg{index}"])[: int(np.prod(shape))].reshape(shape).astype(bool)


@dataclass(frozen=True)
class Parity:
    """One call against its record; None where the record has no such array.

    Attributes:
        prompt, ids, text, masks: whether token ids of the prompt, new ones, the answer, and the number of masks are
            equal.
        positions: whether those of the prompt are equal.
        pixels, seg, logits: largest difference of the vision tower's input, the states of `[SEG]`, and final logits.
        mask_pixels: most pixels of one frame's mask that differ, those left out whose logit is nearly 0.
    """

    name: str
    is_video: bool
    prompt: bool
    ids: bool
    text: bool
    masks: bool
    positions: bool | None
    pixels: float | None
    seg: float | None
    logits: float | None
    mask_pixels: int | None

    @property
    def differences(self) -> tuple[str, ...]:
        """What is beyond its tolerance, by the names of the attributes, in the order of the computation."""
        limits = {
            "pixels": 0.0,
            "seg": SEG_TOLERANCE,
            "logits": VIDEO_TOLERANCE if self.is_video else LOGIT_TOLERANCE,
            "mask_pixels": VIDEO_PIXELS if self.is_video else 0,
        }
        found = []
        for name in ("prompt", "pixels", "positions", "ids", "text", "seg", "masks", "logits", "mask_pixels"):
            value = getattr(self, name)
            if value is not None and (value > limits[name] if name in limits else not value):
                found.append(name)
        return tuple(found)

    def row(self) -> str:
        """A line of the table."""
        cells = [self.name.ljust(18)]
        for value in (self.prompt, self.ids, self.text, self.positions):
            cells.append("-".rjust(9) if value is None else ("equal" if value else "DIFFER").rjust(9))
        for number in (self.pixels, self.seg, self.logits):
            cells.append("-".rjust(9) if number is None else f"{number:9.2g}")
        cells.append("-".rjust(9) if self.mask_pixels is None else f"{self.mask_pixels:9d}")
        return " ".join([*cells, "  " + (", ".join(self.differences) or "ok")])


HEADING = " ".join(["call".ljust(18), *(name.rjust(9) for name in
                    ("prompt", "ids", "text", "positions", "pixels", "[SEG]", "logits", "mask px"))])  # fmt: skip


def load_eager(folder: Path) -> tuple[Any, Any]:
    """Model and tokenizer of an exported folder, as a user loads them, in float32 with eager attention."""
    check_folder(folder)
    model = AutoModel.from_pretrained(
        folder, trust_remote_code=True, local_files_only=True, dtype=torch.float32, attn_implementation="eager"
    )
    return model.eval(), AutoTokenizer.from_pretrained(folder, trust_remote_code=True, local_files_only=True)


def compare_call(model: Any, tokenizer: Any, case: GoldenCall) -> Parity:
    """Run one recorded call through `predict_forward` and compare."""
    arrays = case.arrays
    with _noted(model, tokenizer) as seen:
        found = model.predict_forward(**case.arguments(), tokenizer=tokenizer)
    masks, answer = found["prediction_masks"], seen["answer"]
    count = case.facts["n_masks"]
    logits, mask_pixels = [], []
    for index in range(min(count, len(masks))):
        ours = found["prediction_logits"][index]
        undecided = np.abs(ours) < _UNDECIDED
        mask_pixels.append(int(((masks[index] != case.mask(index)) & ~undecided).sum((1, 2)).max()))
        recorded = arrays.get(f"logits_final_sub_seg{index}")
        if recorded is not None:
            step = case.facts["strided"]["logits_final_sub"]
            logits.append(float(np.abs(ours[:, ::step, ::step] - recorded).max()))
    positions = getattr(seen["prompt"], "positions", None)
    recorded_positions = arrays.get("position_ids") if positions is not None else None
    return Parity(
        case.name,
        case.is_video,
        seen["asked"] == arrays["input_ids"].tolist(),
        answer.token_ids == arrays["generated_ids"].tolist(),
        found["prediction"] == case.facts["prediction"],
        len(masks) == count,
        None if recorded_positions is None else np.array_equal(positions.numpy(), recorded_positions),
        _pixel_difference(seen.get("pixels"), case, arrays),
        _largest(answer.seg_states.numpy(), arrays["seg_hidden_in"]) if count else None,
        max(logits) if logits else None,
        max(mask_pixels) if mask_pixels else None,
    )


@contextmanager
def _noted(model: Any, tokenizer: Any) -> Iterator[dict[str, Any]]:
    """Within the block: a call's prompt as token ids and as the model reads it, answer, and vision tower's input."""
    seen: dict[str, Any] = {}
    answers, encode = model.answers, tokenizer.encode

    def encoding(text: str) -> list[int]:
        seen["asked"] = encode(text)
        return seen["asked"]

    def noting(prompts: Sequence[Any], *arguments: Any) -> Any:
        found = answers(prompts, *arguments)
        seen.update(prompt=prompts[0], answer=found[0])
        return found

    def given(_module: Any, arguments: tuple, named: dict[str, Any]) -> None:
        seen["pixels"] = arguments[0] if arguments else named["pixel_values"]

    model.answers, tokenizer.encode = noting, encoding
    handle = model.vision_tower.register_forward_pre_hook(given, with_kwargs=True)
    try:
        yield seen
    finally:
        handle.remove()
        del model.answers, tokenizer.encode


def _pixel_difference(pixels: torch.Tensor | None, case: GoldenCall, arrays: dict[str, np.ndarray]) -> float | None:
    recorded = arrays.get("pixel_values_sub")
    if recorded is None or pixels is None:
        return None
    stride = case.facts["strided"]["pixel_values_sub"]
    steps = stride if isinstance(stride, list) else [1, 1, stride, stride]
    return _largest(pixels.numpy()[tuple(slice(None, None, step) for step in steps)], recorded)


def _largest(ours: np.ndarray, recorded: np.ndarray) -> float:
    """The largest difference; infinite where shapes differ."""
    return float(np.abs(ours - recorded).max()) if ours.shape == recorded.shape else float("inf")


def main(arguments: Sequence[str] | None = None) -> int:
    """Convert, compare, print; 0 where all is equal within tolerance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="folder with the recorded outputs")
    parser.add_argument("--family", choices=sorted(GOLDEN_FAMILIES), required=True)
    parser.add_argument("--only", default="", help="calls whose names begin so")
    given = parser.parse_args(arguments)
    family, failed, exports = GOLDEN_FAMILIES[given.family], False, []
    with tempfile.TemporaryDirectory() as scratch:
        for source in SOURCES:
            folder = Path(scratch) / source / "model"  # each beside no other, which would be taken for a stale one
            convert(family.request(given.shared, source, folder))
            exports.append(load_file(folder / "model.safetensors"))
            model, tokenizer = load_eager(folder)
            print(f"\n{given.family} from {source}\n{HEADING}")
            for case in family.cases(given.shared):
                if case.name.startswith(given.only):
                    found = compare_call(model, tokenizer, case)
                    failed = failed or bool(found.differences)
                    print(found.row(), flush=True)
    first, second = exports
    agree = first.keys() == second.keys()
    agree = agree and all(torch.allclose(first[name], second[name], atol=1e-6) for name in first)
    print(f"\nthe conversions of {' and '.join(SOURCES)} {'agree' if agree else 'DIFFER'}: {len(first)} tensors")
    return int(failed or not agree)


if __name__ == "__main__":
    sys.exit(main())
