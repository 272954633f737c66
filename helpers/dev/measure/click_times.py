"""How long a click takes on a model's own SAM2, see docs/clicks.md.

`python -m helpers.dev.measure.click_times MODEL IMAGE...`: MODEL is a folder that `convert` wrote, or the name of a
published SAM2 such as hiera_l, then with random weights. On each image the first click is timed with the reading of the
frame, then the clicks that go on from it. Beside the time on the clock stands what the cores of the processor worked,
since other programs may share them.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from PIL import Image
from transformers import Sam2VideoModel

from helpers.model.sam2_sizes import PRESETS, sam2_video_config
from helpers.prediction.clicks.click_prompt import ClickPrompt
from helpers.prediction.clicks.click_refiner import ClickRefiner, RefinedMask
from helpers.prediction.engine.model_loading import choose_device, choose_dtype
from helpers.prediction.engine.sam2_part import prepared_part


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--clicks", type=int, default=5, help="on each image, the first included")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    given = parser.parse_args()
    refiner = _refiner(given.model, given.device, given.dtype)
    first, following = [], []
    for number, path in enumerate((given.images[0], *given.images)):  # the first one again: it warmed up
        image = Image.open(path)
        image.load()
        refiner.forget()
        times = list(_clicks(refiner, image, given.clicks))
        if number:
            first += times[:1]
            following += times[1:]
    place = f"{torch.get_num_threads()} threads" if refiner.device.type == "cpu" else torch.cuda.get_device_name()
    print(f"{place}, {refiner.dtype}, {len(given.images)} images; medians")
    print(f"first click:     {_shown(first)}")
    print(f"following click: {_shown(following)}")


def _refiner(model: str, device: str, dtype: str) -> ClickRefiner:
    """That of a folder, or of a published size with random weights."""
    if model not in PRESETS:
        return ClickRefiner.load(model, device, dtype)
    place = choose_device(device)
    sam2 = Sam2VideoModel(sam2_video_config(PRESETS[model])).eval().requires_grad_(False)
    return ClickRefiner(prepared_part(sam2, place, choose_dtype(dtype, place).sam2, "bf16_rounded", {}))


def _clicks(refiner: ClickRefiner, image: Image.Image, count: int) -> Any:
    """Seconds, and seconds of the cores, of each click on an image that was not read yet."""
    points, labels, logits = [], [], None
    for number in range(count):
        points.append((image.width * (number + 1) / (count + 1), image.height / 2))
        labels.append(int(number % 2 == 0))
        prompt = ClickPrompt(list(points), list(labels), logits=logits)
        answer, *seconds = _timed(lambda: refiner.refine(refiner.open(image), prompt))  # noqa: B023 - called at once
        logits = answer.low_resolution[answer.best]
        yield seconds


def _timed(work: Callable[[], RefinedMask]) -> tuple[RefinedMask, float, float]:
    start, worked = time.perf_counter(), time.process_time()
    answer = work()  # ends with arrays of the processor, so that a GPU is done too
    return answer, time.perf_counter() - start, time.process_time() - worked


def _shown(times: list[list[float]]) -> str:
    seconds, worked = (median(values) for values in zip(*times, strict=True))
    return f"{seconds:.3f} s, {worked:.3f} s of the processors"


if __name__ == "__main__":
    main()
