"""The four modes of `vesselkit predict` on synthetic sequences with exact truth, see docs/cine.md.

`python -m helpers.dev.measure.cine_modes MODEL FOLDER`: MODEL is an exported folder of a small model trained on
synthetic frames. Draws patients, trains SAM2's memory on some, predicts others in each mode, and scores them. Where the
language model answers a request about five frames without `[SEG]`, it is taught to (both in `sequence_training.py`).
Called again after a stop, it goes on where it was.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from helpers.core.vocabulary import Mode, SynthLayout
from helpers.data.cases import Case
from helpers.data.dataset import open_dataset
from helpers.data.frames.frame_source import read_frame
from helpers.dev.measure.sequence_training import Film, answers_with_seg, train_answer, train_memory
from helpers.dev.synthesis.data_set_writing import Recipe, write_dataset
from helpers.dev.synthesis.sequence_parameters import Split
from helpers.evaluation.evaluate import evaluate
from helpers.model.bridge import Bridge, bridge_of
from helpers.model.image_mode import to_rgb
from helpers.model.video import FRAMES_SEEN
from helpers.prediction.engine.model_loading import load_model
from helpers.prediction.run import DEFAULT_PROMPT, predict
from helpers.prediction.sa2va_predictor import Sa2VAPredictor
from helpers.prediction.sequences.sequence_tracking import SequencePredictor
from helpers.review.films.film_frame import sequence_cases


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--training-patients", type=int, default=36, help="two thirds of them are drawn")
    parser.add_argument("--test-patients", type=int, default=72, help="a sixth of them is drawn")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--steps", type=int, default=800, help="of the memory's training")
    parser.add_argument("--answer-steps", type=int, default=100, help="where the answer is to be taught")
    parser.add_argument("--window", type=int, default=None, help="train on windows of so many places; 32 on a CPU")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--modes", nargs="+", type=Mode, default=list(Mode), help="without all four nothing is scored")
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
        if not (given.folder / name).is_dir():
            write_dataset(recipe, SynthLayout.PAIRED, given.folder / name, processes=given.processes)
    tell("drawn")
    model, tokenizer = load_model(given.model, given.device, "float32")
    trained = given.folder / "trained.pt"
    if not trained.is_file():
        _train(model, tokenizer, given, tell)
        torch.save(model.state_dict(), trained)
    model.load_state_dict(torch.load(trained, map_location=model.device, weights_only=True))
    dataset = open_dataset(given.folder / "test")
    for mode in given.modes:
        arguments = (model, tokenizer, {"name": "demo with a trained memory"})
        predictor = Sa2VAPredictor(*arguments) if mode is Mode.FRAME else SequencePredictor(*arguments, mode=mode)
        start = _seconds()
        predict(dataset.frames, predictor, given.folder / mode.value, (DEFAULT_PROMPT,), dataset=dataset.identity)
        tell(f"{mode}: {(_seconds() - start) / len(dataset.frames):.2f} s a frame")
    if set(given.modes) != set(Mode):
        return
    runs = [given.folder / mode.value for mode in Mode]
    found = evaluate(runs, dataset, given.folder / "scores", processes=given.processes)
    tell("scored")
    print(found.text[found.text.index("## Sequences") : found.text.index("## Threshold")])


def _train(model, tokenizer, given: argparse.Namespace, tell: Callable[[str], None]) -> None:
    """The answer, where it lacks, and the memory."""
    sequences = list(sequence_cases(open_dataset(given.folder / "train")).values())
    tiles = [_tiles(cases, bridge_of(model)) for cases in sequences]
    if not all(answers_with_seg(model, tokenizer, one[:FRAMES_SEEN], DEFAULT_PROMPT) for one in tiles):
        loss = train_answer(model, tokenizer, tiles, DEFAULT_PROMPT, given.answer_steps, 0)
        tell(f"answer taught, loss {loss:.4f}")
    films = [Film(model, tokenizer, cases, DEFAULT_PROMPT) for cases in sequences]
    tell(f"{len(films)} sequences encoded")
    tell(f"memory trained, loss {train_memory(model, films, given.steps, 0, window=given.window):.4f}")


def _tiles(cases: Sequence[Case], bridge: Bridge) -> torch.Tensor:
    """Frames as the language model sees them."""
    frames = [case.frame for case in cases]
    return bridge.frame_bytes([to_rgb(read_frame(frame.path, frame.index, frame.bits)) for frame in frames])


def _seconds() -> float:
    """The clock where a GPU works; else what the processors spent, since others may share them."""
    if not torch.cuda.is_available():
        return time.process_time()
    torch.cuda.synchronize()
    return time.monotonic()


if __name__ == "__main__":
    main()
