"""Seconds that `vesselkit evaluate` takes for 1,220 frames of 512x512 with every metric, from a run folder on the disk.

The frames are random vessel trees of 40 patients; the run stores maps on a 256 grid, as Sa2VA's do, with gaps and false
vessels. Data set and run are made first, which is not counted, and kept in the folder for the next time. The time that
the processor worked is given too, since other programs may be running. Run:
python -m helpers.dev.measure.evaluation_speed FOLDER
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from helpers.data.dataset import open_dataset
from helpers.evaluation.metrics_folder import open_metrics
from helpers.prediction.predictor import FramePrediction
from helpers.prediction.run import predict
from helpers.runs.stored_maps import Upsampling

SIDE, GRID = 512, 256
TREES = 8
PATIENTS = 40
VESSEL, BACKGROUND, NOISE = 90, 170, 12.0


class GreyPredictor:
    """Darker is vessel: logits on the grid from the mean grey value of a cell."""

    identity = {"name": "grey"}
    settings = {"device": "cpu", "dtype": "float32"}

    def prepare(self, image: Image.Image) -> np.ndarray:
        cells = np.asarray(image.convert("L"), np.float32).reshape(GRID, 2, GRID, 2).mean(axis=(1, 3))
        return ((VESSEL + BACKGROUND) / 2 - cells) / 10

    def predict(self, prepared: Sequence[np.ndarray], prompts: Sequence[str]) -> list[list[FramePrediction]]:
        answers = [FramePrediction("[SEG].", False, one[None], Upsampling.SAM2_TWO_STEP, 1024) for one in prepared]
        return [[answer] * len(prompts) for answer in answers]


def write_data(folder: Path, frames: int) -> None:
    """Pairs of frames and masks: a few trees, mirrored and moved, with the frame short of some of the vessels."""
    rng = np.random.default_rng(0)
    trees = [_tree(rng) for _ in range(TREES)]
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for number in tqdm(range(frames), desc="frames", unit="frame"):
        truth = np.roll(trees[rng.integers(TREES)][:, :: rng.choice([-1, 1])], rng.integers(-20, 20), axis=1)
        shown = np.roll(truth, (1, 2), axis=(0, 1))
        for row, column in rng.integers(0, SIDE - 12, size=(12, 2)):
            shown[row : row + 12, column : column + 12] = False
        for row, column in rng.integers(0, SIDE - 60, size=(4, 2)):
            shown[row : row + 5, column : column + 60] = True
        grey = np.where(shown, VESSEL, BACKGROUND) + rng.normal(0, NOISE, truth.shape)
        name = f"P{number % PATIENTS:02d}_S01_{number // PATIENTS:03d}.png"
        Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).save(folder / "images" / name, compress_level=1)
        Image.fromarray(truth.astype(np.uint8) * 255).save(folder / "masks" / name)
    (folder / "dataset.json").write_text('{"ids": "public", "layout": "paired"}')


def _tree(rng: np.random.Generator) -> np.ndarray:
    """A trunk and branches of falling width, bool (512, 512), about one pixel in ten inside."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    mask = np.zeros((SIDE, SIDE), bool)
    starts = [(40.0, rng.uniform(150, 360), np.pi / 2, 12.0)]
    for _ in range(14):
        row, column, angle, radius = starts[rng.integers(len(starts))]
        for step in range(60):
            top, left = max(0, int(row) - 14), max(0, int(column) - 14)
            window = np.s_[top : int(row) + 15, left : int(column) + 15]
            mask[window] |= (rows[window] - row) ** 2 + (columns[window] - column) ** 2 <= radius**2
            angle += rng.normal(0, 0.1)
            row = float(np.clip(row + 4 * np.sin(angle), 0, SIDE - 1))
            column = float(np.clip(column + 4 * np.cos(angle), 0, SIDE - 1))
            radius = max(1.5, radius * 0.99)
            if step % 15 == 14:
                starts.append((row, column, angle + rng.choice([-0.8, 0.8]), max(1.5, radius * 0.7)))
    return mask


def measured(command: Sequence[str]) -> tuple[float, float]:
    """Seconds on the clock and of processor time that a command takes with all its processes."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="to write to, or as an earlier call left it")
    parser.add_argument("--frames", type=int, default=1220)
    parser.add_argument("--processes", type=int, default=2)
    asked: Any = parser.parse_args()
    data, run, scores = (asked.folder / name for name in ("data", "run", "scores"))
    if not data.exists():
        write_data(data, asked.frames)
    predict(open_dataset(data).frames, GreyPredictor(), run)
    program = "from helpers.cli.app import main; raise SystemExit(main())"
    command = [sys.executable, "-c", program, "evaluate", "--predictions", str(run), "--data", str(data)]
    command += ["--output", str(scores), "--processes", str(asked.processes)]
    seconds, processor = measured(command)
    metrics = open_metrics(scores)
    table = metrics.scores(metrics.runs[0])
    print(
        f"{len(table)} frames {SIDE}x{SIDE}, {asked.processes} processes: {seconds:.0f} s, {processor:.0f} s of "
        f"processor time (mean Dice {table['dice'].mean():.3f})"
    )


if __name__ == "__main__":
    main()
