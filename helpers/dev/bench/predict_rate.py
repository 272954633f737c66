"""A plain loop of `predict_forward` against the pipeline, from image files to files: throughput and difference."""

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch

from helpers.core.atomic import write_bytes_atomic
from helpers.core.errors import UsageProblem
from helpers.data.frames.frame import Frame
from helpers.data.frames.frame_source import read_frame
from helpers.prediction.batch_size import automatic_batch_size
from helpers.prediction.predictor import DEFAULT_PROMPT, with_image_named
from helpers.prediction.run import predict
from helpers.prediction.sa2va_predictor import TOKEN_LIMIT, Sa2VAPredictor
from helpers.runs.run_folder import open_run
from helpers.runs.stored_maps import png_bytes, read_png


@dataclass(frozen=True)
class Bench:
    """Measurements of both ways, which took turns.

    Attributes:
        frames: of each round.
        batch_size: of the pipeline; the loop takes one frame at a time.
        settings: of the predictor: device, dtype.
        threads: of the processor, that PyTorch uses.
        loop, pipeline: images a second, one value a round.
        differing: pixels a frame in which the run's mask differs from `predict_forward`'s at 0.5, in the frames' order.
    """

    frames: int
    batch_size: int
    settings: dict[str, Any]
    threads: int
    loop: tuple[float, ...]
    pipeline: tuple[float, ...]
    differing: tuple[int, ...]

    @property
    def ratio(self) -> float:
        """How many times as fast the pipeline is: the median over the rounds."""
        return statistics.median(ours / plain for plain, ours in zip(self.loop, self.pipeline, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """A JSON object."""
        return {**asdict(self), "ratio": self.ratio}

    def to_text(self) -> str:
        """A table for people, its columns explained below."""
        lines = [
            f"{self.frames} frames a round, batches of {self.batch_size}, {self.settings.get('device')} "
            f"{self.settings.get('dtype')}, {self.threads} threads",
            f"{'round':>6}  {'loop':>9}  {'pipeline':>9}  {'ratio':>6}   (images/s)",
        ]
        for number, (plain, ours) in enumerate(zip(self.loop, self.pipeline, strict=True), start=1):
            lines.append(f"{number:>6}  {plain:>9.3f}  {ours:>9.3f}  {ours / plain:>6.2f}")
        plain, ours = statistics.median(self.loop), statistics.median(self.pipeline)
        lines.append(f"{'median':>6}  {plain:>9.3f}  {ours:>9.3f}  {self.ratio:>6.2f}")
        lines += [
            "loop: one frame after the other through predict_forward, and its mask written",
            "pipeline: `vesselkit predict`, which does the three side by side, and writes logits and tables too",
            "ratio: pipeline by loop, above 1 where the pipeline is faster",
        ]
        lines.append(
            f"pixels that differ from predict_forward's masks at 0.5: {max(self.differing)} in the worst frame, "
            f"{sum(self.differing)} in all"
        )
        return "\n".join(lines)


def measure(
    model: Any,
    tokenizer: Any,
    frames: Sequence[Frame],
    *,
    rounds: int = 3,
    batch_size: int | None = None,
    token_limit: int = TOKEN_LIMIT,
) -> Bench:
    """Measure both ways in turn, after one frame that is not counted. Results go to a temporary folder.

    The loop writes less (the mask alone, no logits and no table), so that the ratio is not in the pipeline's favour.

    Raises:
        UsageProblem: where there is no frame.
        UnreadableImage: where a frame cannot be read; a measurement needs frames that can.
    """
    if not frames:
        raise UsageProblem("expected frames to measure with, found none")
    predictor = Sa2VAPredictor(model, tokenizer, {}, token_limit)
    settings = dict(predictor.settings)
    size = batch_size or automatic_batch_size(model.device)
    loop, pipeline = [], []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _plain_loop(model, tokenizer, frames[:1], folder / "first", token_limit)
        for number in range(rounds):
            start = time.perf_counter()
            _plain_loop(model, tokenizer, frames, folder / f"loop-{number}", token_limit)
            middle = time.perf_counter()
            predict(frames, predictor, folder / f"pipeline-{number}", batch_size=size)
            end = time.perf_counter()
            loop.append(len(frames) / (middle - start))
            pipeline.append(len(frames) / (end - middle))
        differing = _differing(frames, folder / "loop-0", folder / "pipeline-0")
    return Bench(len(frames), size, settings, torch.get_num_threads(), tuple(loop), tuple(pipeline), differing)


def _differing(frames: Sequence[Frame], loop: Path, pipeline: Path) -> tuple[int, ...]:
    """Pixels of each frame in which the masks of both ways differ; a case without a mask counts as an empty one."""
    run = open_run(pipeline)
    counts = []
    for frame in frames:
        plain, ours = read_png(loop / f"{frame.case_id}.png"), run.mask(frame.case_id, "p1")
        counts.append(int(plain.sum() if ours is None else (plain != ours).sum()))
    return tuple(counts)


def _plain_loop(model: Any, tokenizer: Any, frames: Sequence[Frame], folder: Path, token_limit: int) -> None:
    """Read, `predict_forward` and write one frame after the other."""
    folder.mkdir()
    takes_draft = "draft" in signature(model.predict_forward).parameters  # not in folders of before
    plainly = {"draft": False} if takes_draft else {}
    with torch.inference_mode():
        for frame in frames:
            image = read_frame(frame.path, frame.index, frame.bits)
            answer = model.predict_forward(
                image=image,
                text=with_image_named(DEFAULT_PROMPT),
                tokenizer=tokenizer,
                max_new_tokens=token_limit,
                **plainly,
            )
            maps: list[np.ndarray] = answer["prediction_logits"]
            mask = np.any(np.concatenate(maps) > 0, axis=0) if maps else np.zeros((image.height, image.width), bool)
            write_bytes_atomic(folder / f"{frame.case_id}.png", png_bytes(mask))
