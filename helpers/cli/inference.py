"""Commands that run a model over a data set.

The packages are imported inside the commands, so that `--help` need not wait for torch.
"""

import logging
import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from helpers.atomic import write_json_atomic
from helpers.cli import registry
from helpers.cli.arguments import input_path, optional_input_path, output_path, typed_path
from helpers.cli.conversion import Base, Sam2, TrainConfig, preset_or_file
from helpers.cli.data import Data, GroupBy, IdKey, IdsOption, Layout, Split, opening
from helpers.errors import UsageProblem

if TYPE_CHECKING:
    from helpers.inference.predictor import Predictor
    from helpers.inference.sequences import Mode
    from helpers.quantization.layers import Quantization

bench_app = typer.Typer(help="Measure this machine.", no_args_is_help=True)


# A folder of this name is given as ./frangi.
BASELINE = "frangi"


class LauncherName(StrEnum):
    """What started the processes of a run."""

    NONE = "none"
    PYTORCH = "pytorch"
    SLURM = "slurm"


class CombineName(StrEnum):
    """How the maps of several `[SEG]` become one mask."""

    UNION = "union"
    FIRST = "first"
    BEST = "best"


class ModeName(StrEnum):
    """How a run goes through the frames of a sequence."""

    FRAME = "frame"
    TRACK = "track"
    TRACK_BOTH = "track-both"
    FUSED = "fused"


BatchSize = Annotated[
    str, typer.Option("--batch-size", metavar="auto", help="Frames predicted together, or auto: what suits the device.")
]
Device = Annotated[str, typer.Option("--device", metavar="auto", help="auto, cpu, cuda, cuda:N or mps.")]
Dtype = Annotated[str, typer.Option("--dtype", metavar="auto", help="auto, bfloat16, float16 or float32.")]


class QuantizationName(StrEnum):
    """How the weights of the language model are held."""

    INT8 = "int8"
    NF4 = "nf4"


Quantize = Annotated[
    QuantizationName | None,
    typer.Option(
        "--quantize",
        metavar="int8|nf4",
        help="Hold the language model's weights in 8 or 4 bits; vision tower and SAM2 stay as they are.",
    ),
]
CudaGraphs = Annotated[
    bool,
    typer.Option("--cuda-graphs", help="On a GPU, replay the model's passes: sooner, after a slow first batch."),
]


