"""`vesselkit`: the app, and the exit codes of its errors."""

import logging
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from helpers import __version__
from helpers.cli import (
    baselines,
    bench_command,
    check_precision,
    convert,
    data_set,
    doctor,
    evaluate_runs,
    predict,
    refseg,
    registry,
    review_commands,
    whole_way,
)
from helpers.core.errors import Stopped, UsageProblem, VesselkitError, exit_as_interrupted, explain_os_errors
from helpers.core.terminal import Terminal

EXIT_CODES = {
    0: "ok",
    1: "findings: the command ran, and what it looked at is not in order; or it failed unexpectedly",
    2: "usage: the call cannot work as it stands",
    3: "refused input: a file was read as far as needed and refused",
    130: "stopped: by Ctrl-C or a scheduler; the same command goes on from what is finished, or starts anew",
}


@dataclass
class AppSettings:
    """Options that stand before the command's name.

    Attributes:
        debug: whether an error shows where it arose.
    """

    debug: bool = False


class KitGroup(TyperGroup):
    """A group that refuses an option that is given twice where one is meant."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            _refuse_repetition(command.params, rest)
        return name, command, rest


def _refuse_repetition(parameters: Sequence[Any], given: Sequence[str]) -> None:
    """Of an option given twice the last would be taken without a word. Raises UsageProblem."""
    words = map(str, given)
    counts = Counter(word.split("=")[0] for word in words if word.startswith("--"))
    for parameter in parameters:
        times = max((counts[option] for option in parameter.opts), default=0)
        if times > 1 and not getattr(parameter, "multiple", False):
            raise UsageProblem(f"{parameter.opts[0]}: expected once, got it {times} times")


app = typer.Typer(
    name="vesselkit",
    cls=KitGroup,
    help="Convert, run, score and review Sa2VA vessel segmentation models. Not for clinical use.",
    epilog="Exit codes: 0 ok, 1 findings, 2 usage, 3 refused input, 130 stopped.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"vesselkit {__version__}")
        raise typer.Exit()


@app.callback()
def _before_command(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error arose.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and stop.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    settings = context.ensure_object(AppSettings)
    settings.debug = debug
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    logging.getLogger("helpers").setLevel(logging.DEBUG if debug else logging.NOTSET)
    logging.getLogger("helpers.data.opening").setLevel(logging.INFO)  # by which rules a data set was read


for _name, _function in (
    ("inspect", convert.inspect),
    ("convert", convert.convert),
    ("verify", convert.verify),
    ("who", data_set.who),
    ("predict", predict.predict),
    ("import-masks", baselines.import_masks),
    ("tune", baselines.tune),
    ("evaluate", evaluate_runs.evaluate),
    ("refseg", refseg.refseg),
    ("gate", evaluate_runs.gate),
    ("visualize", review_commands.visualize),
    ("review", review_commands.review),
    ("report", review_commands.report),
    ("run", whole_way.run),
    ("synth", bench_command.synth),
    ("pipeline", whole_way.pipeline),
    ("train", whole_way.train),
    ("check-precision", check_precision.check_precision),
    ("doctor", doctor.doctor),
):
    app.command(_name, help=registry.command(_name).summary)(_function)
app.add_typer(data_set.app, name="data", cls=KitGroup)
app.add_typer(bench_command.bench_app, name="bench", cls=KitGroup)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with one of EXIT_CODES.

    Args:
        arguments: what follows `vesselkit`; None takes them from the process.
    Raises:
        SystemExit: always, but for an unexpected error, which goes on with its traceback.
    """
    settings = AppSettings()
    try:
        given = sys.argv[1:] if arguments is None else list(arguments)
        named = next((word for word in given if not word.startswith("-")), "vesselkit")
        with exit_as_interrupted(), explain_os_errors(), Terminal(sys.stderr).at_work(named):
            app(args=given, prog_name="vesselkit", obj=settings)
    except VesselkitError as error:
        if settings.debug:
            logging.getLogger(__name__).debug("where the error arose:", exc_info=error)
        typer.echo(f"Error: {error}", err=True)
        raise SystemExit(error.exit_code) from None
    except SystemExit as ended:
        if ended.code == Stopped.exit_code:  # Typer's answer to Ctrl-C, which says nothing
            typer.echo("Error: stopped; give the same command again, which goes on or starts anew", err=True)
        raise
