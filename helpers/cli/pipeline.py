"""`vesselkit pipeline`."""

from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import file_or_none, input_path, optional_input_path, output_folder, preset_or_file
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
    Data,
    DataOptions,
    Device,
    Dtype,
    ExcludeTraining,
    ModelConfig,
    Training,
    with_data_options,
)


@with_data_options(without=("rescale",))
def pipeline(
    checkpoint: Annotated[Path, typer.Option("--checkpoint", metavar="CKPT", help="iter_N.pth, or an export.")],
    data: Data,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="Folder of all results; finished steps are not repeated.")
    ],
    base: Base = None,
    sam2: Sam2 = None,
    sam2_config: Sam2Config = None,
    train_config: TrainConfig = None,
    lora_alpha: LoraAlpha = None,
    template: Template = None,
    pretrained: Pretrained = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option("--prompt", metavar="TEXT", help="May be given again. Default: the documented one."),
    ] = None,
    model_config: ModelConfig = None,
    training: Training = None,
    exclude_training: ExcludeTraining = False,
    device: Device = "auto",
    dtype: Dtype = "auto",
    limit: Annotated[
        int | None,
        typer.Option("--limit", metavar="N", min=1, help="Only the first N cases; a later call may take more."),
    ] = None,
    options: DataOptions = AS_FOUND,
) -> None:
    """Go from a checkpoint to a report in one command."""
    from helpers.notebook.pipeline import PipelineRequest, run_pipeline  # here, so that --help need not wait
    from helpers.notebook.pipeline.pipeline_report import beginning_text, closing_text, step_text

    request = PipelineRequest(
        checkpoint=input_path(checkpoint, "--checkpoint"),
        opening=options.opening(data),
        output=output_folder(output, "--output", data),
        base=optional_input_path(base, "--base"),
        sam2=optional_input_path(sam2, "--sam2"),
        sam2_config=preset_or_file(sam2_config, "--sam2-config"),
        train_config=optional_input_path(train_config, "--train-config"),
        lora_alpha=lora_alpha,
        template=template,
        pretrained=file_or_none(pretrained, "--pretrained"),
        prompts=tuple(prompt) if prompt else None,
        baseline=optional_input_path(model_config, "--model-config"),
        training=optional_input_path(training, "--training"),
        exclude_training=exclude_training,
        device=device,
        dtype=dtype,
        limit=limit,
    )
    steps = []
    for step in run_pipeline(request, lambda beginning: typer.echo(beginning_text(beginning))):
        steps.append(step)
        typer.echo(step_text(step))
    typer.echo(closing_text(steps))
