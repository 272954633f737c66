"""Reduced precision against full precision on a model and frames: overflow in every stage, overlap of masks."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from helpers.core.documents import document
from helpers.core.errors import UsageProblem
from helpers.core.shown_text import counted
from helpers.core.vocabulary import Combine, Quantization
from helpers.data.frames.frame import Frame
from helpers.data.frames.frame_source import read_frame
from helpers.prediction.engine.dtypes import DTYPES
from helpers.prediction.engine.model_loading import choose_device, choose_dtype, load_model
from helpers.prediction.predictor import FramePrediction, check_prompt
from helpers.prediction.sa2va_predictor import TOKEN_LIMIT, Sa2VAPredictor
from helpers.runs.stored_maps import StoredLogits, combined_mask, round_for_storage

# Modules whose outputs are looked at, by the stage that they belong to, in the order of the computation.
_STAGES = {
    "vision tower": (
        *("vision_tower.embeddings", "vision_tower.encoder.layer.*"),
        *("vision_tower.patch_embed", "vision_tower.blocks.*"),
    ),
    "projector": ("multi_modal_projector", "vision_tower.merger", "vision_tower.deepstack_merger_list.*"),
    "language model": ("language_model.model.layers.*", "language_model.model.norm", "language_model.lm_head"),
    "projection of [SEG]": ("seg_projection",),
    "SAM2 encoder": ("sam2.vision_encoder.backbone.blocks.*", "sam2.vision_encoder.neck"),
    "mask decoder": ("sam2.mask_decoder",),
}


# Those whose outputs have SAM2's dtype.
SAM2_STAGES = ("projection of [SEG]", "SAM2 encoder", "mask decoder")


@dataclass(frozen=True)
class StageRange:
    """What a stage's modules gave.

    Attributes:
        largest: absolute value among those that are finite.
        not_finite: number of infinite values and NaN.
    """

    stage: str
    largest: float
    not_finite: int


class _Range:
    """Largest finite absolute value, and number of values that are not finite, of all tensors noted."""

    def __init__(self) -> None:
        self.largest = 0.0
        self.not_finite = 0

    def note(self, output: Any) -> None:
        if isinstance(output, torch.Tensor):
            if output.is_floating_point() and output.numel():
                finite = output.isfinite()
                self.not_finite += int((~finite).sum())
                self.largest = max(self.largest, float(output.abs().where(finite, 0).max()))
        elif isinstance(output, dict):
            self.note(tuple(output.values()))
        elif isinstance(output, tuple | list):
            for part in output:
                self.note(part)


@contextmanager
def watched(model: nn.Module) -> Iterator[Callable[[], list[StageRange]]]:
    """Note the outputs of a Sa2VA model's stages within the block; gives a function that says what they reached."""
    ranges = {stage: _Range() for stage in _STAGES}
    handles = []
    for name, module in model.named_modules():
        for stage, patterns in _STAGES.items():
            if any(_matches(name, pattern) for pattern in patterns):
                found = ranges[stage]
                handles.append(module.register_forward_hook(lambda _m, _a, output, found=found: found.note(output)))
    try:
        yield lambda: [StageRange(stage, found.largest, found.not_finite) for stage, found in ranges.items()]
    finally:
        for handle in handles:
            handle.remove()


def _matches(name: str, pattern: str) -> bool:
    """Whether a name is the pattern, or one number behind a pattern that ends with `*`."""
    return name == pattern or (
        pattern.endswith("*") and name.startswith(pattern[:-1]) and name[len(pattern) - 1 :].isdecimal()
    )


SCHEMA, SCHEMA_VERSION = "vesselkit.precision", 1
_GIB = 1 << 30


@dataclass(frozen=True)
class PrecisionKind:
    """A way of holding and computing a model: what `--dtype` calls it, and the language model in few bits or None."""

    dtype: str
    quantization: Quantization | None = None

    def __str__(self) -> str:
        return self.dtype if self.quantization is None else f"{self.quantization} ({self.dtype})"


@dataclass(frozen=True)
class KindResult:
    """One kind on all frames.

    Attributes:
        refused: why this kind must not or cannot be used; None where it can.
        stages: in the order of the computation; empty where the model did not fit.
        same_answers: frames answered as by the reference, word for word.
        overlaps: IoU of each frame's mask with the reference's, two empty ones counted as 1; None without both masks.
            Empty where the model could not answer.
        peak: most bytes of tensors on the GPU; None on a processor.
    """

    kind: PrecisionKind
    refused: str | None
    stages: Sequence[StageRange] = ()
    same_answers: int = 0
    overlaps: Sequence[float | None] = ()
    peak: int | None = None

    @property
    def known_overlaps(self) -> list[float]:
        """Those of frames with both masks."""
        return [overlap for overlap in self.overlaps if overlap is not None]


