"""Answers with drafts against answers token by token, on a trained model: equal ids, drafts accepted, and times.

`python -m helpers.dev.measure.one_pass --model DIR --data DATASET` asks every prompt about every frame: first with the
drafts that a run would have learnt (the last answer to the same prompt), then with a spoilt draft, which must be
rejected. Masks of batches are compared with those of single frames.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from helpers.data.dataset import open_dataset
from helpers.data.frames.frame_source import read_frame
from helpers.model.bridge import bridge_of
from helpers.model.prompt import Prompt
from helpers.prediction.engine.dtypes import dtype_of
from helpers.prediction.engine.model_loading import load_model
from helpers.prediction.run import DEFAULT_PROMPT
from helpers.prediction.sa2va_predictor import Sa2VAPredictor

PROMPTS = (
    DEFAULT_PROMPT,
    "Can you segment the blood vessels in this image?",
    "Where is the blood vessels? Please respond with a segmentation mask.",
    "Show the background, then the blood vessels.",
    "What is in this image?",
)
LIMIT = 64


@dataclass
class Comparison:
    """Counts over all pairs of a frame and a prompt.

    Attributes:
        pairs: how many.
        equal: with the draft of a run, and with a spoilt one, ids were those without a draft.
        offered, accepted: drafts that a run would have had, and those that foresaw the answer.
        spoilt_accepted: spoilt drafts that were taken, which must be none.
        seconds_plain, seconds_drafted: of the answers alone.
        least_overlap: smallest IoU between masks of a batch and of single frames.
    """

    pairs: int = 0
    equal: int = 0
    offered: int = 0
    accepted: int = 0
    spoilt_accepted: int = 0
    seconds_plain: float = 0.0
    seconds_drafted: float = 0.0
    least_overlap: float = 1.0


@torch.inference_mode()
def compare(model: Any, tokenizer: Any, images: Sequence[Image.Image], prompts: Sequence[str]) -> Comparison:
    """Compare both ways of answering for every image and prompt; masks are left out."""
    bridge, found, learnt = bridge_of(model), Comparison(), dict[str, Any]()
    for image in images:
        pixels = bridge.image_bytes(image)
        pictures = bridge.image_tokens(pixels)
        (visual,) = bridge.encode(model, [pixels])
        for prompt in prompts:
            words = bridge.words(model, bridge.prompt_ids(tokenizer, prompt, "", pictures), pictures)
            asked = bridge.prompt(model, words, visual)
            plain, seconds = _answer(model, tokenizer, asked, None)
            found.seconds_plain += seconds
            draft = learnt.get(prompt, [])
            drafted, seconds = _answer(model, tokenizer, asked, [draft])
            found.seconds_drafted += seconds
            place = len(plain.token_ids) // 2
            spoilt = [*plain.token_ids[:place], (plain.token_ids[place] + 1) % 100, *plain.token_ids[place + 1 :]]
            other, _ = _answer(model, tokenizer, asked, [spoilt])
            found.pairs += 1
            found.equal += plain.token_ids == drafted.token_ids == other.token_ids
            found.offered += bool(draft)
            found.accepted += drafted.drafted
            found.spoilt_accepted += other.drafted
            if not plain.truncated:
                learnt[prompt] = plain.token_ids
    return found


def least_overlap(model: Any, tokenizer: Any, images: Sequence[Image.Image], batch_size: int) -> float:
    """The smallest IoU between the masks of images in batches and alone; both without a mask count as 1."""
    predictor = Sa2VAPredictor(model, tokenizer, {}, LIMIT)
    least = 1.0
    for start in range(0, len(images), batch_size):
        prepared = [predictor.prepare(image) for image in images[start : start + batch_size]]
        together = predictor.predict(prepared, [DEFAULT_PROMPT])
        for item, (answer,) in zip(prepared, together, strict=True):
            ((alone,),) = predictor.predict([item], [DEFAULT_PROMPT])
            one, other = (np.any(found.logits > 0, axis=0) for found in (answer, alone))
            union = (one | other).sum()
            least = min(least, float((one & other).sum() / union) if union else 1.0)
    return least


def _answer(
    model: Any, tokenizer: Any, asked: torch.Tensor | Prompt, drafts: list[list[int]] | None
) -> tuple[Any, float]:
    if model.device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    answer = model.answers([asked], tokenizer, LIMIT, drafts)[0]
    if model.device.type == "cuda":
        torch.cuda.synchronize()
    return answer, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder that `vesselkit convert` wrote")
    parser.add_argument("--data", type=Path, required=True, help="data set")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--n", type=int, default=40, help="frames; with five prompts, 200 pairs")
    arguments = parser.parse_args()
    model, tokenizer = load_model(arguments.model, arguments.device, arguments.dtype)
    if "drafts" not in signature(model.answers).parameters:
        raise SystemExit("the model folder's code takes no drafts; convert again with this version")
    frames = open_dataset(arguments.data).frames[: arguments.n]
    images = [read_frame(frame.path, frame.index, frame.bits) for frame in frames]
    found = compare(model, tokenizer, images, PROMPTS)
    print(f"{found.pairs} pairs of a frame and a prompt, {dtype_of(model)} on {model.device}")
    print(f"ids equal to those token by token: {found.equal} of {found.pairs}")
    print(f"drafts of a run accepted: {found.accepted} of {found.offered} offered")
    print(f"drafts with one wrong token accepted: {found.spoilt_accepted} of {found.pairs}; none must be")
    print(f"an answer takes {1e3 * found.seconds_plain / found.pairs:.1f} ms token by token, "
          f"{1e3 * found.seconds_drafted / found.pairs:.1f} ms with the run's drafts")  # fmt: skip
    print(f"masks of batches of 8 against single frames: least IoU {least_overlap(model, tokenizer, images, 8):.5f}")


if __name__ == "__main__":
    main()
