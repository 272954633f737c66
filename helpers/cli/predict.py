"""`vesselkit predict`.

The packages are imported inside the commands, so that `--help` need not wait for torch.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from helpers.cli.arguments import input_path, next_steps, optional_input_path, output_folder
from helpers.cli.convert import (
    Base,
    LoraAlpha,
    Pretrained,
    Sam2,
    Sam2Config,
    Template,
    TrainConfig,
    file_or_none,
    preset_or_file,
)
from helpers.cli.options import AS_FOUND, FRAMES_ONLY, Data, DataOptions, with_data_options
from helpers.cli.predictors import (
    BatchSize,
    CudaGraphs,
    Device,
    Dtype,
    LauncherOption,
    ModelConfig,
    Quantize,
    Running,
    Threshold,
    TokenLimit,
    batch_size_of,
    composed,
    exported,
    vesselness,
)
from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import Combine, Launcher, Mode

if TYPE_CHECKING:
    from helpers.data.dataset import Dataset
    from helpers.runs.run_folder import Run

# A folder of this name is given as ./frangi.
BASELINE = "frangi"


@with_data_options(without=FRAMES_ONLY)
def predict(
    data: Data,
    output: Annotated[Path, typer.Option("--output", metavar="RUN", help="Run folder; one that was stopped goes on.")],
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="DIR", help="Folder that `convert` wrote, or frangi. Or give --checkpoint."),
    ] = None,
    model_config: ModelConfig = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", metavar="CKPT", help="Checkpoint to compose the model from, in memory."),
    ] = None,
    base: Base = None,
    sam2: Sam2 = None,
    sam2_config: Sam2Config = None,
    train_config: TrainConfig = None,
    lora_alpha: LoraAlpha = None,
    template: Template = None,
    pretrained: Pretrained = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option("--prompt", metavar="TEXT", help="May be given again. Else 'Please segment the blood vessels.'"),
    ] = None,
    mode: Annotated[
        Mode,
        typer.Option(
            "--mode",
            metavar="|".join(Mode),
            help="Each frame by itself, or sequences followed; see the run folder's document.",
        ),
    ] = Mode.FRAME,
    batch_size: BatchSize = "auto",
    device: Device = "auto",
    dtype: Dtype = "auto",
    quantize: Quantize = None,
    cuda_graphs: CudaGraphs = False,
    threshold: Threshold = 0.5,
    combine: Annotated[
        Combine,
        typer.Option("--combine", metavar="|".join(Combine), help="How several [SEG] become one mask."),
    ] = Combine.UNION,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", help="Only the first N; more may be asked for later.")
    ] = None,
    case_list: Annotated[
        Path | None,
        typer.Option("--case-list", metavar="FILE", help="Only these cases: a file with an id a line."),
    ] = None,
    shard: Annotated[
        str | None, typer.Option("--shard", metavar="I/N", help="Only this share of the batches, such as 1/4.")
    ] = None,
    options: DataOptions = AS_FOUND,
    max_new_tokens: TokenLimit = 64,
    launcher: LauncherOption = Launcher.NONE,
) -> None:
    """Run a model over a data set: text, logits and masks, resumable."""
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
        "pretrained": pretrained,
    }
    strays = [name.replace("_", "-") for name, value in composing.items() if value is not None]
    if model is not None and strays:
        raise UsageProblem(f"--{strays[0]}: goes with --checkpoint, and --model was given. Leave it out")
    plain = model == BASELINE
    if model_config is not None and not plain:
        raise UsageProblem(f"--model-config: goes with --model {BASELINE}. Leave it out")
    if mode is not Mode.FRAME and (plain or batch_size != "auto"):
        stray = f"--model {BASELINE}" if plain else "--batch-size"
        raise UsageProblem(f"--mode {mode}: follows sequences with a Sa2VA model, frame by frame. Leave {stray} out")
    if plain and (quantize is not None or cuda_graphs):
        stray = "--quantize" if quantize is not None else "--cuda-graphs"
        raise UsageProblem(f"{stray}: --model {BASELINE} is no network. Leave it out")
    if cuda_graphs and mode is not Mode.FRAME:
        raise UsageProblem(f"--cuda-graphs: goes with --mode frame, got {mode}. Leave it out")
    if plain and len(prompt or ()) > 1:
        raise UsageProblem(f"--prompt: --model {BASELINE} understands no prompt, got {len(prompt)}. Leave them out")

    from helpers.data.cases import listed
    from helpers.prediction.predictor import DEFAULT_PROMPT
    from helpers.prediction.run import (
        check_asking,
        check_output,
        check_parameters,
    )
    from helpers.prediction.run import predict as run_prediction
    from helpers.prediction.sequences.sequence_answers import first_frames, own_limit, sequences_of
    from helpers.prediction.work_shards import WHOLE, launched, parse_shard
    from helpers.runs.emptiness import empty_warning
    from helpers.runs.run_folder import open_run

    process = launched(launcher)
    if process is not None:
        for handler in logging.getLogger().handlers:
            handler.setFormatter(logging.Formatter(f"rank {process.rank}: %(levelname)s: %(message)s"))
    if process is not None and shard is not None:
        raise UsageProblem("--shard: the launcher's processes are shards already. Leave it out")
    share = parse_shard(shard) if shard is not None else WHOLE if process is None else process.shard
    device = device if process is None else process.device(device)
    prompts = tuple(prompt or (DEFAULT_PROMPT,))
    size = batch_size_of(batch_size)
    check_parameters(prompts, threshold, size, limit)
    folder = output_folder(output, "--output", data)
    check_output(folder)
    running = Running(device, dtype, max_new_tokens, mode, quantize, cuda_graphs)
    if plain:
        identity, open_predictor = vesselness(optional_input_path(model_config, "--model-config"))
    elif model is not None:
        identity, open_predictor = exported(input_path(Path(model), "--model"), running)
    else:
        sources = {
            **composing,
            "base": optional_input_path(base, "--base"),
            "sam2": optional_input_path(sam2, "--sam2"),
            "sam2_config": preset_or_file(sam2_config),
            "train_config": optional_input_path(train_config, "--train-config"),
            "pretrained": file_or_none(pretrained),
        }
        identity, open_predictor = None, composed(input_path(checkpoint, "--checkpoint"), sources, running)
    dataset = options.opening(data).open()
    frames = dataset.frames
    if case_list is None:
        limit = own_limit(frames, limit)
    else:
        frames = listed(frames, input_path(case_list, "--case-list"))
        limit = min(limit or len(frames), len(frames))  # so that evaluation takes the other cases for left out
    if mode is not Mode.FRAME:
        sequences_of(first_frames(frames, limit, mode))  # refuses before the model is loaded
        size = 1
    settings = {"threshold": threshold, "combine": combine, "limit": limit, "dataset": dataset.identity}
    check_asking(folder, frames, prompts, model=identity, batch_size=size, mode=mode, **settings)
    summary = run_prediction(frames, open_predictor(), folder, prompts, batch_size=size, shard=share, **settings)
    typer.echo(summary.to_text(process))
    if summary.failure is not None and (summary.complete or process is None):  # a launcher would end the other ranks
        raise typer.Exit(1)
    if summary.complete and len(dataset.cases) == 1:
        typer.echo(_one_frame(open_run(folder), dataset))
    if summary.complete:
        typer.echo(next_steps(output, data, options.typed(), scores=any(case.truth for case in dataset.cases)))
        warning = empty_warning(open_run(folder))
        if warning is not None:
            typer.echo(warning)


def _one_frame(run: "Run", dataset: "Dataset") -> str:
    """Draw the only frame of a data set, and say what the model answered, a line for each prompt."""
    from helpers.notebook.case_pictures import PANELS_FOLDER, write_panels

    pictures = write_panels(run, dataset.cases, run.folder / PANELS_FOLDER)
    answers = (f"answer to {run.prompts[rows[0].prompt_id]!r}: {rows[0].text}" for rows in run.predictions())
    return "\n".join([*(answers if run.rows[0].text is not None else ()), *(f"picture: {path}" for path in pictures)])
