"""Measures a model of a preset's sizes: latency, throughput, stages, memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image

from helpers.core.vocabulary import Preset, Quantization
from helpers.dev.bench.bench_result import ImageBench, Machine, ModelBench
from helpers.dev.bench.file_rate import FilesBench, measure_files
from helpers.dev.bench.model_presets import count_operations
from helpers.dev.bench.sequence_rate import WARM_UP, measure_sequence
from helpers.dev.bench.stand_in import FORCED_ANSWER, draw_noise, stand_in
from helpers.dev.bench.timing import (
    interleaved,
    matmul_rate,
    peak_bytes,
    reset_peak,
    seconds_of,
    timed_methods,
)
from helpers.model.graphed_model import GraphedModel
from helpers.model.processing_sa2va import upsample_logits
from helpers.prediction.engine.dtypes import ModelDtype, dtype_of
from helpers.prediction.engine.memory_estimate import limit_memory
from helpers.prediction.predictor import DEFAULT_PROMPT, with_image_named
from helpers.prediction.sa2va_predictor import Sa2VAPredictor

STEP_BY_STEP, ONE_PASS, GRAPHS = "predict_forward, token by token", "one pass", "one pass, CUDA graphs"
CALL, LAUNCHED = "predict_forward", "predict_forward, no CUDA graphs"
_ALMOST = 0.97  # of the highest rate
_STAGES = {
    "language model": "answers",
    "SAM2 encoder": "encode_sam2",
    "mask decoder": "decode_masks",
}


@dataclass(frozen=True)
class BenchPlan:
    """What to measure.

    Attributes:
        sides: of the square images in pixels; the first is measured with all batch sizes, others with the smallest
            that is almost the fastest.
        batch_sizes: images computed together.
        calls: of each way for the latency.
        files: images from files to a run folder, in batches of that size; 0 leaves that out.
        graphs: whether CUDA graphs are measured beside single launches.
        frames: of a sequence that is followed; 0 leaves that out.
    """

    sides: tuple[int, ...]
    batch_sizes: tuple[int, ...]
    calls: int
    files: int
    graphs: bool
    frames: int = 0


def measure_model(
    preset: Preset,
    device: torch.device,
    dtype: ModelDtype,
    plan: BenchPlan,
    quantization: Quantization | None = None,
    memory_cap: int | None = None,
) -> ModelBench:
    """Build a model of random weights on a device and measure it.

    Args:
        memory_cap: bytes that this process may take of a GPU's memory, as on a smaller card; None for all.
    Raises:
        torch.OutOfMemoryError: where the model itself or one image does not fit.
    """
    if memory_cap is not None and device.type == "cuda":
        limit_memory(device, memory_cap)
    ceiling = matmul_rate(device, dtype.main)
    reset_peak(device)
    model, tokenizer = stand_in(preset, device, dtype, quantization)
    weights = sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))
    bench = _Bench(model, tokenizer, device, plan)
    first = bench.measure(preset, plan.sides[0], plan.batch_sizes)
    batch_size = sufficient_batch(first.rates)
    images = [first, *(bench.measure(preset, side, [batch_size]) for side in plan.sides[1:])]
    files = bench.measure_files(plan.sides[0], batch_size) if plan.files else None
    sequence = None
    if plan.frames:
        sequence = measure_sequence(model, tokenizer, plan.sides[0], plan.frames, plan.calls, graphs=plan.graphs)
    machine = Machine(
        torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        torch.get_num_threads(),
        torch.__version__,
        transformers.__version__,
        ceiling,
        memory_cap if device.type == "cuda" else None,
    )
    return ModelBench(
        str(preset),
        str(dtype_of(model)),
        None if quantization is None else str(quantization),
        machine,
        FORCED_ANSWER,
        len(tokenizer.encode(FORCED_ANSWER)),
        weights,
        bench.finite,
        images,
        files,
        sequence,
        sorted(bench.too_large),
    )


class _Bench:
    """One model under measurement."""

    def __init__(self, model: Any, tokenizer: Any, device: torch.device, plan: BenchPlan):
        self._model = model
        self._tokenizer = tokenizer
        self._device = device
        self._plan = plan
        self._predictors = {ONE_PASS: Sa2VAPredictor(model, tokenizer, {})}
        if plan.graphs:
            self._predictors[GRAPHS] = Sa2VAPredictor(GraphedModel(model), tokenizer, {})
        self._fastest = list(self._predictors.values())[-1]
        self.finite = True
        self.too_large: set[int] = set()

    def measure(self, preset: Preset, side: int, batch_sizes: Sequence[int]) -> ImageBench:
        """All measurements with images of one size."""
        images = [draw_noise(side, seed) for seed in range(8)]
        ways: dict[str, Callable[[], Any]] = {
            STEP_BY_STEP: partial(self._call, images[0], draft=False, cuda_graphs=False)
        }
        if self._device.type == "cuda":
            ways |= {LAUNCHED: partial(self._call, images[0], cuda_graphs=False)}
            if self._plan.graphs:
                ways |= {CALL: partial(self._call, images[0])}
        for name, predictor in self._predictors.items():
            ways[name] = partial(self._masks, predictor, images[:1])
        for _ in range(2):  # the second has a draft
            reset_peak(self._device)
            ways[ONE_PASS]()
            peak_alone = peak_bytes(self._device)
        for _ in range(WARM_UP if CALL in ways else 0):
            ways[CALL]()
        latencies = interleaved(ways, self._device, self._plan.calls)
        self._model.graphs.drop()  # what follows has the memory to itself
        rates, peaks = {}, {}
        for size in batch_sizes:
            batch = [images[place % len(images)] for place in range(size)]
            reset_peak(self._device)
            try:
                seconds = self._batch_seconds(self._fastest, batch)
            except torch.OutOfMemoryError:
                self.too_large.add(size)
                continue
            rates[size], peaks[size] = size / seconds, peak_bytes(self._device)
        pixels, tokens = self._sizes(images[0])
        read = len(self._tokenizer.encode(FORCED_ANSWER)) - 1
        return ImageBench(
            side,
            pixels[0],
            tokens,
            count_operations(preset, pixels, tokens, read),
            latencies,
            self._stages(images[0]),
            peak_alone,
            rates,
            peaks,
        )

    def measure_files(self, side: int, size: int) -> FilesBench:
        """`vesselkit predict` in batches of a size, by the fastest of the ways."""
        return measure_files(self._fastest, side, self._plan.files, size)

    def _call(self, image: Image.Image, **how: bool) -> None:
        self._model.predict_forward(
            image=image, text=with_image_named(DEFAULT_PROMPT), tokenizer=self._tokenizer, max_new_tokens=64, **how
        )

    @torch.inference_mode()
    def _masks(self, predictor: Sa2VAPredictor, images: Sequence[Image.Image]) -> np.ndarray:
        """Masks bool (n, H, W) of n images of one size in memory."""
        prepared = [predictor.prepare(image) for image in images]
        answers = predictor.predict(prepared, [DEFAULT_PROMPT])
        maps = np.concatenate([answer.logits for (answer,) in answers])
        self.finite &= bool(np.isfinite(maps).all()) and len(maps) == len(images)
        logits = torch.from_numpy(maps).to(self._device)
        full = upsample_logits(logits, self._model.config.sam2_sizes.image_size, images[0].height, images[0].width)
        return (full > 0).cpu().numpy()

    def _batch_seconds(self, predictor: Sa2VAPredictor, batch: Sequence[Image.Image]) -> float:
        """Seconds of a batch, the least of several after two that are not counted."""
        seconds = [
            seconds_of(lambda: self._masks(predictor, batch), self._device)
            for _ in range(2 + max(1, self._plan.calls // 4))
        ]
        return min(seconds[2:])

    def _stages(self, image: Image.Image) -> dict[str, float]:
        """Seconds of each part of one image in one pass, with single launches; what is not named is `other`."""
        predictor = self._predictors[ONE_PASS]
        own = {"prepare": "prepare", "vision tower": "encode"}
        total = dict.fromkeys((*own, *_STAGES, "other"), 0.0)
        times = max(1, self._plan.calls // 4)
        for _ in range(times):
            with (
                timed_methods(self._model, list(_STAGES.values()), self._device) as spent,
                timed_methods(predictor, list(own.values()), self._device) as around,
            ):
                whole = seconds_of(lambda: self._masks(predictor, [image]), self._device)
            for name, method in (*own.items(), *_STAGES.items()):
                total[name] += (around | spent)[method]
            total["other"] += whole - sum(around.values()) - sum(spent.values())
        return {name: seconds / times for name, seconds in total.items()}

    def _sizes(self, image: Image.Image) -> tuple[tuple[int, ...], int]:
        """Shape (n, 3, h, w) of an image as the vision tower sees it, and tokens of its prompt."""
        predictor = self._predictors[ONE_PASS]
        (prepared,) = predictor.to_device([predictor.prepare(image)])
        return tuple(prepared.tiles.shape), len(predictor.prompt_tokens(prepared, DEFAULT_PROMPT))


def sufficient_batch(rates: Mapping[int, float]) -> int:
    """The smallest batch size that is almost as fast as the fastest; 1 where none was measured.

    Args:
        rates: images a second by batch size.
    """
    fastest = max(rates.values(), default=0.0)
    return min((size for size, rate in rates.items() if rate >= _ALMOST * fastest), default=1)
