"""`vesselkit predict` from image files to a finished run folder: how fast, and where the time goes."""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.data.frames.frame import Frame
from helpers.dev.bench.stand_in import draw_noise, write_noise
from helpers.dev.bench.timing import timed_methods
from helpers.prediction.predictor import DEFAULT_PROMPT, FramePrediction, Predictor
from helpers.prediction.run import predict
from helpers.prediction.sa2va_predictor import Sa2VAPredictor

# What the thread that launches does for a batch, by the predictor's methods, and all else that it does or waits for.
STEPS = {"frames to the device": "to_device", "answers": "answer", "masks": "masks"}
REST = "rest"

_MOST_READY = 20  # batches of frames that lie ready


@dataclass(frozen=True)
class FilesBench:
    """`vesselkit predict` from image files to a finished run folder.

    Attributes:
        batch_size, images: predicted together, and in all.
        rate: images a second, its start and end included.
        rate_without_model: the same with answers that are there already: what reading and writing allow.
        steps_ready: seconds a batch on the thread that launches, by step, of frames that lie ready in memory.
        steps: the same from files to files; the rest holds waits for readers and writers, start and end.
    """

    batch_size: int
    images: int
    rate: float
    rate_without_model: float
    steps_ready: Mapping[str, float]
    steps: Mapping[str, float]

    def to_lines(self, batched: float) -> list[str]:
        """Lines for people.

        Args:
            batched: images a second from images in memory, with the fastest batch size; 0 where it was not measured.
        """
        share = f", {self.rate / batched:.0%} of the highest rate above" if batched else ""
        names = [*self.steps, "together"]
        lines = [
            f"from {self.images} image files to a run folder, batches of {self.batch_size}: {self.rate:.2f} images/s"
            f"{share}; {self.rate_without_model:.1f} with answers that are there already",
            f"  {'ms a batch on the thread that launches':<40}" + "".join(f"{name:>{len(name) + 2}}" for name in names),
        ]
        for title, steps in (("frames that lie ready in memory", self.steps_ready), ("files to files", self.steps)):
            spent = [*steps.values(), sum(steps.values())]
            cells = (f"{1e3 * one:>{len(name) + 2}.1f}" for one, name in zip(spent, names, strict=True))
            lines.append(f"  {title:<40}" + "".join(cells))
        return lines


def measure_files(predictor: Sa2VAPredictor, side: int, count: int, size: int) -> FilesBench:
    """Measure `count` square images of noise in batches of `size`, first in memory, then from files to files.

    At last once more without a model.
    """
    ready = [predictor.prepare(draw_noise(side, seed)) for seed in range(size)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        frames = [Frame(path.stem, path) for path in write_noise(folder / "images", side, count)]
        # The second batch has a draft.
        predict(frames[: 2 * size], predictor, folder / "warm-up", batch_size=size)
        batches = -(-count // size)
        with _steps_of(predictor) as in_memory:
            rounds = min(batches, _MOST_READY)
            for _ in range(rounds):
                predictor.predict(ready, [DEFAULT_PROMPT])
        with _steps_of(predictor) as from_files:
            predict(frames, predictor, folder / "run", batch_size=size)
        kept = _Kept(predictor, ready)
        start = time.perf_counter()
        predict(frames, kept, folder / "without-model", batch_size=size)
        without_model = time.perf_counter() - start
    return FilesBench(
        size,
        count,
        count / from_files.seconds,
        count / without_model,
        in_memory.of_batch(rounds),
        from_files.of_batch(batches),
    )


@dataclass
class _Steps:
    """Seconds of a predictor's steps by method, and of the whole block that `_steps_of` spans."""

    spent: Mapping[str, float]
    seconds: float = 0.0

    def of_batch(self, batches: int) -> dict[str, float]:
        """Seconds of each step and of the rest, in the mean of so many batches."""
        found = {name: self.spent[method] / batches for name, method in STEPS.items()}
        return {**found, REST: self.seconds / batches - sum(found.values())}


@contextmanager
def _steps_of(predictor: Sa2VAPredictor) -> Iterator[_Steps]:
    """Time a predictor's steps within the block, on the thread alone: waiting for the device would slow it down."""
    with timed_methods(predictor, list(STEPS.values())) as spent:
        steps, start = _Steps(spent), time.perf_counter()
        yield steps
        steps.seconds = time.perf_counter() - start


class _Kept:
    """A predictor whose answers are there already: what is left is reading, preparing and writing."""

    def __init__(self, predictor: Predictor, prepared: Sequence[Any]):
        """Keep a predictor's answers to images; batches are no larger."""
        self._predictor = predictor
        self._answers = predictor.predict(prepared, [DEFAULT_PROMPT])

    @property
    def identity(self) -> Mapping[str, Any]:
        return self._predictor.identity

    @property
    def settings(self) -> Mapping[str, Any]:
        return self._predictor.settings

    def prepare(self, image: Any) -> Any:
        return self._predictor.prepare(image)

    def predict(self, prepared: Sequence[Any], prompts: Sequence[str]) -> list[list[FramePrediction]]:
        return self._answers[: len(prepared)]
