"""Frames a second of a sequence through `predict_forward(video=...)`: as it is called, and launched one by one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from helpers.dev.bench.stand_in import FORCED_ANSWER, draw_noise
from helpers.dev.bench.timing import Latency, interleaved, peak_bytes, reset_peak, seconds_of
from helpers.model.video import FRAMES_SEEN, SequenceFeatures, answer_frames, frame_masks
from helpers.prediction.predictor import DEFAULT_PROMPT, with_image_named

AS_CALLED, LAUNCHED = "predict_forward(video)", "predict_forward(video), no CUDA graphs"
_GIB = 1 << 30
WARM_UP = 4  # calls until every shape of a sequence has its graph


@dataclass(frozen=True)
class SequenceBench:
    """Measurements of one sequence of square frames.

    Attributes:
        frames: how many.
        latencies: of a whole call by its way, from frames in memory to masks in memory.
        stages: seconds of each part of a call with single launches, waiting for each.
        launches: of kernels and graphs in a call, by its way; empty on a processor.
        peak: most bytes on the device in a call as it is.
    """

    frames: int
    latencies: Mapping[str, Latency]
    stages: Mapping[str, float]
    launches: Mapping[str, int]
    peak: int

    def to_lines(self) -> list[str]:
        """A table for people."""
        lines = [
            f"sequence of {self.frames} frames",
            f"  {'one call':<40} {'p50':>9} {'least':>9}   (ms a frame) {'frames/s':>9} {'launches a frame':>17}",
        ]
        for name, found in self.latencies.items():
            launches = f"{self.launches[name] / self.frames:.0f}" if name in self.launches else "-"
            lines.append(
                f"  {name:<40} {1e3 * found.p50 / self.frames:>9.1f} {1e3 * found.least / self.frames:>9.1f}"
                f"                {self.frames / found.p50:>9.1f} {launches:>17}"
            )
        parts = ", ".join(f"{name} {1e3 * seconds / self.frames:.1f}" for name, seconds in self.stages.items())
        lines.append(f"  stages, launched one by one and waited for (ms a frame): {parts}")
        lines.append(f"  most memory: {self.peak / _GIB:.2f} GiB")
        return lines


@torch.inference_mode()
def measure_sequence(model: Any, tokenizer: Any, side: int, frames: int, calls: int, *, graphs: bool) -> SequenceBench:
    """Measure a model in evaluation mode on frames of noise.

    Args:
        side: of the square frames in pixels.
        calls: of each way.
        graphs: whether CUDA graphs are measured beside single launches.
    """
    device = model.device
    film = [draw_noise(side, seed) for seed in range(frames)]
    call = partial(
        model.predict_forward,
        video=film,
        text=with_image_named(DEFAULT_PROMPT),
        tokenizer=tokenizer,
        max_new_tokens=64,
    )
    launched = partial(call, cuda_graphs=False)
    ways: dict[str, Callable[[], Any]] = {AS_CALLED: call}
    if device.type == "cuda":
        ways = {AS_CALLED: call, LAUNCHED: launched} if graphs else {LAUNCHED: launched}
    for _ in range(WARM_UP if device.type == "cuda" and graphs else 0):
        call()
    latencies = interleaved(ways, device, calls)
    reset_peak(device)
    next(iter(ways.values()))()
    return SequenceBench(
        frames,
        latencies,
        _stages(model, tokenizer, film),
        {name: _launches(way) for name, way in ways.items()} if device.type == "cuda" else {},
        peak_bytes(device),
    )


def _stages(model: Any, tokenizer: Any, film: list[Any]) -> dict[str, float]:
    """Seconds of each part, one after the other, in one pass over the words."""
    found: dict[str, float] = {}

    def timed(name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        kept = []
        found[name] = seconds_of(lambda: kept.append(work(*arguments)), model.device)
        return kept[0]

    pixels = timed("frames for the words", model.bridge.frame_bytes, film[:FRAMES_SEEN])
    asked = (with_image_named(DEFAULT_PROMPT), "", tokenizer, 64, tokenizer.encode(FORCED_ANSWER))
    answer = timed("answer", answer_frames, model, pixels, *asked)
    features = timed("encoder", lambda: list(SequenceFeatures(model, film)))
    tracker = model.tracker(answer.seg_states)
    timed("masks and memory", lambda: list(frame_masks(tracker, features, len(pixels))))
    return found


def _launches(call: Callable[[], Any]) -> int:
    """Launches of kernels and graphs in a call."""
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        call()
    return sum(event.count for event in seen.key_averages() if event.key.startswith("cu") and "Launch" in event.key)
