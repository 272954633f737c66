"""The four modes of `vesselkit predict` on synthetic sequences with exact truth, see docs/cine.md.

`python -m scripts.cine_modes MODEL FOLDER`: MODEL is an exported folder of a small model trained on synthetic frames.
Draws patients, trains SAM2's memory on some (`scripts.train_memory`), predicts others in each mode, and scores them.
"""

import argparse
import json
import time
from pathlib import Path

import torch

from helpers.cine.frame import sequence_cases
from helpers.data.dataset import open_dataset
from helpers.evaluation.evaluate import evaluate
from helpers.inference.loading import load_model
from helpers.inference.run import DEFAULT_PROMPT, predict
from helpers.inference.sa2va import Sa2VAPredictor
from helpers.inference.sequences import Mode
from helpers.inference.tracking import SequencePredictor
from helpers.synthesis.layout import SynthLayout
from helpers.synthesis.parameters import Split
from helpers.synthesis.writing import Recipe, write_dataset
from scripts.train_memory import Film, train_memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--training-patients", type=int, default=36, help="two thirds of them are drawn")
    parser.add_argument("--test-patients", type=int, default=72, help="a sixth of them is drawn")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--window", type=int, default=None, help="train on windows of so many places; 32 on a CPU")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - started:6.0f} s  {text}", flush=True)

    for name, patients, seed, split in (
        ("train", given.training_patients, 3000, Split.TRAIN),
        ("test", given.test_patients, 3001, Split.TEST),
    ):
        recipe = Recipe(patients, 1, given.frames, seed, given.size, (split,))
        write_dataset(recipe, SynthLayout.PAIRED, given.folder / name, processes=given.processes)
    tell("drawn")
    model, tokenizer = load_model(given.model, given.device, "float32")
    films = [
        Film(model, tokenizer, cases, DEFAULT_PROMPT)
        for cases in sequence_cases(open_dataset(given.folder / "train")).values()
    ]
    tell(f"{len(films)} sequences encoded")
    loss = train_memory(model, films, given.steps, 0, window=given.window)
    del films
    tell(f"memory trained, loss {loss:.4f}")
    dataset = open_dataset(given.folder / "test")
    seconds = {}
    for mode in Mode:
        arguments = (model, tokenizer, {"name": "demo with a trained memory"})
        predictor = Sa2VAPredictor(*arguments) if mode is Mode.FRAME else SequencePredictor(*arguments, mode=mode)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        start = time.monotonic()
        predict(dataset.frames, predictor, given.folder / mode.value, (DEFAULT_PROMPT,), dataset=dataset.identity)
        seconds[mode.value] = (time.monotonic() - start) / len(dataset.frames)
        tell(f"{mode}: {seconds[mode.value]:.3f} s a frame")
    found = evaluate(
        [given.folder / mode.value for mode in Mode], dataset, given.folder / "scores", processes=given.processes
    )
    (given.folder / "seconds.json").write_text(json.dumps(seconds))
    tell("scored")
    print(found.text[found.text.index("## Sequences") : found.text.index("## Threshold")])


if __name__ == "__main__":
    main()