def predict(
    data: Data,
    output: Annotated[
        Path, typer.Option("--output", metavar="RUN", help="Run folder; one that was stopped is gone on with.")
    ],
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="DIR", help="Folder that `convert` wrote, or frangi. Or give --checkpoint."),
    ] = None,
    model_config: Annotated[
        Path | None,
        typer.Option("--model-config", metavar="FILE", help="Settings of frangi, as `vesselkit tune` wrote them."),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", metavar="CKPT", help="Checkpoint to compose the model from, in memory."),
    ] = None,
    base: Base = None,
    sam2: Sam2 = None,
    sam2_config: Annotated[
        str | None,
        typer.Option(
            "--sam2-config", metavar="PRESET_OR_JSON", help="hiera_t, hiera_s, hiera_b+, hiera_l, or a JSON of sizes."
        ),
    ] = None,
    train_config: TrainConfig = None,
    lora_alpha: Annotated[
        float | None, typer.Option("--lora-alpha", metavar="A", help="LoRA alpha, in place of the config's.")
    ] = None,
    template: Annotated[
        str | None, typer.Option("--template", metavar="NAME", help="Chat template, in place of the config's.")
    ] = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option("--prompt", metavar="TEXT", help="May be given again. Else 'Please segment the blood vessels.'"),
    ] = None,
    mode: Annotated[
        ModeName,
        typer.Option(
            "--mode",
            metavar="frame|track|track-both|fused",
            help="Each frame by itself, or sequences followed; see the run folder's document.",
        ),
    ] = ModeName.FRAME,
    batch_size: BatchSize = "auto",
    device: Device = "auto",
    dtype: Dtype = "auto",
    quantize: Quantize = None,
    cuda_graphs: CudaGraphs = False,
    threshold: Annotated[
        float, typer.Option("--threshold", metavar="0.5", help="Probability above which a pixel is in the mask.")
    ] = 0.5,
    combine: Annotated[
        CombineName,
        typer.Option("--combine", metavar="union|first|best", help="How several [SEG] become one mask."),
    ] = CombineName.UNION,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", help="Only the first N cases.")] = None,
    case_list: Annotated[
        Path | None,
        typer.Option("--case-list", metavar="FILE", help="Only these cases: a file with an id a line."),
    ] = None,
    shard: Annotated[
        str | None, typer.Option("--shard", metavar="I/N", help="Only this share of the batches, such as 1/4.")
    ] = None,
    layout: Layout = None,
    ids: IdsOption = None,
    id_key: IdKey = None,
    group_by: GroupBy = None,
    split: Split = None,
    max_new_tokens: Annotated[
        int, typer.Option("--max-new-tokens", metavar="64", help="Most tokens of an answer.")
    ] = 64,
    launcher: Annotated[
        LauncherName,
        typer.Option(
            "--launcher", metavar="none|pytorch|slurm", help="What started the processes; torchrun needs no naming."
        ),
    ] = LauncherName.NONE,
) -> None:
    if (model is None) == (checkpoint is None):
        raise UsageProblem(
            "model: expected --model DIR (a folder that `vesselkit convert` wrote) or --checkpoint CKPT, got "
            f"{'neither; there is no default model' if model is None else 'both'}"
        )
    composing = {
        "base": base,
        "sam2": sam2,
        "sam2_config": sam2_config,
        "train_config": train_config,
        "lora_alpha": lora_alpha,
        "template": template,
    }
    strays = [name.replace("_", "-") for name, value in composing.items() if value is not None]
    if model is not None and strays:
        raise UsageProblem(f"--{strays[0]}: goes with --checkpoint, and --model was given. Leave it out")
    plain = model == BASELINE
    if model_config is not None and not plain:
        raise UsageProblem(f"--model-config: goes with --model {BASELINE}. Leave it out")
    if mode is not ModeName.FRAME and (plain or batch_size != "auto"):
        stray = f"--model {BASELINE}" if plain else "--batch-size"
        raise UsageProblem(f"--mode {mode}: follows sequences with a Sa2VA model, frame by frame. Leave {stray} out")
    if plain and (quantize is not None or cuda_graphs):
        stray = "--quantize" if quantize is not None else "--cuda-graphs"
        raise UsageProblem(f"{stray}: --model {BASELINE} is no network. Leave it out")
    if cuda_graphs and mode is not ModeName.FRAME:
        raise UsageProblem(f"--cuda-graphs: goes with --mode frame, got {mode}. Leave it out")
    if plain and len(prompt or ()) > 1:
        raise UsageProblem(f"--prompt: --model {BASELINE} understands no prompt, got {len(prompt)}. Leave them out")

    from helpers.data.case_list import listed  # here, so that --help need not wait
    from helpers.inference.run import (
        DEFAULT_PROMPT,
        check_output,
        check_parameters,
        known_values,
    )
    from helpers.inference.run import predict as run_prediction
    from helpers.inference.sequences import Mode, sequences_of
    from helpers.inference.shards import WHOLE, Launcher, launched, parse_shard
    from helpers.runs.masks import Combine

    process = launched(Launcher(launcher.value))
    if process is not None:
        for handler in logging.getLogger().handlers:
            handler.setFormatter(logging.Formatter(f"rank {process.rank}: %(levelname)s: %(message)s"))
    if process is not None and shard is not None:
        raise UsageProblem("--shard: the launcher's processes are shards already. Leave it out")
    share = parse_shard(shard) if shard is not None else WHOLE if process is None else process.shard
    device = device if process is None else process.device(device)
    prompts = tuple(prompt or (DEFAULT_PROMPT,))
    size = _batch_size(batch_size)
    check_parameters(prompts, threshold, size, limit)
    folder = output_path(output, "--output", data)
    check_output(folder)
    wanted = Mode(mode.value)
    if plain:
        identity, open_predictor = _vesselness(optional_input_path(model_config, "--model-config"))
    elif model is not None:
        identity, open_predictor = exported(
            input_path(Path(model), "--model"), device, dtype, max_new_tokens, wanted, quantize, cuda_graphs
        )
    else:
        identity, open_predictor = (
            None,
            _composed(
                input_path(checkpoint, "--checkpoint"),
                {
                    **composing,
                    "base": optional_input_path(base, "--base"),
                    "sam2": optional_input_path(sam2, "--sam2"),
                    "sam2_config": preset_or_file(sam2_config),
                    "train_config": optional_input_path(train_config, "--train-config"),
                },
                device,
                dtype,
                max_new_tokens,
                wanted,
                quantize,
                cuda_graphs,
            ),
        )
    options = {"layout": layout, "ids": ids, "id_key": id_key, "group_by": group_by, "split": split}
    dataset = opening(input_path(data, "--data"), **options).open()
    frames = dataset.frames
    if case_list is not None:
        frames = listed(frames, input_path(case_list, "--case-list"))
        limit = min(limit or len(frames), len(frames))  # so that evaluation takes the other cases for left out
    if wanted is not Mode.FRAME:
        sequences_of(frames[:limit])  # refuses before the model is loaded
        size = 1
    settings = {"threshold": threshold, "combine": Combine(combine.value), "limit": limit, "dataset": dataset.identity}
    known = {**known_values(frames, prompts, **settings, mode=wanted), "model": identity, "batch_size": size}
    check_output(folder, {name: value for name, value in known.items() if value is not None})
    summary = run_prediction(frames, open_predictor(), folder, prompts, batch_size=size, shard=share, **settings)
    typer.echo(summary.to_text(process))
    if summary.complete:
        typer.echo(next_steps(output, data, options, scores=any(case.truth for case in dataset.cases)))


