"""Measure speed and memory of the published sizes on one GPU, and print the tables of docs/speed.md.

`python -m helpers.dev.measure.speed_table FOLDER` runs `vesselkit dev bench model` for each size in a process of its
own, then the 8B on smaller cards, which a limit on the process stands for. With `--model DIR --data DATASET` (the
trained demo model) it adds drafts, batches and precision on real answers; with `--gpus 2` it lets two share a run.
Results are written as they come.
"""

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

GIB = 1 << 30
VESSELKIT = (sys.executable, "-c", "from helpers.cli.app import main; main()")
PRESETS = ("8b", "1b", "4b", "2b")  # what matters most first, since time may run out
CARDS = (
    (22, "mixed", None), (22, "float16", None), (22, "int8", "int8"), (22, "nf4", "nf4"),
    (11, "mixed", None), (11, "int8", "int8"), (11, "nf4", "nf4"),
)  # fmt: skip
SIDES = (512, 768, 700)


class Parts:
    """Commands run one after the other within a time; one that fails leaves the others alone."""

    def __init__(self, seconds: float):
        self._end = time.perf_counter() + seconds

    def run(self, name: str, command: Sequence[str], seconds: float) -> bool:
        """Run a command for at most so many seconds, less where the time is over before; whether it ended well."""
        start = time.perf_counter()
        allowed = min(seconds, self._end - start)
        if allowed <= 0:
            print(f"[{name}: left out, the time is over]\n", flush=True)
            return False
        try:
            code = subprocess.run(command, timeout=allowed).returncode
            ended = f"exit code {code}"
        except subprocess.TimeoutExpired:
            code, ended = None, "stopped, it took too long"
        print(f"[{name}: {ended}, {time.perf_counter() - start:.0f} s]\n", flush=True)
        return code == 0


def bench_preset(parts: Parts, folder: Path, preset: str, files: int, calls: int) -> None:
    """Latency, throughput, stages and files to files of a size; without CUDA graphs where they fail."""
    options = ["--preset", preset, "--side", "512", "--side", "768", "--batch-sizes", "1,2,4,8,16,32"]
    more = ["--calls", str(calls), "--files", str(files), "--output", str(folder / preset)]
    command = [*VESSELKIT, "dev", "bench", "model", *options, *more]
    if not parts.run(preset, command, 180):
        parts.run(f"{preset} without graphs", [*command, "--no-cuda-graphs"], 100)


def bench_cards(folder: Path, device: str, preset: str) -> None:
    """The 8B within the memory of smaller cards; what does not fit by the estimate is told and left out."""
    import torch

    from helpers.checkpoints.convert.model_config import target_shapes
    from helpers.core.errors import UsageProblem
    from helpers.core.vocabulary import Preset, Quantization
    from helpers.dev.bench.measuring import BenchPlan, measure_model
    from helpers.dev.bench.model_presets import preset_config
    from helpers.prediction.engine.dtypes import DTYPES, MIXED
    from helpers.prediction.engine.memory_estimate import limit_memory, require_memory

    chosen = torch.device(device)
    shapes = target_shapes(preset_config(Preset(preset)))
    plan = BenchPlan(sides=(512,), batch_sizes=(1, 2, 4), calls=8, files=0, graphs=False)
    for cap, name, bits in CARDS:
        quantization = None if bits is None else Quantization(bits)
        dtype = DTYPES.get(name, MIXED)
        try:
            gc.collect()  # the model before goes first
            if chosen.type == "cuda":
                limit_memory(chosen, cap * GIB)
            require_memory(shapes, chosen, dtype.main, quantization)
            found = measure_model(Preset(preset), chosen, dtype, plan, quantization, cap * GIB)
        except (UsageProblem, torch.OutOfMemoryError) as error:
            print(f"{cap} GiB, {name}: {error}\n", flush=True)
            continue
        target = folder / f"card-{cap}-{name}"
        target.mkdir(parents=True, exist_ok=True)
        (target / "bench.json").write_text(json.dumps(found.to_dict()))
        print(found.to_text(), "\n", flush=True)