@dataclass(frozen=True)
class PrecisionReport:
    """All kinds; the first of `results` that could be loaded is the reference."""

    device: str
    frames: int
    results: Sequence[KindResult]

    @property
    def ok(self) -> bool:
        """Whether every kind that fits can be used."""
        return all(found.refused is None for found in self.results if found.stages)

    def to_dict(self) -> dict[str, Any]:
        """A JSON object, with its schema."""
        return document(SCHEMA, SCHEMA_VERSION, {**asdict(self), "ok": self.ok})

    def to_text(self) -> str:
        """A table for people, and what each kind's stages reached."""
        reference = next((found for found in self.results if found.stages), None)
        lines = [f"{counted(self.frames, 'frame')} on {self.device}; masks are compared with those of "
                 f"{reference.kind if reference else 'none, since no kind fits'}",
                 f"{'kind':<18} {'same words':>10} {'mean IoU':>9} {'least IoU':>9} {'peak GiB':>9}"]  # fmt: skip
        for found in self.results:
            known = found.known_overlaps
            mean, least = (f"{np.mean(known):.4f}", f"{min(known):.4f}") if known else ("-", "-")
            peak = "-" if found.peak is None else f"{found.peak / _GIB:.2f}"
            words = f"{found.same_answers}/{self.frames}" if found.stages else "-"
            lines.append(f"{found.kind!s:<18} {words:>10} {mean:>9} {least:>9} {peak:>9}")
        lines.append("largest absolute values:")
        for found in self.results:
            reached = ", ".join(
                f"{stage.stage} {stage.largest:.3g}" + (f" ({stage.not_finite} not finite)" if stage.not_finite else "")
                for stage in found.stages
            )
            if reached:
                lines.append(f"  {found.kind}: {reached}")
        lines += [f"REFUSED {found.kind}: {found.refused}" for found in self.results if found.refused]
        return "\n".join(lines)


def kinds_for(device: torch.device) -> tuple[PrecisionKind, ...]:
    """What is compared on a device: the dtype that `auto` takes is the reference, and comes first."""
    reference = str(choose_dtype("auto", device))
    others = [dtype for dtype in ("mixed", "bfloat16", "float16") if dtype != reference]
    return (
        PrecisionKind(reference),
        *map(PrecisionKind, others),
        *(PrecisionKind(reference, quantization) for quantization in Quantization),
    )


def check_precision(
    folder: Path,
    frames: Sequence[Frame],
    prompt: str,
    device: str = "auto",
    kinds: Sequence[PrecisionKind] | None = None,
    load: Callable[..., tuple[Any, Any]] = load_model,
) -> PrecisionReport:
    """Predict the frames with each kind in turn, one frame at a time.

    Args:
        folder: that `convert` wrote.
        prompt: asked of each frame.
        kinds: the reference first; None for `kinds_for` the device.
        load: gives model and tokenizer for a folder, a device, a dtype and a quantization.
    Raises:
        UsageProblem: where there is no frame, the prompt can never work, or the device cannot be used.
        RefusedInput: where the folder or a frame is refused.
    """
    check_prompt(prompt)
    if not frames:
        raise UsageProblem("expected frames to check with, found none")
    chosen = choose_device(device)
    reference: list[tuple[FramePrediction, np.ndarray | None]] | None = None
    results = []
    for kind in kinds_for(chosen) if kinds is None else kinds:
        try:
            model, tokenizer = load(folder, device, kind.dtype, kind.quantization)
        except UsageProblem as error:
            results.append(KindResult(kind, str(error)))
            continue
        with watched(model) as stages:
            try:
                seen, peak = _predict(model, tokenizer, frames, prompt, chosen)
            except ValueError:
                if not any(stage.not_finite for stage in stages()):
                    raise
                seen, peak = [], None  # the model itself stopped at its overflow, which the stages tell
        reference = reference or seen
        results.append(_result(kind, stages(), seen, reference, peak))
        del model
        _release(chosen)
    return PrecisionReport(_device_name(chosen), len(frames), results)


def _result(
    kind: PrecisionKind,
    ranges: Sequence[StageRange],
    seen: Sequence[tuple[FramePrediction, np.ndarray | None]],
    reference: Sequence[tuple[FramePrediction, np.ndarray | None]],
    peak: int | None,
) -> KindResult:
    broken = [found for found in ranges if found.not_finite]
    refused = None
    if broken:
        dtypes = DTYPES[kind.dtype]
        dtype = dtypes.sam2 if broken[0].stage in SAM2_STAGES else dtypes.main
        name = str(dtype).removeprefix("torch.")
        refused = (
            f"the {broken[0].stage} gives {broken[0].not_finite} values that are infinite or NaN; {name} ends at "
            f"{torch.finfo(dtype).max:.3g}. Use bfloat16, or float32 where the device has none"
        )
    pairs = list(zip(seen, reference, strict=True)) if seen else []
    same = sum(answer.text == other.text for (answer, _), (other, _) in pairs)
    overlaps = [_overlap(mask, other) for (_, mask), (_, other) in pairs]
    return KindResult(kind, refused, ranges, same, overlaps, peak)


def _predict(
    model: Any, tokenizer: Any, frames: Sequence[Frame], prompt: str, device: torch.device
) -> tuple[list[tuple[FramePrediction, np.ndarray | None]], int | None]:
    """Answer and mask of each frame, and the most memory."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    predictor = Sa2VAPredictor(model, tokenizer, {}, TOKEN_LIMIT)
    seen = []
    for frame in frames:
        image = read_frame(frame.path, frame.index, frame.bits)
        ((answer,),) = predictor.predict([predictor.prepare(image)], [prompt])
        seen.append((answer, _mask(answer, image.width, image.height)))
    return seen, torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


def _mask(answer: FramePrediction, width: int, height: int) -> np.ndarray | None:
    """The mask at 0.5 that a run would hold, bool (H, W); None where there is none."""
    if not len(answer.logits) or not np.isfinite(answer.logits).all():
        return None
    stored = StoredLogits(round_for_storage(answer.logits), answer.upsampling, answer.network_size, width, height)
    return combined_mask(stored.full_size(), 0.5, Combine.UNION, answer.predicted_iou)


def _overlap(mask: np.ndarray | None, other: np.ndarray | None) -> float | None:
    if mask is None or other is None:
        return None
    union = int((mask | other).sum())
    return 1.0 if not union else float((mask & other).sum() / union)


def _release(device: torch.device) -> None:
    """Give the last model's memory back before the next one is loaded."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
