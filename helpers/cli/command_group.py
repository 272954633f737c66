"""How the kit's commands take their words: no option twice, old names and spellings, help in two lengths."""

import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from helpers.core.errors import UsageProblem

HELP_ALL = "--help-all"
_FEW = 2  # other commands to name


@dataclass
class AppSettings:
    """What the commands and the process that runs them tell each other.

    Attributes:
        debug: whether an error shows where it arose.
        afterwards: what a command leaves to be done when it has ended well and its line of progress is off the screen.
    """

    debug: bool = False
    afterwards: Callable[[], None] | None = None


class KitCommand(TyperCommand):
    """A command that refuses an option that is given twice where one is meant.

    Attributes:
        shown: the options that `--help` shows; empty for all. `--help-all` shows all.
    """

    shown: tuple[str, ...] = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.short_help = (self.help or "").splitlines()[0]  # whole: Typer would cut it

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        options = args[: args.index("--")] if "--" in args else args
        if HELP_ALL in options:
            ctx.meta[HELP_ALL] = True
            typer.echo(ctx.get_help())
            raise typer.Exit()
        typed = [word[2:].split("=")[0] for word in options if word.startswith("--")]
        names = [(ctx.token_normalize_func or str)(name) for name in typed]
        self._refuse_repetition(names)
        self._refuse_options_of_others(ctx, names)
        self._refuse_expanded_pattern(args)
        for old, name in zip(typed, names, strict=True):
            if old != name and "_" not in old:
                typer.echo(f"warning: --{old} of `{ctx.command_path}` is now --{name}", err=True)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        arguments, options = list[Any](), list[Any]()
        parameters = self.get_params(ctx)
        left_out = [one for one in parameters if self._is_left_out(one)] if HELP_ALL not in ctx.meta else []
        for parameter in parameters:
            record = parameter.get_help_record(ctx)
            if record is not None and parameter not in left_out:
                (arguments if parameter.param_type_name == "argument" else options).append(record)
        if left_out:
            options.append((HELP_ALL, f"Show this and {len(left_out)} more options."))
        for title, records in (("Arguments", arguments), ("Options", options)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def _is_left_out(self, parameter: Any) -> bool:
        is_option = parameter.param_type_name == "option" and parameter.name != "help"
        return bool(self.shown) and is_option and parameter.opts[0] not in self.shown

    def _refuse_options_of_others(self, ctx: Any, names: Sequence[str]) -> None:
        """Of an option that a few other commands have it is said which. Raises UsageProblem."""
        group = {} if ctx.parent is None else getattr(ctx.parent.command, "commands", {})
        own = {option for parameter in self.params for option in (*parameter.opts, *parameter.secondary_opts)}
        for option in (f"--{name}" for name in names):
            others = [
                name
                for name, command in sorted(group.items())
                if not command.hidden and any(option in parameter.opts for parameter in command.params)
            ]
            if option not in own and 0 < len(others) <= _FEW:
                of = " and ".join(f"`{ctx.parent.command_path} {name}`" for name in others)
                raise UsageProblem(f"{option}: an option of {of}, not of `{ctx.command_path}`. Leave it out")

    def _refuse_expanded_pattern(self, args: Sequence[str]) -> None:
        """Several files behind one option are what a shell makes of `*`. Raises UsageProblem."""
        if any(parameter.param_type_name == "argument" for parameter in self.params):
            return
        for option, first, second in zip(args, args[1:], args[2:], strict=False):
            if option.startswith("--") and _is_path(first) and _is_path(second):
                raise UsageProblem(
                    f"{option}: expected one path, got several, as a shell makes of *. Name the folder, or one file "
                    "of it"
                )

    def _refuse_repetition(self, names: Sequence[str]) -> None:
        """Of an option given twice the last would be taken without a word. Raises UsageProblem."""
        counts = Counter(f"--{name}" for name in names)
        for parameter in self.params:
            times = max((counts[option] for option in parameter.opts), default=0)
            if times > 1 and not getattr(parameter, "multiple", False):
                raise UsageProblem(f"{parameter.opts[0]}: expected once, got it {times} times")


def _is_path(word: str) -> bool:
    return not word.startswith("-") and Path(word).exists()


def shows(*options: str) -> type[KitCommand]:
    """The kind of a command whose `--help` shows these options alone."""
    return type("KitCommand", (KitCommand,), {"shown": options})


def spellings(**names: str) -> dict[str, Any]:
    """Settings of a command that takes options by other names too, which no help shows.

    Args:
        names: the option's name by the other one, both without hyphens in front. One without `_` is an old name, which
            a warning tells of.
    """
    return {"token_normalize_func": lambda name: names.get(name, name)}


class KitGroup(TyperGroup):
    """The commands, in the order in which they are to be read, without the hidden ones, which work all the same.

    Attributes:
        order: names of commands; others come before the last of these.
    """

    order: tuple[str, ...] = ()

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.short_help = self.help  # whole: Typer would cut it

    def list_commands(self, ctx: Any) -> list[str]:
        names = [name for name in super().list_commands(ctx) if not self.commands[name].hidden]
        places = {name: place for place, name in enumerate(self.order)}
        return sorted(names, key=lambda name: places.get(name, len(places) - 1.5))


def ordered(*names: str) -> type[KitGroup]:
    """The kind of the outermost group: it reads old command lines, and lists its commands in this order."""

    class OutermostGroup(KitGroup):
        order = names

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            return super().resolve_command(ctx, today(args))

    return OutermostGroup


RENAMED = {
    "bench": ("dev", "bench"),
    "report": ("review-page",),
    "run": ("grid",),
    "synth": ("dev", "synth"),
    "who": ("data", "who"),
}
# `train` trained the demo's model, and took these alone.
_OF_THE_DEMO = ("--output", "--seed", "--workers", "--processes")


def today(words: Sequence[str]) -> list[str]:
    """The words of a command line as they are today. An old command's name is told on the error stream.

    Args:
        words: what follows `vesselkit` and its own options.
    Raises:
        UsageProblem: for `train` as it was, naming the new line.
    """
    first, *rest = words
    if first == "train" and any(word.split("=")[0] in _OF_THE_DEMO for word in rest):
        raise UsageProblem(
            "train: expected CONFIG, the config of a training, got options of the demo's training, which is now: "
            f"{_line('dev', 'train-demo', *rest)}"
        )
    if first not in RENAMED:
        return [first, *rest]
    new = [*RENAMED[first], *rest]
    typer.echo(f"warning: `vesselkit {first}` is now: {_line(*new)}", err=True)
    return new


def _line(*words: str) -> str:
    return shlex.join(["vesselkit", *words])
