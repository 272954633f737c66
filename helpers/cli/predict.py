"""`vesselkit predict`.

The packages are imported inside the commands, so that `--help` need not wait for torch.
"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from helpers.cli.arguments import next_steps, option_name, output_folder
from helpers.cli.convert import (
    Base,
    LoraAlpha,
    Pretrained,
    Sam2,
    Sam2Config,
    Template,
    TrainConfig,
)
from helpers.cli.options import (
    AS_FOUND,
    FRAMES_ONLY,
    BatchSize,
    CudaGraphs,
    Data,
    DataOptions,
    Device,
    Dtype,
    LauncherOption,
    ModelConfig,
    Quantize,
    Threshold,
    TokenLimit,
    batch_size_of,
    with_data_options,
)
from helpers.core.vocabulary import Combine, Ensemble, Launcher, Mode

if TYPE_CHECKING:
    from helpers.data.dataset import Dataset
    from helpers.runs.run_folder import Run


@with_data_options(without=FRAMES_ONLY)
def predict(
    data: Data,
    output: Annotated[Path, typer.Option("--output", metavar="RUN", help="Run folder; an interrupted run is resumed.")],
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="DIR", help="Folder that `convert` wrote, or frangi. Alternative: --checkpoint."
        ),
    ] = None,
    model_config: ModelConfig = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", metavar="CKPT", help="Checkpoint from which to compose the model in memory."),
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
        typer.Option(
            "--prompt", metavar="TEXT", help="May be given again. Default: 'Please segment the blood vessels.'"
        ),
    ] = None,
    mode: Annotated[
        Mode,
        typer.Option(
            "--mode",
            metavar="|".join(Mode),
            help="Each frame by itself, or tracked sequences; see docs/run-format.md.",
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
        typer.Option("--combine", metavar="|".join(Combine), help="How to combine several [SEG] into one mask."),
    ] = Combine.UNION,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", help="Only the first N cases; a later call may take more.")
    ] = None,
    case_list: Annotated[
        Path | None,
        typer.Option("--case-list", metavar="FILE", help="Only these cases: a file with one id on each line."),
    ] = None,
    shard: Annotated[
        str | None, typer.Option("--shard", metavar="I/N", help="Only this share of the batches, such as 1/4.")
    ] = None,
    options: DataOptions = AS_FOUND,
    max_new_tokens: TokenLimit = 64,
    launcher: LauncherOption = Launcher.NONE,
    ensemble: Annotated[
        str | None,
        typer.Option(
            "--ensemble", metavar="|".join(Ensemble), help="Record how far answers differ. Separate two with a comma."
        ),
    ] = None,
) -> None:
    """Run a model over a data set: text, logits and masks, resumable."""
    from helpers.prediction.ensemble import parse_ensemble
    from helpers.prediction.model_choice import BASELINE, Composition, ModelChoice
    from helpers.prediction.predictor import DEFAULT_PROMPT
    from helpers.prediction.run_summary import empty_warning
    from helpers.prediction.work_shards import launched, parse_shard
    from helpers.runs.run_folder import open_run
    from helpers.stages.predict_stage import PredictRequest

    choice = ModelChoice(
        model if model in (None, BASELINE) else Path(model),
        checkpoint,
        Composition(base, sam2, sam2_config, train_config, lora_alpha, template, pretrained),
        model_config,
        device,
        dtype,
        quantize,
        mode,
        cuda_graphs,
        max_new_tokens,
    )
    choice.check(option_name)
    process = launched(launcher)
    if process is not None:
        for handler in logging.getLogger().handlers:
            handler.setFormatter(logging.Formatter(f"rank {process.rank}: %(levelname)s: %(message)s"))
    request = PredictRequest(
        options.opening(data),
        output_folder(output, "--output", data),
        choice,
        tuple(prompt or (DEFAULT_PROMPT,)),
        threshold,
        combine,
        batch_size_of(batch_size),
        limit,
        case_list,
        None if shard is None else parse_shard(shard),
        process,
        parse_ensemble(ensemble, "--ensemble"),
        option_name,
    )
    found = request.run()
    summary, dataset, folder = found.summary, found.dataset, found.summary.folder
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
