"""Runs a prediction in forked processes, kills them with SIGKILL at random moments, and lets the last one finish.

Forks save the seconds that imports and loading take in a process of its own:
`python -m tests.support.kill_driver MODEL DATA FOLDER KILLS [own]`. Prints a JSON object. With `own` each case is asked
prompts of its own.
"""

import json
import logging
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import torch

from helpers.data.dataset import open_dataset
from helpers.data.frames.frame import Frame
from helpers.prediction.engine.model_loading import load_model
from helpers.prediction.predictor import DEFAULT_PROMPT
from helpers.prediction.run import predict
from helpers.prediction.sa2va_predictor import Sa2VAPredictor
from helpers.runs.asked_prompts import Prompts
from tests.support.run_files import run_files

MOST_MORE_CASES, MOST_SECONDS = 3, 0.6
FINISHING_KILLS = 3


def fork(frames: list[Frame], predictor: Sa2VAPredictor, run: Path, prompts: Prompts) -> int:
    """Start the whole run, or the rest of it, in a process of its own; returns its id."""
    child = os.fork()
    if child:
        return child
    failed = 1
    try:
        predict(frames, predictor, run, prompts, batch_size=2)
        failed = 0
    finally:
        os._exit(failed)


def killed(child: int, seconds: float) -> bool:
    """Whether the process was still at work when it was killed so many seconds later."""
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def reached(run: Path, cases: int) -> None:
    """Wait until so many cases are committed, or the run is finished."""
    while len(list(run.glob("parts/*.json"))) < cases and not (run / "manifest.json").exists():
        time.sleep(0.005)


def ended_well(child: int) -> bool:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def own_prompts(frames: list[Frame]) -> dict[str, list[str]]:
    """One to three prompts of each case."""
    parts = ("vessels", "widest vessel", "left vessels")
    return {frame.case_id: list(parts[: 1 + place % 3]) for place, frame in enumerate(frames)}


def main(model: str, data: str, folder: str, kills: str, asked: str = "shared") -> None:
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)
    chance = random.Random(7)
    frames = list(open_dataset(Path(data)).frames)
    predictor = Sa2VAPredictor(*load_model(Path(model), "cpu", "float32"), {"name": "fixture"})
    prompts = own_prompts(frames) if asked == "own" else (DEFAULT_PROMPT,)
    whole, run = Path(folder) / "whole", Path(folder) / "run"
    ended = ended_well(fork(frames, predictor, whole, prompts))
    count, counts = 0, []
    while count < int(kills) and not (run / "manifest.json").exists():
        child = fork(frames, predictor, run, prompts)
        reached(run, (counts[-1] if counts else 0) + chance.randint(0, MOST_MORE_CASES))
        count += killed(child, chance.uniform(0, MOST_SECONDS))
        counts.append(len(list(run.glob("parts/*.json"))))
    ended = ended_well(fork(frames, predictor, run, prompts)) and ended
    wanted = run_files(whole)
    equal = {"random moments": run_files(run) == wanted}
    for number in range(FINISHING_KILLS):
        again = Path(folder) / f"finishing-{number}"
        shutil.copytree(run, again)
        for name in ("manifest.json", "predictions.parquet", "coco.json", "timings.parquet"):
            (again / name).unlink(missing_ok=True)
        killed(fork(frames, predictor, again, prompts), chance.uniform(0.02, 0.4))
        ended = ended_well(fork(frames, predictor, again, prompts)) and ended
        equal[f"finishing {number}"] = run_files(again) == wanted
    print(json.dumps({"kills": count, "counts": counts, "ended": ended, "equal": equal, "files": len(wanted)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
