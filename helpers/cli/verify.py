"""`vesselkit verify`: a model folder against its sources, against the official code, and before it is handed on.

The packages are imported inside the command, so that `--help` need not wait for torch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from helpers.cli.arguments import Earlier, file_or_none, input_path, next_text, optional_input_path, output_file
from helpers.cli.convert import Base, Pretrained, Sam2, TrainConfig
from helpers.cli.options import AS_FOUND, Device
from helpers.core.errors import UsageProblem

_SCRIPT = Earlier("an earlier receipt script", lambda content: b'"vesselkit.receipt"' in content)


def _folder_or_script(context: typer.Context, folder: Path | None) -> Path | None:
    """The folder as typed; where it is missing, the script must be asked for, which was parsed before."""
    if folder is None and context.params.get("write_receipt_script") is None:
        raise typer.BadParameter("expected a folder that `convert` wrote, got none", param_hint="DIR")
    return folder


def verify(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="Folder that `convert` wrote.", callback=_folder_or_script),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", metavar="CKPT", help="The converted checkpoint: account for its tensors again."),
    ] = None,
    base: Base = None,
    sam2: Sam2 = None,
    train_config: TrainConfig = None,
    pretrained: Pretrained = None,
    receipt: Annotated[
        Path | None,
        typer.Option(
            "--receipt", metavar="FILE", help="What the official code computes, written by the receipt script."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DATASET", help="Data set with the receipt's frames, recognised by their pixels."
        ),
    ] = None,
    device: Device = "auto",
    publish_check: Annotated[
        bool,
        typer.Option("--publish-check", help="Look for paths, keys and names in its files, and print the upload line."),
    ] = False,
    scores: Annotated[
        Path | None,
        typer.Option(
            "--scores", metavar="DIR", help="With --publish-check: write this evaluation's scores on the card."
        ),
    ] = None,
    write_receipt_script: Annotated[
        Path | None,
        typer.Option(
            "--write-receipt-script",
            metavar="FILE",
            help="Write the script that makes a receipt, then stop.",
            is_eager=True,
        ),
    ] = None,
) -> None:
    """Check a converted folder against its sources, against the official code, or before you publish it."""
    if write_receipt_script is not None:
        _write_script(write_receipt_script)
        return
    if folder is None or (checkpoint is None and receipt is None and not publish_check):
        raise UsageProblem("verify: expected --checkpoint CKPT, --receipt FILE or --publish-check, got none of them")
    of_sources = {"--base": base, "--sam2": sam2, "--train-config": train_config, "--pretrained": pretrained}
    _refuse_alone(checkpoint, "--checkpoint", of_sources)
    _refuse_alone(receipt, "--receipt", {"--data": data})
    _refuse_alone(publish_check or None, "--publish-check", {"--scores": scores})
    model = input_path(folder, "DIR")
    is_right = True
    if checkpoint is not None:
        from helpers.checkpoints.verify import verify as run_verification

        report = run_verification(
            model,
            checkpoint=input_path(checkpoint, "--checkpoint"),
            base=optional_input_path(base, "--base"),
            sam2=optional_input_path(sam2, "--sam2"),
            train_config=optional_input_path(train_config, "--train-config"),
            pretrained=file_or_none(pretrained, "--pretrained"),
        )
        typer.echo(report.to_text())
        is_right = report.ok
    if receipt is not None:
        from helpers.stages.receipt_stage import Outcome, check_against_receipt

        opening = None if data is None else AS_FOUND.opening(data)
        verdict = check_against_receipt(model, input_path(receipt, "--receipt"), opening, device)
        typer.echo(verdict.to_text())
        is_right = is_right and verdict.outcome is Outcome.SAME
    if publish_check:
        from helpers.stages.publish_stage import publish_check as run_publish_check

        published = run_publish_check(model, optional_input_path(scores, "--scores"))
        typer.echo(published.to_text())
        is_right = is_right and published.ok
    if not is_right:
        raise typer.Exit(1)
    if not publish_check:
        typer.echo(next_text(["predict", "--model", str(model), "--data", "DATASET", "--output", "RUN"]))


def _refuse_alone(wanted: object | None, option: str, others: Mapping[str, Any]) -> None:
    """Raise UsageProblem where options are given without the one that they go with."""
    given = [name for name, value in others.items() if value is not None]
    if wanted is None and given:
        raise UsageProblem(f"{given[0]}: goes with {option}. Leave it out")


def _write_script(given: Path) -> None:
    from helpers.checkpoints.receipt.receipt_file import read_script
    from helpers.core.atomic import write_bytes_atomic

    path = output_file(given, "--write-receipt-script", _SCRIPT)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomic(path, read_script())
    typer.echo(f"written to {path}; where the official code runs:")
    typer.echo(f"python {path.name} --model OFFICIAL_EXPORT --output receipt.npz --frames FRAME.png FRAME.png")
