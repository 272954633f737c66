"""Commands that go the whole way, and the one that trains."""

from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import input_path, optional_input_path, output_folder
from helpers.cli.convert import (
    Base,
    LoraAlpha,
    Pretrained,
    Sam2,
    Template,
    TrainConfig,
    file_or_none,
    preset_or_file,
)
from helpers.cli.data_set import Data, GroupBy, IdKey, IdsOption, Layout, RescaleFrom, Split, opening
from helpers.cli.evaluate_runs import ExcludeTraining, Training
from helpers.cli.predictors import Device, Dtype
from helpers.core.errors import Stopped


def pipeline(
    checkpoint: Annotated[Path, typer.Option("--checkpoint", metavar="CKPT", help="iter_N.pth, or an export.")],
    data: Data,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="Folder of all results; what is done there is not redone.")
    ],
    base: Base = None,
    sam2: Sam2 = None,
    sam2_config: Annotated[
        str | None, typer.Option("--sam2-config", metavar="PRESET_OR_JSON", help="SAM2's sizes. Else found out.")
    ] = None,
    train_config: TrainConfig = None,
    lora_alpha: LoraAlpha = None,
    template: Template = None,
    pretrained: Pretrained = None,
    prompt: Annotated[
        list[str] | None, typer.Option("--prompt", metavar="TEXT", help="May be given again. Else the documented one.")
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", metavar="FILE", help="Of `vesselkit tune frangi`. Else documented defaults."),
    ] = None,
    training: Training = None,
    exclude_training: ExcludeTraining = False,
    device: Device = "auto",
    dtype: Dtype = "auto",
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="Only the first N cases.")] = None,
    split: Split = None,
    layout: Layout = None,
    ids: IdsOption = None,
    id_key: IdKey = None,
    group_by: GroupBy = None,
    rescale_from: RescaleFrom = None,
) -> None:
    request = {
        "checkpoint": input_path(checkpoint, "--checkpoint"),
        "opening": opening(data, layout, ids, id_key, group_by, split, rescale_from=rescale_from),
        "output": output_folder(output, "--output", data),
        "base": optional_input_path(base, "--base"),
        "sam2": optional_input_path(sam2, "--sam2"),
        "sam2_config": preset_or_file(sam2_config),
        "train_config": optional_input_path(train_config, "--train-config"),
        "lora_alpha": lora_alpha,
        "template": template,
        "pretrained": file_or_none(pretrained),
        "prompts": tuple(prompt) if prompt else None,
        "baseline": optional_input_path(baseline, "--baseline"),
        "training": optional_input_path(training, "--training"),
        "exclude_training": exclude_training,
    }
    from helpers.notebook.pipeline import PipelineRequest, run_pipeline  # here, so that --help need not wait
    from helpers.notebook.pipeline.pipeline_report import beginning_text, closing_text, step_text

    steps = []
    asked = PipelineRequest(**request, device=device, dtype=dtype, limit=limit)
    for step in run_pipeline(asked, lambda beginning: typer.echo(beginning_text(beginning))):
        steps.append(step)
        typer.echo(step_text(step))
    typer.echo(closing_text(steps))


def train(
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="Folder; a stopped training goes on there.")],
    seed: Annotated[int, typer.Option("--seed", metavar="0", min=0, help="Of weights and order.")] = 0,
    workers: Annotated[
        int, typer.Option("--workers", metavar="4", min=1, help="Processes that draw and load frames.")
    ] = 4,
    processes: Annotated[
        int, typer.Option("--processes", metavar="1", min=1, help="Processes that train, one on each GPU.")
    ] = 1,
) -> None:
    folder = output_folder(output, "--output")

    from helpers.dev.demo.recipe import TrainingRecipe, train_demo  # here, so that --help need not wait

    typer.echo("draws frames, then trains: half an hour on two H100, weeks without a GPU; a stopped call goes on")
    files = train_demo(folder, TrainingRecipe(seed=seed), workers, processes)
    typer.echo(f"written to {files.folder}\nnext: vesselkit pipeline --checkpoint {files.checkpoint} ...")


def run(file: Annotated[Path, typer.Argument(metavar="BATCH", help="A batch.yaml; see docs/batch-file.md.")]) -> None:
    from helpers.notebook.grid import run_batch  # here, so that --help need not wait
    from helpers.notebook.grid_file import read_batch
    from helpers.notebook.grid_index import JobStatus

    batch = read_batch(input_path(file, "BATCH"))
    try:
        states = run_batch(batch, told=lambda line: typer.echo(line, err=True))
    except KeyboardInterrupt:
        raise Stopped(
            f"stopped; what is finished is kept, and the same command goes on from there ({batch.folder})"
        ) from None
    counts = {status: sum(state.status is status for state in states.values()) for status in JobStatus}
    typer.echo(", ".join(f"{count} {status}" for status, count in counts.items() if count))
    typer.echo(f"index: {batch.folder / 'index.html'}")
    if counts[JobStatus.FAILED]:
        raise typer.Exit(1)
