"""`vesselkit`: the app, and the exit codes of its errors."""

import logging
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from helpers import __version__
from helpers.cli import (
    bench,
    check_precision,
    convert,
    data,
    doctor,
    evaluate,
    export,
    gate,
    grid,
    import_files,
    import_masks,
    init,
    pipeline,
    predict,
    refseg,
    review,
    review_page,
    synth,
    train,
    tune,
    verify,
    visualize,
)
from helpers.cli.command_group import AppSettings, KitCommand, KitGroup, ordered, shows, spellings
from helpers.core.errors import Stopped, UsageProblem, VesselkitError, exit_as_interrupted, explain_os_errors
from helpers.core.extras import explain_missing_extras
from helpers.core.terminal import Terminal

EXIT_CODES = {
    0: "ok",
    1: "findings: the command ran and found problems, or it failed unexpectedly",
    2: "usage: the command cannot work as given",
    3: "refused input: a file was read as far as necessary and refused",
    130: "stopped by Ctrl-C or a scheduler: repeat the command to resume or restart",
}
_EPILOG = f"""\
Exit codes: {"; ".join(f"{code} {text}" for code, text in EXIT_CODES.items())}.

Relative paths start at the working directory, as in every shell. (In notebooks they start at the project root.) If an
output is a symbolic link, the command writes to its target. Before it starts work, it refuses a link without a target,
and a file of another kind than it writes. `vesselkit COMMAND --help-all` shows all options of a command.
"""
# In the order of the work: before it, from a checkpoint to corrected masks, all of it at once, what comes after.
_ORDER = ("doctor", "init", "inspect", "convert", "verify", "data", "predict", "evaluate", "visualize", "review")
_ORDER += ("review-page", "export", "import", "pipeline", "grid", "train", "tune", "gate", "check-precision", "refseg")
_ORDER += ("dev",)
# What `--help` of the two largest shows; `--help-all` shows the rest.
_PREDICT = ("--data", "--output", "--model", "--prompt", "--mode", "--batch-size", "--device", "--dtype", "--threshold")
_PREDICT += ("--limit",)
_EVALUATE = ("--predictions", "--data", "--output", "--against", "--name", "--prompt-id", "--training")
_EVALUATE += ("--exclude-training", "--development", "--processes")

app = typer.Typer(
    name="vesselkit",
    cls=ordered(*_ORDER),
    help="Convert, run, score and review Sa2VA vessel segmentation models. Not for clinical use.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=True,
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
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and stop.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    settings = context.ensure_object(AppSettings)
    settings.debug = debug
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    logging.getLogger("helpers").setLevel(logging.DEBUG if debug else logging.NOTSET)
    logging.getLogger("helpers.data.opening").setLevel(logging.INFO)  # by which rules a data set was read
    logging.getLogger("helpers.prediction.ensemble").setLevel(logging.INFO)  # how much longer it takes


_KIT = {"cls": KitCommand}
_BARE_PROMPT = {"context_settings": spellings(prompt="prompt-id")}  # an id of a prompt; `predict` takes its text
_PLACES = {"data_path": "data", "output_dir": "output"}
_SEED = {"model_path": "model", **_PLACES}
for _name, _function, _settings in (
    ("convert", convert.convert, {"context_settings": spellings(output_dir="output")}),
    ("predict", predict.predict, {"cls": shows(*_PREDICT), "context_settings": spellings(**_SEED)}),
    (
        "evaluate",
        evaluate.evaluate,
        {"cls": shows(*_EVALUATE), "context_settings": spellings(**_PLACES, prompt="prompt-id")},
    ),
    ("review", review.review, _BARE_PROMPT),
    ("pipeline", pipeline.pipeline, {"context_settings": spellings(baseline="model-config")}),
    ("visualize", visualize.visualize, {"context_settings": spellings(prompt="prompt-id", against="beside")}),
    ("review-page", review_page.review_page, _BARE_PROMPT),
    ("doctor", doctor.doctor, {}),
    ("inspect", convert.inspect, {}),
    ("verify", verify.verify, {}),
    ("export", export.export, {}),
    ("import", import_files.import_files, {}),
    ("import-masks", import_masks.import_masks, {"hidden": True}),
    ("check-precision", check_precision.check_precision, {}),
    ("train", train.train, {}),
    ("tune", tune.tune, {}),
    ("gate", gate.gate, {}),
    ("grid", grid.grid, {}),
    ("refseg", refseg.refseg, {"context_settings": spellings(**_SEED)}),
    ("init", init.init, {}),
):
    app.command(_name, **(_KIT | _settings))(_function)

_data = typer.Typer(help="Check data sets, split them by patient, find files behind case ids.", no_args_is_help=True)
_data.command("check", **_KIT)(data.check)
_data.command("split", **_KIT)(data.split)
_data.command("who", **_KIT)(data.who)
_bench = typer.Typer(help="Measure this machine.", no_args_is_help=True)
_bench.command("predict", **_KIT)(bench.bench_predict)
_bench.command("model", **_KIT, context_settings=spellings(n="calls"))(bench.bench_model)
_dev = typer.Typer(help="Developers' tools: measurements, synthetic data, the demo's training.", no_args_is_help=True)
_dev.command("synth", **_KIT, context_settings=spellings(sequences="sequences-each"))(synth.synth)
_dev.command("train-demo", **_KIT)(train.train_demo)
_dev.add_typer(_bench, name="bench", cls=KitGroup)
app.add_typer(_data, name="data", cls=KitGroup)
app.add_typer(_dev, name="dev", cls=KitGroup)


def _require_working_directory() -> None:
    """Raise UsageProblem where the working directory is gone, so that no relative path means anything."""
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise UsageProblem(
            "the working directory was removed or replaced: go to another one, or to the same one again (cd), and give "
            "the command again"
        ) from error


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with one of EXIT_CODES.

    Args:
        arguments: what follows `vesselkit`; None takes them from the process.
    Raises:
        SystemExit: always, but for an unexpected error, which goes on with its traceback.
    """
    settings = AppSettings()
    # A stream that was closed before the start (>&-) is None, and what prints would fail where it is not expected.
    sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
    try:
        _require_working_directory()
        given = sys.argv[1:] if arguments is None else [str(word) for word in arguments]
        named = next((word for word in given if not word.startswith("-")), "vesselkit")
        with exit_as_interrupted(), explain_os_errors(), explain_missing_extras(), Terminal(sys.stderr).at_work(named):
            app(args=given, prog_name="vesselkit", obj=settings)
    except VesselkitError as error:
        if settings.debug:
            logging.getLogger(__name__).debug("where the error arose:", exc_info=error)
        typer.echo(f"Error: {error}", err=True)
        raise SystemExit(error.exit_code) from None
    except SystemExit as ended:
        if not ended.code and settings.afterwards is not None:
            settings.afterwards()
        if ended.code == Stopped.exit_code:  # Typer's answer to Ctrl-C, which says nothing
            typer.echo("Error: stopped; give the same command again, which resumes or starts anew", err=True)
        raise
