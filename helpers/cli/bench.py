"""`vesselkit dev bench`: models of the published sizes, and throughput of prediction on this machine.

The packages are imported inside the commands, so that `--help` need not wait for torch.
"""

from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import input_path, json_with, output_file, output_folder, require_replaceable
from helpers.cli.options import (
    BatchSize,
    Data,
    DataOptions,
    Device,
    Dtype,
    ModelFolder,
    Quantize,
    batch_size_of,
    checked_quantization,
)
from helpers.core.atomic import write_json_atomic, write_text_atomic
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.vocabulary import Preset

_BENCH = json_with("earlier measurements", "preset", "machine", "images")
_MEASURED = json_with("earlier measurements", "loop", "pipeline", "ratio")


def bench_model(
    preset: Annotated[
        Preset,
        typer.Option(
            "--preset", metavar="1b|2b|4b|8b|internlm2-8b|qwen25vl-3b|qwen3vl-4b|demo", help="Size of the model."
        ),
    ] = Preset.DEMO,
    side: Annotated[
        list[int] | None, typer.Option("--side", metavar="512", help="Side of the square images; may be given again.")
    ] = None,
    batch_sizes: Annotated[
        str | None,
        typer.Option("--batch-sizes", metavar="LIST", help="Such as 1,4,16. Default: what fits the device."),
    ] = None,
    calls: Annotated[int | None, typer.Option("--calls", metavar="N", help="Calls for the latency.")] = None,
    files: Annotated[
        int, typer.Option("--files", metavar="0", help="Images to measure from files to a run folder.")
    ] = 0,
    frames: Annotated[int, typer.Option("--frames", metavar="0", help="Frames of a sequence to track.")] = 0,
    device: Device = "auto",
    dtype: Dtype = "auto",
    quantize: Quantize = None,
    memory_cap: Annotated[
        float | None,
        typer.Option("--memory-cap", metavar="GIB", help="Limit the GPU's memory, to imitate a smaller card."),
    ] = None,
    no_graphs: Annotated[
        bool, typer.Option("--no-cuda-graphs", help="On a GPU, do not use CUDA graphs, which need memory.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help="Folder for bench.json, .txt, .png and .svg.")
    ] = None,
) -> None:
    """Measure latency, throughput and memory of a model of a given size."""
    import torch  # here, so that --help need not wait

    from helpers.dev.bench.bench_result import bench_figure
    from helpers.dev.bench.measuring import BenchPlan, measure_model
    from helpers.prediction.engine.model_loading import choose_device, choose_dtype
    from helpers.review.figures.figure_file import save_figure

    folder = None if output is None else output_folder(output, "--output")
    if folder is not None:
        require_replaceable(folder, "--output", "bench.json", _BENCH)
    chosen = choose_device(device)
    gpu = chosen.type == "cuda"
    if memory_cap is not None and (not gpu or memory_cap <= 0):
        raise UsageProblem(f"--memory-cap: expected a number above 0 and a GPU, got {memory_cap} on {chosen.type}")
    plan = BenchPlan(
        sides=tuple(_positive("--side", number) for number in side or (512,)),
        batch_sizes=_sizes(batch_sizes) if batch_sizes else (1, 2, 4, 8, 16) if gpu else (1, 2),
        calls=_positive("--calls", (20 if gpu else 3) if calls is None else calls),
        files=files,
        frames=frames,
        graphs=gpu and not no_graphs,
    )
    cap = None if memory_cap is None else int(memory_cap * (1 << 30))
    quantization = checked_quantization(device, dtype, quantize)
    try:
        found = measure_model(preset, chosen, choose_dtype(dtype, chosen), plan, quantization, cap)
    except torch.OutOfMemoryError as error:
        raise RefusedInput(
            f"the {preset.value} model and one image do not fit in the memory of {chosen}; take a smaller preset, or "
            "--quantize nf4"
        ) from error
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_json_atomic(folder / "bench.json", found.to_dict())
        write_text_atomic(folder / "bench.txt", found.to_text() + "\n")
        save_figure(bench_figure(found), folder, "bench")
    typer.echo(found.to_text())


def bench_predict(
    model: ModelFolder,
    data: Data,
    count: Annotated[int, typer.Option("--n", metavar="N", help="Number of frames.")] = 24,
    rounds: Annotated[
        int, typer.Option("--rounds", metavar="N", help="Rounds, each with the pipeline and the plain loop.")
    ] = 3,
    batch_size: BatchSize = "auto",
    device: Device = "auto",
    dtype: Dtype = "auto",
    quantize: Quantize = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="JSON file for all measurements.")
    ] = None,
) -> None:
    """Measure the throughput of prediction, from files to files."""
    from helpers.dev.bench.predict_rate import measure  # here, so that --help need not wait
    from helpers.prediction.engine.model_loading import check_folder, load_model

    _positive("--n", count)
    _positive("--rounds", rounds)
    size = batch_size_of(batch_size)
    folder = input_path(model, "--model")
    written = None if output is None else output_file(output, "--output", _MEASURED)
    quantization = checked_quantization(device, dtype, quantize)
    check_folder(folder)
    frames = DataOptions().opening(data).open().frames[:count]
    found = measure(*load_model(folder, device, dtype, quantization), frames, rounds=rounds, batch_size=size)
    if written is not None:
        written.parent.mkdir(parents=True, exist_ok=True)
        write_json_atomic(written, found.to_dict())
    typer.echo(found.to_text())


def _sizes(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) for part in parts):
        raise UsageProblem(f"--batch-sizes: expected numbers of at least 1 such as 1,4,16, got {text!r}")
    return tuple(sorted({int(part) for part in parts}))


def _positive(option: str, number: int) -> int:
    if number < 1:
        raise UsageProblem(f"{option}: expected at least 1, got {number}")
    return number