@bench_app.command("predict", help=registry.command("bench predict").summary)
def bench_predict(
    model: Annotated[Path, typer.Option("--model", metavar="DIR", help="Folder that `convert` wrote.")],
    data: Data,
    count: Annotated[int, typer.Option("--n", metavar="N", help="Frames of each round.")] = 24,
    rounds: Annotated[int, typer.Option("--rounds", metavar="N", help="Rounds, each with both ways.")] = 3,
    batch_size: BatchSize = "auto",
    device: Device = "auto",
    dtype: Dtype = "auto",
    quantize: Quantize = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="JSON file of all measurements.")
    ] = None,
) -> None:
    from helpers.inference.bench import measure  # here, so that --help need not wait
    from helpers.inference.loading import check_folder, load_model

    for name, number in (("--n", count), ("--rounds", rounds)):
        if number < 1:
            raise UsageProblem(f"{name}: expected at least 1, got {number}")
    size = _batch_size(batch_size)
    folder = input_path(model, "--model")
    quantization = _check_device(device, dtype, quantize, cuda_graphs=False)
    check_folder(folder)
    frames = opening(input_path(data, "--data")).open().frames[:count]
    found = measure(*load_model(folder, device, dtype, quantization), frames, rounds=rounds, batch_size=size)
    if output is not None:
        write_json_atomic(typed_path(output), found.to_dict())
    typer.echo(found.to_text())


def next_steps(run: Path, data: Path, options: Mapping[str, Any], *, scores: bool) -> str:
    """The commands that go on from a finished run, as they can be pasted.

    Args:
        options: fields of `Opening` by which the data set was opened; None for those that were not given.
        scores: whether there is ground truth.
    """
    given = [(name.replace("_", "-"), str(value)) for name, value in options.items() if value is not None]
    shared = ["--data", str(data), *(text for name, value in given for text in (f"--{name}", value)), "--output"]
    look = shlex.join(["vesselkit", "visualize", str(run), *shared, f"{run}-pictures"])
    score = shlex.join(["vesselkit", "evaluate", "--predictions", str(run), *shared, f"{run}-scores"])
    return f"next: {look}" + (f"\nnext: {score}" if scores else "")