def disk_seconds(times: int = 20) -> float:
    """Median seconds until a new small file is on the disk of temporary files, as those of the benches are."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(times):
            with (Path(folder) / str(number)).open("wb") as file:
                file.write(b"1")
                file.flush()
                start = time.perf_counter()
                os.fsync(file.fileno())
                found.append(time.perf_counter() - start)
    return statistics.median(found)


def check_device(device: str, preset: str) -> None:
    """Whether this device's resize gives Pillow's bytes, and CUDA graphs the results of single launches; the disk."""
    import numpy as np
    import torch
    from PIL import Image

    from helpers.core.vocabulary import Preset
    from helpers.dev.bench.stand_in import draw_noise, stand_in
    from helpers.model.graphed_model import GraphedModel
    from helpers.prediction.engine.dtypes import MIXED
    from helpers.prediction.run import DEFAULT_PROMPT
    from helpers.prediction.sa2va_predictor import Sa2VAPredictor

    print(f"the disk answers in {1e3 * disk_seconds():.1f} ms")
    chosen = torch.device(device)
    model, tokenizer = stand_in(Preset(preset), chosen, MIXED)
    ways = {"single launches": Sa2VAPredictor(model, tokenizer, {}, resizes=True)}
    pillow = Sa2VAPredictor(model, tokenizer, {}, resizes=False)
    if chosen.type == "cuda":
        ways["CUDA graphs"] = Sa2VAPredictor(GraphedModel(model), tokenizer, {}, resizes=True)
    for side in SIDES:
        image = draw_noise(side, side).resize((side, side - 12), Image.Resampling.BILINEAR)
        made, expected = (one.to_device([one.prepare(image)])[0] for one in (ways["single launches"], pillow))
        pairs = ((made.tiles, expected.tiles), (made.square, expected.square))
        same = all(torch.equal(one.cpu(), other.cpu()) for one, other in pairs)
        print(f"{image.size}: resized on {chosen} with Pillow's bytes: {same}")
    batch = [draw_noise(512, seed) for seed in range(4)]
    masks = {}
    for name, predictor in ways.items():
        for _ in range(3):  # learns the draft, captures, replays
            answers = predictor.predict([predictor.prepare(image) for image in batch], [DEFAULT_PROMPT])
        masks[name] = np.stack([answer.logits for (answer,) in answers])
        alone = [predictor.predict([predictor.prepare(image)], [DEFAULT_PROMPT])[0][0].logits for image in batch]
        print(f"{name}: batch against single, IoU {_overlap(masks[name] > 0, np.stack(alone) > 0):.5f}")
    if len(masks) == 2:
        one, other = masks.values()
        print(f"graphs against single launches: IoU {_overlap(one > 0, other > 0):.5f}, "
              f"largest difference of logits {np.abs(one - other).max():.3g}")  # fmt: skip


def _overlap(one, other) -> float:
    union = (one | other).sum()
    return float((one & other).sum() / union) if union else 1.0


def summary(folder: Path) -> str:
    """One line a measurement, as Markdown."""
    lines = [
        "| model | image | weights | card | token by token | one pass | CUDA graphs | images/s (batch) | of product "
        "| files to files | peak, one image |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    machine, steps = None, []
    for path in sorted(folder.glob("*/bench.json")):
        found = json.loads(path.read_text())
        machine = machine or found["machine"]
        steps += _step_lines(found)
        cap = found["machine"]["memory_cap"]
        for place, image in enumerate(found["images"]):
            ways = [f"{1e3 * way['p50']:.1f} / {1e3 * way['p95']:.1f} / {1e3 * way['least']:.1f}"
                    for way in image["latencies"].values()]  # fmt: skip
            best = max(image["rates"].items(), key=lambda item: item[1], default=None)
            rate = "-" if best is None else f"{best[1]:.1f} ({best[0]})"
            share = "-" if best is None else f"{image['share_of_ceiling'][best[0]]:.0%}"
            files = "-" if found["files"] is None or place else _files_cell(found["files"])
            cells = [
                found["preset"],
                f"{image['side']}, {image['tiles']} tiles",
                f"{found['quantization'] or found['dtype']}, {found['weights'] / GIB:.1f} GiB",
                "whole" if cap is None else f"{cap / GIB:.0f} GiB",
                *(ways + ["-"] * 3)[:3],
                rate,
                share,
                files,
                f"{image['peak_alone'] / GIB:.2f} GiB" + ("" if found["finite"] else " NOT FINITE"),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    if steps:
        lines += ["", "| ms a batch, files to files | frames | to the device | answers | masks | rest | together |",
                  "| --- | --- | --- | --- | --- | --- | --- |", *steps]  # fmt: skip
    if machine is not None:
        lines += ["", f"{machine['device']}, torch {machine['torch']}, transformers {machine['transformers']}, "
                      f"{machine['threads']} threads; ms are p50 / p95 / least; matrix product "
                      f"{machine['ceiling'] / 1e12:.0f} TFLOP/s; random weights, the answer forced"]  # fmt: skip
    return "\n".join(lines)


def _files_cell(files: dict) -> str:
    """Images a second, the batch size, and the share of the batched rate, which older benches lack."""
    share = f", {files['share_of_batched']:.0%}" if "share_of_batched" in files else ""
    return f"{files['rate']:.1f} ({files['batch_size']}){share}"


def _step_lines(found: dict) -> list[str]:
    """A line for frames that lie ready and one for frames from files; none for older benches, which timed no steps."""
    files = found["files"] or {}
    lines = []
    for title, name in (("lie ready", "steps_ready"), ("from files", "steps")):
        if name in files:
            spent = [*files[name].values(), sum(files[name].values())]
            cells = [found["preset"], title, *(f"{1e3 * seconds:.1f}" for seconds in spent)]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def run_all(arguments: argparse.Namespace) -> None:
    """All parts in turn, and the table of what they left."""
    start = time.perf_counter()
    parts = Parts(arguments.seconds)
    itself = [
        sys.executable,
        "-m",
        "helpers.dev.measure.speed_table",
        str(arguments.folder),
        "--device",
        arguments.device,
    ]
    parts.run("check", [*itself, "--part", "check", "--check-preset", arguments.check_preset], 90)
    presets = arguments.presets.split(",")
    for preset in presets[:2]:
        bench_preset(parts, arguments.folder, preset, arguments.files, arguments.n)
    if arguments.gpus > 1:
        command = [sys.executable, "-m", "helpers.dev.measure.speed_gpus", str(arguments.folder / "gpus")]
        parts.run("gpus", [*command, "--gpus", str(arguments.gpus), "--preset", arguments.cards_preset], 180)
    parts.run("cards", [*itself, "--part", "cards", "--cards-preset", arguments.cards_preset], 150)
    if arguments.model and arguments.data:
        trained = ["--model", str(arguments.model), "--data", str(arguments.data), "--device", arguments.device]
        parts.run("drafts", [sys.executable, "-m", "helpers.dev.measure.one_pass", *trained], 60)
        found = ["--n", "32", "--output", str(arguments.folder / "precision.json")]
        parts.run("precision", [*VESSELKIT, "check-precision", *trained, *found], 60)
    for preset in presets[2:]:
        bench_preset(parts, arguments.folder, preset, arguments.files, arguments.n)
    print(summary(arguments.folder))
    print(f"all of it took {time.perf_counter() - start:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where results go")
    parser.add_argument("--part", choices=("check", "cards"), help="run this part alone, in this process")
    parser.add_argument("--presets", default=",".join(PRESETS), help="sizes to measure")
    parser.add_argument("--cards-preset", default="8b", help="size to measure on smaller cards and on several")
    parser.add_argument("--gpus", type=int, default=1, help="GPUs that share a run; 1 leaves that out")
    parser.add_argument("--check-preset", default="1b", help="size to check the device with")
    parser.add_argument("--files", type=int, default=1280, help="images from files to a run folder")
    parser.add_argument("--n", type=int, default=20, help="calls for the latency")
    parser.add_argument("--seconds", type=float, default=540, help="most that all parts take together")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--model", type=Path, help="trained model folder")
    parser.add_argument("--data", type=Path, help="its data set")
    arguments = parser.parse_args()
    if arguments.part == "check":
        check_device(arguments.device, arguments.check_preset)
    elif arguments.part == "cards":
        bench_cards(arguments.folder, arguments.device, arguments.cards_preset)
    else:
        run_all(arguments)


if __name__ == "__main__":
    main()
