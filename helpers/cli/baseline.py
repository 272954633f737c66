"""Commands about baselines and about masks that come from elsewhere."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from helpers.cli.arguments import typed_path
from helpers.cli.data import IdKey, Ids
from helpers.cli.inference import Data, opened


class BaselineName(StrEnum):
    """What can be tuned."""

    FRANGI = "frangi"


Layout = Annotated[str | None, typer.Option("--layout", metavar="NAME", help="See docs/datasets.md. Else found out.")]
IdPolicyName = Annotated[
    Ids | None,
    typer.Option("--ids", metavar="keep|pseudonym", help="Else kept for public data sets, replaced for others."),
]
GroupBy = Annotated[
    str | None,
    typer.Option(
        "--group-by", metavar="RULE", help="Regular expression with (?P<patient>...), or column:NAME of a CSV."
    ),
]
Split = Annotated[str | None, typer.Option("--split", metavar="NAME", help="Only cases of this split.")]


def tune(
    baseline: Annotated[BaselineName, typer.Argument(metavar="BASELINE", help="frangi.")],
    data: Data,
    output: Annotated[Path, typer.Option("--output", metavar="FILE", help="JSON file of the chosen settings.")],
    split: Split = None,
    layout: Layout = None,
    ids: IdPolicyName = None,
    id_key: IdKey = None,
    group_by: GroupBy = None,
    processes: Annotated[int, typer.Option("--processes", metavar="2", min=1, help="Processes at a time.")] = 2,
) -> None:
    from helpers.tuning.choice import tune as choose_settings  # here, so that --help need not wait
    from helpers.tuning.choice import write_choice

    dataset = opened(data, layout=layout, ids=ids, id_key=id_key, group_by=group_by, split=split)
    result = choose_settings(dataset, split=split, processes=processes)
    path = typed_path(output)
    write_choice(result, path)
    typer.echo(f"{result.to_text()}\nwritten to {path}\nnext: vesselkit predict --model {baseline} --model-config FILE")
