"""Commands about data sets and the ids of their cases."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from helpers.cli import registry
from helpers.cli.arguments import (
    data_words,
    input_path,
    json_with,
    next_text,
    option_words,
    output_folder,
    require_replaceable,
    typed_path,
)
from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import AskedIds, MaskValues

if TYPE_CHECKING:
    from helpers.data.opening import Opening

_AUDIT = json_with("an earlier check", "findings", "counts")

app = typer.Typer(help="Look at data sets.", no_args_is_help=True)


Data = Annotated[Path, typer.Option("--data", metavar="DATASET", help="Folder, annotation file, one image or film.")]
Layout = Annotated[str | None, typer.Option("--layout", metavar="NAME", help="See docs/datasets.md. Else found out.")]
IdsOption = Annotated[
    AskedIds | None,
    typer.Option("--ids", metavar="keep|pseudonym", help="Else kept for public data sets, replaced for others."),
]
GroupBy = Annotated[
    str | None,
    typer.Option(
        "--group-by", metavar="RULE", help="Regular expression with (?P<patient>...), or column:NAME of a CSV."
    ),
]
Split = Annotated[str | None, typer.Option("--split", metavar="NAME", help="Only cases of this split.")]
IdKey = Annotated[
    Path | None,
    typer.Option("--id-key", metavar="FILE", help="Key of the case ids. Else .vesselkit/id.key in the data set."),
]

Rescale = Annotated[bool, typer.Option("--rescale", help="Fit ground truths made for another size to their frames.")]
RescaleFrom = Annotated[
    str | None,
    typer.Option(
        "--rescale-from", metavar="WxH", help="Size of the images on which annotations that state none were drawn."
    ),
]


@app.command("check", help=registry.command("data check").summary)
def check(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder, annotation file, one image or film.")],
    layout: Layout = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every finding.")] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="DIR", help="Folder for the table, JSON and a sheet of suspicious cases."),
    ] = None,
    group_by: GroupBy = None,
    ids: IdsOption = None,
    id_key: IdKey = None,
    rescale: Rescale = False,
    rescale_from: RescaleFrom = None,
    values: Annotated[
        MaskValues | None,
        typer.Option("--values", metavar="mask|probability", help="What the values of mask files are."),
    ] = None,
    vessel: Annotated[
        list[str] | None,
        typer.Option("--vessel", metavar="VALUE", help="A value, colour or label that is vessel. May be given again."),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="VALUE", help="One whose pixels are not scored. May be given again."),
    ] = None,
    bits: Annotated[
        int | None, typer.Option("--bits", metavar="N", min=8, max=16, help="Bits in use of a 16-bit pixel.")
    ] = None,
    save: Annotated[bool, typer.Option("--save", help="Keep what these options decide with the data.")] = False,
) -> None:
    from helpers.data.audit.audit import audit, write_report  # here, so that --help need not wait
    from helpers.data.layouts.detection import LAYOUTS
    from helpers.data.rules import Rules, in_both, save_rules

    folder = None if output is None else output_folder(output, "--output", dataset)
    if folder is not None:
        require_replaceable(folder, "--output", "findings.json", _AUDIT)
    listed = (tuple(dict.fromkeys(one)) if one else None for one in (vessel, ignore))
    tried = Rules(None, None, None, None if values is None else values.value, *listed, bits)
    if in_both(tried):
        raise UsageProblem(f"--vessel and --ignore: expected different values, got {in_both(tried)!r} as both")
    found = opening(dataset, layout, ids, id_key, group_by, None, rescale, rescale_from, option="DATASET")
    opened = found.open(tried)
    report = audit(opened)
    if folder is not None:
        from helpers.review.figures.audit_sheet import save_suspicious_sheet  # an audit alone need not load matplotlib

        write_report(report, folder)
        save_suspicious_sheet(report.findings, opened.cases, folder)
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
        shared = {"layout": layout, "ids": ids, "id_key": id_key, "group_by": group_by}
        if tried.decided() and not save:  # other commands know no such options
            shared |= {"rescale": rescale, "rescale_from": rescale_from, "values": values, "vessel": vessel}
            words = ["data", "check", str(dataset), *option_words({**shared, "ignore": ignore, "bits": bits})]
            typer.echo(next_text([*words, "--save"]))
        else:
            typer.echo(next_text(["predict", "--model", "MODEL", *data_words(dataset, shared), "--output", "RUN"]))


def opening(
    data: Path,
    layout: str | None = None,
    ids: AskedIds | None = None,
    id_key: Path | None = None,
    group_by: str | None = None,
    split: str | None = None,
    rescale: bool = False,
    rescale_from: str | None = None,
    *,
    option: str = "--data",
) -> "Opening":
    """The data set that the options of a command describe, as typed, yet to be opened.

    Args:
        option: the name of the first, for the message.
    Raises:
        UsageProblem: where the data set is not there.
    """
    from helpers.data.opening import Opening  # here, so that --help need not wait

    folder = input_path(data, option)
    policy, key = None if ids is None else ids.value, None if id_key is None else typed_path(id_key)
    return Opening(folder, layout, policy, key, group_by, split, rescale, rescale_from)


def who(
    case_id: Annotated[str, typer.Argument(metavar="ID", help="Such as P007-S02-F034.")],
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DATASET", help="Data set of the case. Else the working directory.")
    ] = None,
    id_key: IdKey = None,
) -> None:
    from helpers.data.ids.original_file import origin  # here, so that --help need not wait

    folder = input_path(data, "--data") if data is not None else typed_path(Path("."))
    found = origin(case_id, folder, None if id_key is None else typed_path(id_key))
    if found.kept:
        typer.echo("this id is kept: it is the original name", err=True)
    for path in found.paths:
        typer.echo(path)
