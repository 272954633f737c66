"""Commands from a checkpoint to an export: inspect, convert.

The packages are imported inside the commands, so that `--help` need not wait for torch.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import input_path, next_text, option_name
from helpers.core.vocabulary import ExportDtype

CheckpointPath = Annotated[
    Path, typer.Argument(metavar="CKPT", help="Checkpoint file, model folder or training folder.")
]


Checkpoint = Annotated[
    Path,
    typer.Option(
        "--checkpoint",
        metavar="CKPT",
        help="iter_N.pth, a full checkpoint, an official export, or a peft adapter's folder.",
    ),
]
Base = Annotated[
    Path | None,
    typer.Option("--base", metavar="DIR", help="InternVL, Qwen2.5-VL or Qwen3-VL folder that the run started from."),
]
Sam2 = Annotated[
    Path | None,
    typer.Option("--sam2", metavar="FILE", help="SAM 2.0 file that the training run started from."),
]
TrainConfig = Annotated[
    Path | None,
    typer.Option(
        "--train-config",
        metavar="CFG.py",
        help="Training config; read as text, never executed. Default: the checkpoint's own.",
    ),
]

Pretrained = Annotated[
    str | None,
    typer.Option(
        "--pretrained",
        metavar="FILE_OR_DIR",
        help="The Sa2VA that training loaded over --base before LoRA, its .pth or folder; none: nothing was loaded.",
    ),
]
Sam2Config = Annotated[
    str | None,
    typer.Option(
        "--sam2-config", metavar="PRESET_OR_JSON", help="hiera_t, hiera_s, hiera_b+, hiera_l, or a JSON of sizes."
    ),
]
LoraAlpha = Annotated[
    float | None, typer.Option("--lora-alpha", metavar="A", help="LoRA alpha; overrides the config's.")
]
Template = Annotated[
    str | None, typer.Option("--template", metavar="NAME", help="Chat template; overrides the config's.")
]


TrainingKey = Annotated[
    Path | None,
    typer.Option(
        "--id-key", metavar="FILE", help="Key for hashing the names of training images. Default: this machine's key."
    ),
]


def convert(
    checkpoint: Checkpoint,
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="Folder to write; it must not exist.")],
    base: Base = None,
    sam2: Sam2 = None,
    sam2_config: Sam2Config = None,
    train_config: TrainConfig = None,
    lora_alpha: LoraAlpha = None,
    template: Template = None,
    pretrained: Pretrained = None,
    id_key: TrainingKey = None,
    dtype: Annotated[
        ExportDtype, typer.Option("--dtype", metavar="|".join(ExportDtype), help="Dtype of every tensor of the export.")
    ] = ExportDtype.BFLOAT16,
) -> None:
    """Turn a checkpoint into a HuggingFace folder, accounting for every tensor."""
    from helpers.stages.convert_stage import ConvertRequest

    converted = ConvertRequest(
        checkpoint,
        output,
        base=base,
        sam2=sam2,
        sam2_config=sam2_config,
        train_config=train_config,
        lora_alpha=lora_alpha,
        template=template,
        pretrained=pretrained,
        id_key=id_key,
        dtype=dtype.value,
        spell=option_name,
    ).run()
    typer.echo(converted.record.summary())
    typer.echo(f"note: {converted.kept.text}", err=True)
    typer.echo(f"written to {converted.folder}")
    typer.echo(_predict_text(converted.folder))


def _predict_text(model: Path) -> str:
    return next_text(["predict", "--model", str(model), "--data", "DATASET", "--output", "RUN"])


def inspect(
    ckpt: CheckpointPath,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Show what a checkpoint or training folder contains."""
    from helpers.checkpoints.read.inspection import inspect_checkpoint  # here, so that --help need not wait for torch

    found = inspect_checkpoint(input_path(ckpt, "CKPT"), progress=True)
    typer.echo(json.dumps(found.to_dict(), indent=1, ensure_ascii=False) if as_json else found.to_text())
