"""Images a second of `vesselkit predict` on one GPU and on several, files to files.

`python -m helpers.dev.measure.speed_gpus FOLDER --gpus 2` writes images of noise, then lets 1 and 2 processes share a
run as those of torchrun do, each on a GPU of its own with a model of random weights. All wait for each other before the
time that counts. It is taken until the last frame is predicted and written, and until the run is finished: one process
makes the tables of all cases, however many predicted.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from helpers.dev.bench.stand_in import write_noise

SIDE = 512
_PATIENCE = 300  # seconds until a process that waits for the others gives up


@dataclass(frozen=True)
class Rates:
    """Images a second from the common start until the last frame is written, and until the run is finished."""

    predicted: float
    finished: float


def run_share(folder: Path, index: int, count: int, preset: str, device: str, batch_size: int) -> None:
    """One process: its share of the batches, after a warm-up. Prints when it started and ended."""
    import torch

    from helpers.core.vocabulary import Preset
    from helpers.data.frames.frame import Frame
    from helpers.dev.bench.stand_in import stand_in
    from helpers.model.graphed_model import GraphedModel
    from helpers.prediction.engine.dtypes import MIXED
    from helpers.prediction.run import predict
    from helpers.prediction.sa2va_predictor import Sa2VAPredictor
    from helpers.prediction.work_shards import WorkShard

    chosen = torch.device(device)
    cuda = chosen.type == "cuda"
    model, tokenizer = stand_in(Preset(preset), chosen, MIXED)
    predictor = Sa2VAPredictor(GraphedModel(model) if cuda else model, tokenizer, {})
    frames = [Frame(path.stem, path) for path in sorted((folder / "images").glob("*.png"))]
    predict(frames[: 2 * batch_size], predictor, folder / f"warm-up-{count}-{index}", batch_size=batch_size)
    ready = folder / f"ready-{count}"
    ready.mkdir(exist_ok=True)
    (ready / str(index)).touch()
    waited = time.monotonic()
    while len(list(ready.iterdir())) < count:
        if time.monotonic() - waited > _PATIENCE:
            raise SystemExit("the other processes did not come")
        time.sleep(0.01)
    start = time.time()
    predict(frames, predictor, folder / f"run-{count}", batch_size=batch_size, shard=WorkShard(index + 1, count))
    print(json.dumps({"start": start, "end": time.time()}), flush=True)


def measure(folder: Path, images: int, count: int, arguments: argparse.Namespace) -> Rates:
    """The rates of `count` processes together."""
    processes = []
    for index in range(count):
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": str(index), "LOCAL_WORLD_SIZE": str(count)}
        command = [sys.executable, "-m", "helpers.dev.measure.speed_gpus", str(folder), "--share", f"{index}/{count}"]
        options = [
            "--preset",
            arguments.preset,
            "--device",
            arguments.device,
            "--batch-size",
            str(arguments.batch_size),
        ]
        processes.append(subprocess.Popen([*command, *options], env=environment, stdout=subprocess.PIPE, text=True))
    said = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise SystemExit(f"a process of {count} failed; its message stands above")
    times = [json.loads(text.splitlines()[-1]) for text in said]
    start, end = min(found["start"] for found in times), max(found["end"] for found in times)
    written = max(path.stat().st_mtime for path in (folder / f"run-{count}/parts").iterdir())
    return Rates(images / (written - start), images / (end - start))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where images and runs go; it must not exist")
    parser.add_argument("--gpus", type=int, default=2)
    parser.add_argument("--preset", default="8b")
    parser.add_argument("--images", type=int, default=1280, help="enough that start and end do not dominate")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--share", help="I/N from 0: run this share, in this process")
    arguments = parser.parse_args()
    if arguments.share:
        index, count = map(int, arguments.share.split("/"))
        run_share(arguments.folder, index, count, arguments.preset, arguments.device, arguments.batch_size)
        return
    write_noise(arguments.folder / "images", SIDE, arguments.images)
    one, several = (measure(arguments.folder, arguments.images, count, arguments) for count in (1, arguments.gpus))
    for words, alone, together in (
        ("until the last frame is written", one.predicted, several.predicted),
        ("until the run is finished", one.finished, several.finished),
    ):
        print(f"{arguments.preset}, {SIDE} x {SIDE}, {words}: {alone:.1f} images/s on one GPU, {together:.1f} on "
              f"{arguments.gpus}: {together / alone:.2f} times")  # fmt: skip
    shutil.rmtree(arguments.folder)


if __name__ == "__main__":
    main()
