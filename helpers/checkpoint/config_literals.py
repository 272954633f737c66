"""Reading the values of a Python config file from its syntax tree. Nothing is executed or imported."""

import ast
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

from helpers.errors import RefusedInput

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
class Unread:
    """Stands where the text is more than a literal. `text` is the beginning of that place's source."""

    text: str


class DottedName(str):
    """An imported name or attribute chain, such as 'transformers.AutoTokenizer.from_pretrained'; never resolved."""

    __slots__ = ()


@dataclass(frozen=True)
class ConfigValues:
    """What a config text assigns.

    `values`: name -> literal, list, tuple, dict, DottedName or Unread. `skipped`: the beginnings of
    statements that are not plain assignments and were not followed (inherited files, loops, ...).
    """

    values: dict[str, object]
    skipped: tuple[str, ...]


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
        self._values: dict[str, object] = {}
        self._imported: dict[str, DottedName] = {}
        self._skipped: list[str] = []
        self._changed: dict[int, Unread] = {}
        self._kept: list[object] = []
        self._expanded = 0

    def result(self) -> ConfigValues:
        """All values, with every list or dict that was changed in place after its assignment replaced by Unread."""
        values = {name: self._without_changed(value) for name, value in self._values.items()}
        return ConfigValues(values, tuple(self._skipped))

    def take(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Import() | ast.ImportFrom():
                self._take_import(statement)
            case ast.Assign(value=value, targets=targets) if all(isinstance(target, ast.Name) for target in targets):
                read = self._value(value, 0)
                self._note_side_effects(statement)
                for target in targets:
                    self._assign(target.id, read)
            case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
                read = self._value(value, 0)
                self._note_side_effects(statement)
                self._assign(name, read)
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case _:
                self._skip(statement)

    def _assign(self, name: str, value: object) -> None:
        self._imported.pop(name, None)
        self._values[name] = value

    def _take_import(self, statement: ast.Import | ast.ImportFrom) -> None:
        module = "" if isinstance(statement, ast.Import) else "." * statement.level + (statement.module or "") + "."
        for alias in statement.names:
            if alias.name == "*":
                self._skipped.append(self._source(statement))
                continue
            bound = alias.asname or (alias.name.split(".")[0] if module == "" else alias.name)
            full = alias.name if alias.asname or module else bound
            self._values.pop(bound, None)
            self._imported[bound] = DottedName(module + full)

    def _skip(self, statement: ast.stmt) -> None:
        """Not followed: whatever it may assign or change is no longer known."""
        marker = Unread(self._source(statement))
        self._skipped.append(marker.text)
        is_function = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)
        has_own_names = is_function and not any(isinstance(node, ast.Global) for node in ast.walk(statement))
        for node in ast.walk(statement):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self._assign(node.name, marker)
            elif isinstance(node, ast.alias) and node.name != "*" and not has_own_names:
                self._assign((node.asname or node.name).split(".")[0], marker)
            elif isinstance(node, ast.Name):
                self._mark_changed(node.id, marker)
                if not isinstance(node.ctx, ast.Load) and not has_own_names:
                    self._assign(node.id, marker)

    def _note_side_effects(self, statement: ast.stmt) -> None:
        """A method call or a walrus inside a value may change a name read earlier."""
        marker = Unread(self._source(statement))
        for node in ast.walk(statement):
            if isinstance(node, ast.NamedExpr):
                self._assign(node.target.id, marker)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                root = node.func.value
                while isinstance(root, ast.Attribute | ast.Subscript):
                    root = root.value
                if isinstance(root, ast.Name):
                    self._mark_changed(root.id, marker)

    def _mark_changed(self, name: str, marker: Unread) -> None:
        """Other values may hold the same list or dict; it is marked by identity, not by name."""
        pending = [self._values.get(name)]
        while pending:
            value = pending.pop()
            if isinstance(value, list | dict) and id(value) not in self._changed:
                self._changed[id(value)] = marker
                self._kept.append(value)
                pending.extend(_parts(value))
            elif isinstance(value, tuple):
                pending.extend(value)

    def _without_changed(self, value: object) -> object:
        if id(value) in self._changed:
            return self._changed[id(value)]
        if isinstance(value, dict):
            return {key: self._without_changed(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._without_changed(item) for item in value]
        if isinstance(value, tuple):
            return tuple(self._without_changed(item) for item in value)
        return value

    def _value(self, node: ast.expr, depth: int) -> object:
        if depth > _MAX_DEPTH:
            raise _too_deep(self._origin)
        value = self._literal(node, depth)
        return Unread(self._source(node)) if value is _NOT_LITERAL else value

    def _literal(self, node: ast.expr, depth: int) -> object:
        match node:
            case ast.Constant(value=value) if isinstance(value, str | int | float | None):
                return value
            case ast.Name(id=name):
                return self._named(name)
            case ast.Attribute():
                return self._dotted(node)
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
            "dict" not in self._values
            and "dict" not in self._imported
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
        if name in self._values:
            self._charge(self._values[name])
            return self._values[name]
        return self._imported.get(name, _NOT_LITERAL)

    def _dotted(self, node: ast.Attribute) -> object:
        parts: list[str] = []
        root: ast.expr = node
        while isinstance(root, ast.Attribute):
            parts.append(root.attr)
            root = root.value
        if not isinstance(root, ast.Name) or root.id in self._values or len(parts) > _MAX_DEPTH:
            return _NOT_LITERAL
        return DottedName(".".join([self._imported.get(root.id, root.id), *reversed(parts)]))

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
                pending.extend((part, depth + 1) for part in _parts(item))

    def _source(self, node: ast.AST) -> str:
        line = self._lines[node.lineno - 1]
        start, end = node.col_offset, node.col_offset + 4 * _SHOWN_CHARACTERS
        if node.end_lineno == node.lineno and node.end_col_offset is not None:
            end = min(end, node.end_col_offset)
        return line[start:end].decode("utf-8", "replace").strip()[:_SHOWN_CHARACTERS]


def _parts(value: dict | list | tuple) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _combine(left: object, operator: ast.operator, right: object) -> object:
    """left + right of strings, lists or tuples, or + - * / of numbers; _NOT_LITERAL when it is neither."""
    if isinstance(operator, ast.Add) and not isinstance(left, DottedName) and not isinstance(right, DottedName):
        for kind in (str, list, tuple):
            if isinstance(left, kind) and isinstance(right, kind):
                return left + right
    if not (_is_number(left) and _is_number(right)):
        return _NOT_LITERAL
    if max(abs(left), abs(right)) > _MAX_NUMBER or (isinstance(operator, ast.Div) and right == 0):
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
        case _:
            return _NOT_LITERAL
