"""Reading the values of a Python config file from its syntax tree. Nothing is executed or imported."""

import ast
import re
import warnings
from dataclasses import dataclass
from typing import TypeGuard

from helpers.checkpoints.read.config_effects import (
    bound_names,
    global_names,
    is_apart,
    names_in,
    only_reads,
    outer_names,
    reaches_all,
)
from helpers.checkpoints.read.config_scope import DottedName, Scope, Unread, parts
from helpers.core.errors import RefusedInput

MAX_TEXT_BYTES = 5_000_000
_MAX_DEPTH = 100
# A name used again stands for its whole value. This bounds the sum of all such uses, so that a short
# text cannot stand for an endless value.
_MAX_EXPANDED = 1_000_000
_MAX_NUMBER = 1e18
_SHOWN_CHARACTERS = 120
_NOT_LITERAL = object()
_ALL_PAIRS = object()


@dataclass(frozen=True)
class ConfigValues:
    """What a config text assigns.

    `values`: name -> literal, list, tuple, dict, DottedName or Unread. `skipped`: the beginnings of
    statements that are not plain assignments and were not followed (inherited files, loops, ...).
    `elsewhere`: those of them by which other files may give any name a value; `inherited`: those that
    take over another config.
    """

    values: dict[str, object]
    skipped: tuple[str, ...]
    elsewhere: tuple[str, ...] = ()
    inherited: tuple[str, ...] = ()


