"""The names of a config while it is read: what each stands for, and what is no longer known."""

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from helpers.checkpoints.read.config_effects import Function, function_reads, touched_names


@dataclass(frozen=True)
class Unread:
    """Stands where the text is more than a literal. `text` is the beginning of that place's source."""

    text: str


class DottedName(str):
    """An imported name or attribute chain, such as 'transformers.AutoTokenizer.from_pretrained'; never resolved."""

    __slots__ = ()


@dataclass(frozen=True)
class _Reach:
    """What an Unread may share or change: values of its making, and names as they are when it is used.

    `assigns`: names that using it may give another value.
    """

    values: tuple[object, ...]
    names: frozenset[str]
    assigns: frozenset[str]


class Scope:
    """Names with their values. Values are told apart by identity: several names may hold one list or dict."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self.imported: dict[str, DottedName] = {}
        self._changed: dict[int, Unread] = {}
        self._reaches: dict[int, _Reach] = {}
        self._functions: dict[int, Function] = {}
        self._asked: set[int] = set()
        self._kept: list[object] = []

    def assign(self, name: str, value: object) -> None:
        """Give a name a value."""
        self.imported.pop(name, None)
        self.values[name] = value

    def bind_import(self, name: str, path: DottedName) -> None:
        """Make a name stand for what was imported."""
        self.values.pop(name, None)
        self.imported[name] = path

    def is_changed(self, value: object) -> bool:
        """Whether this list or dict may have been changed in place."""
        return id(value) in self._changed

    def known_value(self, value: object) -> object:
        """The value, with every list or dict within that was changed in place replaced by Unread."""
        if id(value) in self._changed:
            return self._changed[id(value)]
        if isinstance(value, dict):
            return {key: self.known_value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.known_value(item) for item in value]
        if isinstance(value, tuple):
            return tuple(self.known_value(item) for item in value)
        return value

    def unread(self, text: str, shared: Iterable[str], late: Iterable[str] = (), assigns: Iterable[str] = ()) -> Unread:
        """What stands for code that was not followed.

        Args:
            text: its source.
            shared: names whose values of now it may hold.
            late: names that it may change whenever it is used, as a function does.
            assigns: names that it may assign whenever it is used.
        """
        marker = Unread(text)
        held = tuple(self.values[name] for name in sorted(shared) if name in self.values)
        self._reaches[id(marker)] = _Reach(held, frozenset(late), frozenset(assigns))
        self._kept.append(marker)
        return marker

    def note_function(self, marker: Unread, function: Function) -> None:
        """This stands for a function of the config, which may change nothing."""
        self._functions[id(marker)] = function

    def note_calls(self, node: ast.AST, marker: Unread) -> None:
        """Whatever the calls in an expression or statement may change is no longer known."""
        for name in touched_names(node, self):
            self.touch(self.values.get(name), marker)

    def touch(self, value: object, marker: Unread) -> None:
        """Whatever may be changed through a value is no longer known; `marker` stands for it."""
        pending, seen = [value], set()
        while pending:
            one = pending.pop()
            if isinstance(one, tuple):
                pending.extend(one)
            elif isinstance(one, list | dict) and id(one) not in self._changed:
                self._changed[id(one)] = marker
                self._kept.append(one)
                pending.extend(parts(one))
            elif isinstance(one, Unread) and id(one) not in seen and id(one) in self._reaches:
                seen.add(id(one))
                reach = self._reaches[id(one)]
                pending.extend(reach.values)
                pending.extend(self.values[name] for name in reach.names if name in self.values)
                for name in reach.assigns:
                    self.assign(name, marker)

    def import_of(self, name: str) -> str | None:
        """See `config_effects.Known`, as of the next three."""
        return self.imported.get(name)

    def only_reads(self, name: str) -> bool:
        key = id(self.values.get(name))
        if key not in self._functions or key in self._asked:
            return key in self._functions
        self._asked.add(key)
        try:
            return function_reads(self._functions[key], self)  # now: what it calls may have got another meaning
        finally:
            self._asked.discard(key)

    def is_data(self, name: str) -> bool:
        pending, seen = [self.values.get(name)], set()
        while pending:
            one = pending.pop()
            reach = self._reaches.get(id(one)) if isinstance(one, Unread) else None
            if reach is None or id(one) in seen:
                continue
            if reach.names or reach.assigns:
                return False
            seen.add(id(one))
            pending.extend(reach.values)
        return True

    def is_builtin(self, name: str) -> bool:
        return name not in self.values and name not in self.imported


def parts(value: dict | list | tuple) -> Iterable[object]:
    """The values in a dict, list or tuple."""
    return value.values() if isinstance(value, dict) else value