def exported(
    folder: Path,
    device: str,
    dtype: str,
    token_limit: int,
    mode: "Mode | None" = None,
    quantize: QuantizationName | None = None,
    cuda_graphs: bool = False,
) -> tuple[Mapping[str, Any], Callable[[], Any]]:
    """Check an exported folder and what it shall run on; its identity, and a function that loads it.

    Args:
        mode: of the predictor that is loaded; None for that of frames.
        quantize: how the language model's weights are held; None for the dtype.
        cuda_graphs: whether the model's passes are replayed.
    """
    from helpers.inference.loading import check_folder, check_memory, load_model

    quantization = _check_device(device, dtype, quantize, cuda_graphs)
    identity = asdict(check_folder(folder))
    _check_token_limit(token_limit)
    check_memory(folder, device, dtype, quantization)

    def open_predictor() -> Any:
        model, tokenizer = load_model(folder, device, dtype, quantization)
        return _predictor_class(mode)(_graphed(model, cuda_graphs), tokenizer, identity, token_limit)

    return identity, open_predictor


def _vesselness(config: Path | None) -> tuple[Mapping[str, Any], Callable[[], "Predictor"]]:
    """The baseline under the settings of a file, or its defaults."""
    from helpers.vesselness.predictor import VesselnessPredictor
    from helpers.vesselness.settings import Tuned, read_settings

    predictor = VesselnessPredictor(Tuned() if config is None else read_settings(config))
    return predictor.identity, lambda: predictor


def _composed(
    checkpoint: Path,
    sources: Mapping[str, Any],
    device: str,
    dtype: str,
    token_limit: int,
    mode: "Mode",
    quantize: QuantizationName | None,
    cuda_graphs: bool,
) -> Callable[[], Any]:
    """Check what a composed model shall run on; the function that is returned composes it."""
    from helpers.inference.composition import compose

    quantization = _check_device(device, dtype, quantize, cuda_graphs)
    _check_token_limit(token_limit)

    def open_predictor() -> Any:
        model, tokenizer, identity = compose(
            checkpoint, **sources, device=device, dtype=dtype, quantization=quantization
        )
        return _predictor_class(mode)(_graphed(model, cuda_graphs), tokenizer, identity, token_limit)

    return open_predictor


def _check_device(
    device: str, dtype: str, quantize: QuantizationName | None, cuda_graphs: bool
) -> "Quantization | None":
    """Check that a device does what is asked of it; the quantization."""
    from helpers.inference.loading import choose_device, choose_dtype
    from helpers.quantization.layers import Quantization

    chosen = choose_device(device)
    choose_dtype(dtype, chosen)
    if cuda_graphs and chosen.type != "cuda":
        raise UsageProblem(f"--cuda-graphs: expected a CUDA device, got {chosen.type}. Leave it out")
    return None if quantize is None else Quantization(quantize.value)


def _graphed(model: Any, cuda_graphs: bool) -> Any:
    from helpers.inference.graphs import GraphedModel

    return GraphedModel(model) if cuda_graphs else model


def _predictor_class(mode: "Mode | None") -> Callable[..., Any]:
    from helpers.inference.sa2va import Sa2VAPredictor
    from helpers.inference.sequences import Mode
    from helpers.inference.tracking import SequencePredictor

    return Sa2VAPredictor if mode in (None, Mode.FRAME) else partial(SequencePredictor, mode=mode)


def _check_token_limit(token_limit: int) -> None:
    if token_limit < 1:
        raise UsageProblem(f"--max-new-tokens: expected at least 1, got {token_limit}")


def _batch_size(given: str) -> int | None:
    if given == "auto":
        return None
    if not given.isdecimal():
        raise UsageProblem(f"--batch-size: expected auto or a number of at least 1, got {given!r}")
    return int(given)
