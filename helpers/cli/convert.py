"""Commands from a checkpoint to an export: inspect, convert, verify.

The packages are imported inside the commands, so that `--help` need not wait for torch.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import input_path, next_text, optional_input_path, output_folder, typed_path
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
    typer.Option("--base", metavar="DIR", help="InternVL folder that the training run started from."),
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
        help="Training config; read as text, never executed. Else the checkpoint's own.",
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
    float | None, typer.Option("--lora-alpha", metavar="A", help="LoRA alpha, in place of the config's.")
]
Template = Annotated[
    str | None, typer.Option("--template", metavar="NAME", help="Chat template, in place of the config's.")
]


TrainingKey = Annotated[
    Path | None,
    typer.Option(
        "--id-key", metavar="FILE", help="Key of the hashes of training images' names. Else a key of this machine."
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
        ExportDtype, typer.Option("--dtype", metavar="|".join(ExportDtype), help="Of every tensor of the export.")
    ] = ExportDtype.BFLOAT16,
) -> None:
    """Turn a checkpoint into a HuggingFace folder, every tensor accounted for."""
    from helpers.checkpoints.convert import ConversionRequest
    from helpers.checkpoints.convert import convert as run_conversion
    from helpers.data.ids.id_key import key_at
    from helpers.evaluation.leakage.keeping import keep_names_of_export

    request = ConversionRequest(
        checkpoint=input_path(checkpoint, "--checkpoint"),
        output=output_folder(output, "--output"),
        base=optional_input_path(base, "--base"),
        sam2=optional_input_path(sam2, "--sam2"),
        sam2_config=preset_or_file(sam2_config),
        train_config=optional_input_path(train_config, "--train-config"),
        lora_alpha=lora_alpha,
        template=template,
        dtype=dtype.value,
        pretrained=file_or_none(pretrained),
    )
    key_file = None if id_key is None else typed_path(id_key)
    if key_file is not None:
        key_at(key_file)  # one that cannot be read or made is told before the work
    record = run_conversion(request)
    typer.echo(record.summary())
    kept = keep_names_of_export(request.output, request.checkpoint, request.train_config, key_file)
    typer.echo(f"note: {kept.text}", err=True)
    typer.echo(f"written to {request.output}")
    typer.echo(_predict_text(request.output))


def verify(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that `convert` wrote.")],
    checkpoint: Checkpoint,
    base: Base = None,
    sam2: Sam2 = None,
    train_config: TrainConfig = None,
    pretrained: Pretrained = None,
) -> None:
    """Redo the accounting of a converted folder against its sources."""
    from helpers.checkpoints.convert import verify as run_verification

    report = run_verification(
        input_path(folder, "DIR"),
        checkpoint=input_path(checkpoint, "--checkpoint"),
        base=optional_input_path(base, "--base"),
        sam2=optional_input_path(sam2, "--sam2"),
        train_config=optional_input_path(train_config, "--train-config"),
        pretrained=file_or_none(pretrained),
    )
    typer.echo(report.to_text())
    if not report.ok:
        raise typer.Exit(1)
    typer.echo(_predict_text(input_path(folder, "DIR")))


def _predict_text(model: Path) -> str:
    return next_text(["predict", "--model", str(model), "--data", "DATASET", "--output", "RUN"])


def file_or_none(given: str | None) -> Path | str | None:
    """`none` as it is, anything else as the path of a file or folder; one of that name is given as ./none."""
    return given if given in (None, "none") else input_path(Path(given), "--pretrained")


def preset_or_file(given: str | None) -> str | None:
    """A preset's name as it is; the name of a JSON file as a path."""
    if given is None or not given.endswith(".json"):
        return given
    return str(input_path(Path(given), "--sam2-config"))


def inspect(
    ckpt: CheckpointPath,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with everything that was found.")] = False,
) -> None:
    """Say what a checkpoint or training folder holds."""
    from helpers.checkpoints.read.inspection import inspect_checkpoint  # here, so that --help need not wait for torch

    found = inspect_checkpoint(input_path(ckpt, "CKPT"), progress=True)
    typer.echo(json.dumps(found.to_dict(), indent=1, ensure_ascii=False) if as_json else found.to_text())