def read_config_values(text: str, origin: str) -> ConfigValues:
    """Read the module-level assignments of a config text.

    Accepts literals, list, tuple and dict displays, `dict(...)`, names assigned earlier, joined
    strings and lists, and simple arithmetic; imported names become DottedName. Anything else
    becomes Unread in its place, and so does every value that a statement not understood may have
    changed.

    Raises RefusedInput, naming `origin`, when the text is too long, nested too deep, expands too
    far, or is not Python.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_TEXT_BYTES:
        raise RefusedInput(f"{origin} is {size:,} bytes long; a training config has at most {MAX_TEXT_BYTES:,}.")
    reader = _Reader(text, origin)
    for statement in _parse(text, origin).body:
        reader.take(statement)
    return reader.result()


def _parse(text: str, origin: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        raise RefusedInput(
            f"{origin} is not a Python config: line {error.lineno}: {error.msg}. Give the config that training used."
        ) from error
    except ValueError as error:
        raise RefusedInput(f"{origin} is not a Python config: {error}. Give the config that training used.") from error
    except (RecursionError, MemoryError) as error:
        raise _too_deep(origin) from error


def _too_deep(origin: str) -> RefusedInput:
    return RefusedInput(f"{origin} is nested too deep (more than {_MAX_DEPTH} levels). Give a plain training config.")


class _Reader:
    def __init__(self, text: str, origin: str) -> None:
        self._lines = re.split(rb"\r\n|\r|\n", text.encode("utf-8", "surrogatepass"))
        self._origin = origin
        self._scope = Scope()
        self._skipped: list[str] = []
        self._elsewhere: list[str] = []
        self._inherited: list[str] = []
        self._everything: Unread | None = None
        self._expanded = 0

    def result(self) -> ConfigValues:
        """All values, with every list or dict that was changed in place after its assignment replaced by Unread."""
        values = self._scope.values.items()
        read = {name: self._everything or self._scope.known_value(value) for name, value in values}
        return ConfigValues(read, tuple(self._skipped), tuple(self._elsewhere), tuple(self._inherited))

    def take(self, statement: ast.stmt) -> None:
        if self._everything is None and reaches_all(statement):
            self._everything = Unread(self._source(statement))
        match statement:
            case ast.Import() | ast.ImportFrom():
                self._take_import(statement)
            case ast.Assign(value=value, targets=targets) if all(isinstance(target, ast.Name) for target in targets):
                read = self._value(value, 0)
                self._note_effects(statement)
                for name in (target.id for target in targets if isinstance(target, ast.Name)):
                    self._scope.assign(name, read)
            case ast.AnnAssign(target=ast.Name(id=name), value=value):
                read = None if value is None else self._value(value, 0)
                self._note_effects(statement)
                if value is not None:
                    self._scope.assign(name, read)
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._take_function(statement)
            case _:
                self._skip(statement)

    def _take_import(self, statement: ast.Import | ast.ImportFrom) -> None:
        module = "" if isinstance(statement, ast.Import) else "." * statement.level + (statement.module or "") + "."
        for alias in statement.names:
            if alias.name == "*":
                self._take_all_names(self._source(statement))
                continue
            bound = alias.asname or (alias.name.split(".")[0] if module == "" else alias.name)
            full = alias.name if alias.asname or module else bound
            self._scope.bind_import(bound, DottedName(module + full))

    def _take_all_names(self, text: str) -> None:
        """A star import may give any name another value."""
        self._skipped.append(text)
        self._elsewhere.append(text)
        for name, value in list(self._scope.values.items()):
            marker = self._scope.unread(text, (name,))
            self._scope.assign(name, value if isinstance(value, Unread) else marker)

    def _take_function(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Not run: what it may change, whenever it is called, is no longer known."""
        outer = outer_names(function)
        marker = self._scope.unread(self._source(function), outer, outer, global_names(function))
        self._skipped.append(marker.text)
        self._scope.assign(function.name, marker)
        self._scope.note_function(marker, function)
        if not self._scope.only_reads(function.name):
            self._scope.touch(marker, marker)

    def _skip(self, statement: ast.stmt) -> None:
        """Not followed: whatever it may assign or change is no longer known."""
        names = names_in(statement)
        reading = only_reads(statement, self._scope)
        late = () if reading else names
        marker = self._scope.unread(self._source(statement), names, late, global_names(statement))
        self._skipped.append(marker.text)
        if isinstance(statement, ast.With) and "read_base" in names:
            self._inherited.append(marker.text)
        if not reading:
            self._scope.touch(marker, marker)
        for name in bound_names(statement):
            self._scope.assign(name, marker)

    def _note_effects(self, statement: ast.stmt) -> None:
        """A call or a walrus inside a value may change what names stand for."""
        names = names_in(statement)
        marker = self._scope.unread(self._source(statement), names)
        self._scope.note_calls(statement, marker)
        for node in ast.walk(statement):
            if isinstance(node, ast.NamedExpr):
                self._scope.assign(node.target.id, marker)

    def _value(self, node: ast.expr, depth: int) -> object:
        if depth > _MAX_DEPTH:
            raise _too_deep(self._origin)
        value = self._literal(node, depth)
        if value is not _NOT_LITERAL:
            return value
        names = frozenset() if is_apart(node, self._scope) else names_in(node)
        late = names if any(isinstance(one, ast.Lambda) for one in ast.walk(node)) else ()
        return self._scope.unread(self._source(node), names, late)

    def _literal(self, node: ast.expr, depth: int) -> object:
        match node:
            case ast.Constant(value=value) if isinstance(value, str | int | float | None):
                return value
            case ast.Name(id=name):
                return self._named(name)
            case ast.Attribute():
                return self._dotted(node)
            case ast.Subscript(value=held, slice=place):
                return self._item(self._value(held, depth + 1), self._value(place, depth + 1))
            case ast.List(elts=items) | ast.Tuple(elts=items):
                if any(isinstance(item, ast.Starred) for item in items):
                    return _NOT_LITERAL
                read = [self._value(item, depth + 1) for item in items]
                return read if isinstance(node, ast.List) else tuple(read)
            case ast.Dict(keys=keys, values=items):
                read_keys = [_ALL_PAIRS if key is None else self._value(key, depth + 1) for key in keys]
                return self._merged(list(zip(read_keys, items, strict=True)), depth)
            case ast.Call(func=ast.Name(id="dict"), args=args, keywords=keywords) if self._is_builtin_dict(args):
                pairs: list[tuple[object, ast.expr]] = [(_ALL_PAIRS, item) for item in args]
                pairs += [(_ALL_PAIRS if word.arg is None else word.arg, word.value) for word in keywords]
                return self._merged(pairs, depth)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
                number = self._value(operand, depth + 1)
                if not _is_number(number):
                    return _NOT_LITERAL
                return -number if isinstance(sign, ast.USub) else number
            case ast.BinOp(left=left, op=operator, right=right):
                joined = _combine(self._value(left, depth + 1), operator, self._value(right, depth + 1))
                self._charge(joined)
                return joined
            case _:
                return _NOT_LITERAL

    def _is_builtin_dict(self, args: list[ast.expr]) -> bool:
        return (
            self._scope.is_builtin("dict")
            and len(args) <= 1
            and not any(isinstance(item, ast.Starred) for item in args)
        )

    def _merged(self, pairs: list[tuple[object, ast.expr]], depth: int) -> object:
        """A dict from its pairs; the key _ALL_PAIRS stands for all of another dict's."""
        merged: dict[object, object] = {}
        for key, value_node in pairs:
            value = self._value(value_node, depth + 1)
            if key is not _ALL_PAIRS and isinstance(key, str | int | float | None):
                merged[key] = value
            elif key is _ALL_PAIRS and isinstance(value, dict):
                merged.update(value)
            else:
                return _NOT_LITERAL
        return merged

    def _named(self, name: str) -> object:
        if name in self._scope.values:
            return self._used_again(self._scope.values[name])
        return self._scope.imported.get(name, _NOT_LITERAL)

    def _item(self, held: object, place: object) -> object:
        """The item of a dict, list or tuple under a literal; an attribute of an imported table, by its name."""
        if isinstance(held, DottedName) and isinstance(place, str) and place.isidentifier():
            return DottedName(f"{held}.{place}")
        if isinstance(held, dict) and isinstance(place, str | int | float | None) and place in held:
            return self._used_again(held[place])
        if isinstance(held, list | tuple) and isinstance(place, int) and -len(held) <= place < len(held):
            return self._used_again(held[place])
        return _NOT_LITERAL

    def _used_again(self, value: object) -> object:
        """A value under another name; a copy of a list or dict that was changed would be one of its earlier state."""
        self._charge(value)
        return _NOT_LITERAL if self._scope.is_changed(value) else value

    def _dotted(self, node: ast.Attribute) -> object:
        parts: list[str] = []
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            parts.append(root.attr)
            root = root.value
        if not isinstance(root, ast.Name) or root.id in self._scope.values or len(parts) > _MAX_DEPTH:
            return _NOT_LITERAL
        return DottedName(".".join([self._scope.imported.get(root.id, root.id), *reversed(parts)]))

    def _charge(self, value: object) -> None:
        """Count a value that is used again, and refuse one that grew too large or too deep that way."""
        pending = [(value, 0)]
        while pending:
            item, depth = pending.pop()
            if depth > _MAX_DEPTH:
                raise _too_deep(self._origin)
            self._expanded += 1 + (len(item) if isinstance(item, str) else 0)
            if self._expanded > _MAX_EXPANDED:
                raise RefusedInput(f"{self._origin} uses its names so often that the values grow without end.")
            if isinstance(item, dict | list | tuple):
                pending.extend((part, depth + 1) for part in parts(item))

    def _source(self, node: ast.stmt | ast.expr) -> str:
        line = self._lines[node.lineno - 1]
        start, end = node.col_offset, node.col_offset + 4 * _SHOWN_CHARACTERS
        if node.end_lineno == node.lineno and node.end_col_offset is not None:
            end = min(end, node.end_col_offset)
        return line[start:end].decode("utf-8", "replace").strip()[:_SHOWN_CHARACTERS]


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _combine(left: object, operator: ast.operator, right: object) -> object:
    """left + right of strings, lists or tuples, or + - * / // of numbers; _NOT_LITERAL when it is neither."""
    if isinstance(operator, ast.Add) and not isinstance(left, DottedName) and not isinstance(right, DottedName):
        if isinstance(left, str) and isinstance(right, str):
            return left + right
        if isinstance(left, list) and isinstance(right, list):
            return left + right
        if isinstance(left, tuple) and isinstance(right, tuple):
            return left + right
    if not (_is_number(left) and _is_number(right)):
        return _NOT_LITERAL
    if max(abs(left), abs(right)) > _MAX_NUMBER or (isinstance(operator, ast.Div | ast.FloorDiv) and right == 0):
        return _NOT_LITERAL
    match operator:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return left / right
        case ast.FloorDiv():
            return left // right
        case _:
            return _NOT_LITERAL
