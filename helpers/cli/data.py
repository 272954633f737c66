"""`vesselkit data`: check a data set, split it by patient, and find the file behind a case id."""

import json
from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import (
    data_words,
    input_path,
    json_with,
    next_text,
    option_name,
    option_words,
    output_folder,
    require_replaceable,
    typed_path,
)
from helpers.cli.options import AS_FOUND, FRAMES_ONLY, DataArgument, DataOptions, IdKey, Seed, with_data_options
from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import MaskValues

_AUDIT = json_with("an earlier check", "findings", "counts")


@with_data_options(without=("split",))
def check(
    dataset: DataArgument,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="Folder for the table, JSON and a sheet of suspicious cases."),
    ] = None,
    options: DataOptions = AS_FOUND,
    values: Annotated[
        MaskValues | None,
        typer.Option("--values", metavar="|".join(MaskValues), help="Meaning of the values in mask files."),
    ] = None,
    vessel: Annotated[
        list[str] | None,
        typer.Option("--vessel", metavar="VALUE", help="Value, colour or label that means vessel. May be given again."),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore", metavar="VALUE", help="Value, colour or label whose pixels are not scored. May be given again."
        ),
    ] = None,
    bits: Annotated[
        int | None, typer.Option("--bits", metavar="N", min=8, max=16, help="Number of used bits of a 16-bit pixel.")
    ] = None,
    card: Annotated[
        bool, typer.Option("--card", help="Write a data set card, README.md, into --output: numbers, no names.")
    ] = False,
    save: Annotated[bool, typer.Option("--save", help="Save these settings with the data.")] = False,
) -> None:
    """Audit a data set before you use it."""
    from helpers.data.audit.audit import audit, write_report  # here, so that --help need not wait
    from helpers.data.layouts.detection import LAYOUTS
    from helpers.data.rule_file import save_rules
    from helpers.data.rules import Rules, in_both

    if card and output is None:
        raise UsageProblem("--card: expected --output DIR, the folder to write the card to, got none")
    folder = None if output is None else output_folder(output, "--output", dataset)
    if folder is not None:
        require_replaceable(folder, "--output", "findings.json", _AUDIT)
    vessels, ignored = (tuple(dict.fromkeys(one)) if one else None for one in (vessel, ignore))
    tried = Rules(None, None, None, None if values is None else values.value, vessels, ignored, bits)
    if in_both(tried):
        raise UsageProblem(f"--vessel and --ignore: expected different values, got {in_both(tried)!r} as both")
    found = options.opening(dataset, "DATASET")
    opened = found.open(tried)
    report = audit(opened)
    if folder is not None:
        from helpers.review.figures.audit_sheet import save_suspicious_sheet  # an audit alone need not load matplotlib

        write_report(report, folder)
        save_suspicious_sheet(report.findings, opened.cases, folder)
        if card:
            from helpers.data.audit.data_card import write_card

            written = write_card(opened, report, folder)
            typer.echo(f"data set card written to {written}; write in it what the files do not tell", err=as_json)
    typer.echo(json.dumps(report.to_dict(), indent=1, ensure_ascii=False) if as_json else report.to_text())
    if save:
        kept = found.to_keep(opened, tried)
        if kept.decided():
            path = save_rules(opened.root, kept, LAYOUTS)
            typer.echo(f"rules saved in {path}: {kept.to_text()}", err=as_json)
        else:
            typer.echo("no rules saved: nothing was decided beside what each command finds by itself", err=as_json)
    if not report.ok:
        raise typer.Exit(1)
    if not as_json:
        shared = options.typed(rescale=None, rescale_from=None)
        if tried.decided() and not save:  # other commands know no such options
            typed = options.typed(values=values, vessel=vessel, ignore=ignore, bits=bits)
            words = ["data", "check", str(dataset), *option_words(typed)]
            typer.echo(next_text([*words, "--save"]))
        else:
            typer.echo(next_text(["predict", "--model", "MODEL", *data_words(dataset, shared), "--output", "RUN"]))


@with_data_options(without=("split", *FRAMES_ONLY))
def split(
    dataset: DataArgument,
    folds: Annotated[int | None, typer.Option("--folds", metavar="K", help="Parts fold1 to foldK.")] = None,
    train: Annotated[
        int | None, typer.Option("--train", metavar="70", help="Percentage of the patients to train on.")
    ] = None,
    dev: Annotated[int | None, typer.Option("--dev", metavar="10", help="Percentage to choose settings on.")] = None,
    test: Annotated[
        int | None, typer.Option("--test", metavar="20", help="Percentage to test on; these patients are sealed.")
    ] = None,
    seed: Seed = 0,
    already_trained: Annotated[
        Path | None,
        typer.Option(
            "--already-trained",
            metavar="FILE",
            help="What a model was trained on: names, annotations, or the config.py. Its patients go only into train.",
        ),
    ] = None,
    options: DataOptions = AS_FOUND,
) -> None:
    """Split a data set by patient, and save the split with the data."""
    from helpers.stages.split_stage import SplitRequest  # here, so that --help need not wait

    opening = options.opening(dataset, "DATASET")
    kept = SplitRequest(opening, folds, train, dev, test, seed, already_trained, spell=option_name).run()
    typer.echo(f"{kept.to_text()}\nkept in {kept.path}")
    shared = options.typed(rescale=None, rescale_from=None, split=list(kept.split.parts)[-1])
    typer.echo(next_text(["predict", "--model", "MODEL", *data_words(dataset, shared), "--output", "RUN"]))


def who(
    case_id: Annotated[
        str, typer.Argument(metavar="ID", help="Case id, such as P007-S02-F034, or the name of a file.")
    ],
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DATASET", help="Data set of the case. Default: the working directory."),
    ] = None,
    id_key: IdKey = None,
) -> None:
    """Give the original path of a case id, or the case id of a file, on the machine that holds the map."""
    from helpers.data.ids.original_file import ids_of_file, origin  # here, so that --help need not wait

    folder = input_path(data, "--data") if data is not None else typed_path(Path("."))
    key = None if id_key is None else typed_path(id_key)
    try:
        found = origin(case_id, folder, key)
    except UsageProblem:
        drawn = ids_of_file(case_id, folder, key)
        if not drawn:
            raise
        for one in drawn:
            typer.echo(one)
        return
    if found.kept:
        typer.echo("this id is kept: it is the original name", err=True)
    for path in found.paths:
        typer.echo(path)
