"""What the code of a config may do beyond giving a value: change a list or dict in place, or call what does.

Judged from the syntax tree alone. What is not known to be harmless counts as doing it.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

# Built-ins that change nothing of what they are given. Those that take a function (`map`, `sorted` with a key) may.
_NEW_VALUES = frozenset(
    {"abs", "all", "any", "bool", "float", "id", "int", "isinstance", "len", "print", "range", "repr", "round", "str"}
)
_HARMLESS_BUILTINS = _NEW_VALUES | {
    "dict", "enumerate", "frozenset", "getattr", "list", "max", "min", "reversed", "set", "sorted", "sum", "tuple",
    "type", "zip",
}  # fmt: skip
_HARMLESS_METHODS = frozenset(
    {"copy", "count", "endswith", "format", "get", "index", "items", "join", "keys", "lower", "lstrip", "replace",
     "rsplit", "rstrip", "split", "startswith", "strip", "title", "upper", "values"}
)  # fmt: skip
_HARMLESS_MODULES = frozenset({"copy", "datetime", "math", "os", "pathlib", "re"})
# With one of these, code reaches every name of the config without writing it.
_REACHES_ALL = frozenset({"eval", "exec", "globals", "locals", "vars"})

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_CHANGING = (
    ast.AugAssign, ast.Delete, ast.Global, ast.Nonlocal, ast.With, ast.AsyncWith, ast.AsyncFor, ast.Await, ast.Yield,
    ast.YieldFrom, ast.ClassDef,
)  # fmt: skip

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Known(Protocol):
    """What is known of names where code stands."""

    def import_of(self, name: str) -> str | None:
        """The dotted path that the name was imported as; None where it was not."""

    def only_reads(self, name: str) -> bool:
        """Whether it is a function of the config that changes nothing."""

    def is_data(self, name: str) -> bool:
        """Whether it cannot be an object whose methods run code of the config."""

    def is_builtin(self, name: str) -> bool:
        """Whether the config gives the name no meaning of its own."""


@dataclass(frozen=True)
class _Within:
    """What is known inside a function: of its own names only that they are not code of the config."""

    own: frozenset[str]
    around: Known

    def import_of(self, name: str) -> str | None:
        return None if name in self.own else self.around.import_of(name)

    def only_reads(self, name: str) -> bool:
        return name not in self.own and self.around.only_reads(name)

    def is_data(self, name: str) -> bool:
        return name in self.own or self.around.is_data(name)

    def is_builtin(self, name: str) -> bool:
        return name not in self.own and self.around.is_builtin(name)


def is_harmless_call(call: ast.Call, known: Known) -> bool:
    """Whether a call changes none of its arguments and runs none of the config's changing functions."""
    if any(word.arg == "key" for word in call.keywords):
        return False
    if isinstance(call.func, ast.Name):
        name = call.func.id
        if known.only_reads(name):  # with data; what it is given may be a function that it calls
            return all(known.is_data(one) for word in (*call.args, *call.keywords) for one in names_in(word))
        builtin = name in _HARMLESS_BUILTINS and known.is_builtin(name)
        return builtin or _module(name, known) in _HARMLESS_MODULES
    if not isinstance(call.func, ast.Attribute):
        return False
    root = _root(call.func)
    if isinstance(root, ast.Constant):
        return call.func.attr in _HARMLESS_METHODS
    if not isinstance(root, ast.Name):
        return False
    return _module(root.id, known) in _HARMLESS_MODULES or (
        call.func.attr in _HARMLESS_METHODS and known.is_data(root.id)
    )


def is_apart(expression: ast.expr, known: Known) -> bool:
    """Whether the value of an expression shares no list or dict with what it is made of."""
    if isinstance(expression, ast.JoinedStr | ast.Compare):
        return True
    if not isinstance(expression, ast.Call):
        return False
    function = expression.func
    if isinstance(function, ast.Name) and function.id in _NEW_VALUES and known.is_builtin(function.id):
        return True
    root = _root(function)
    path = "" if not isinstance(root, ast.Name) else known.import_of(root.id) or ""
    called = function.attr if isinstance(function, ast.Attribute) else path.rpartition(".")[2]
    module = path.split(".")[0]
    return called == "deepcopy" if module == "copy" else module in _HARMLESS_MODULES


def function_reads(function: Function, known: Known) -> bool:
    """Whether calling a function with data changes nothing, and neither does its definition."""
    return only_reads(function, _Within(_own_names(function), known))


def only_reads(code: ast.AST, known: Known) -> bool:
    """Whether code assigns names at most, and changes nothing that other names hold."""
    for node in ast.walk(code):
        if isinstance(node, _CHANGING) or (isinstance(node, Function) and node.decorator_list):
            return False
        if isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            return False
        if isinstance(node, ast.Call) and not is_harmless_call(node, known):
            return False
        if isinstance(node, ast.Name) and node.id in _REACHES_ALL:
            return False
    return True


def reaches_all(node: ast.AST) -> bool:
    """Whether code can reach names that it does not write."""
    return bool(names_in(node) & _REACHES_ALL)


def touched_names(node: ast.AST, known: Known) -> frozenset[str]:
    """Names whose lists and dicts the calls in an expression or statement may change."""
    touched: set[str] = set()
    for one in ast.walk(node):
        inside = ast.walk(one) if isinstance(one, _COMPREHENSIONS) else (one,)
        if any(isinstance(call, ast.Call) and not is_harmless_call(call, known) for call in inside):
            touched |= names_in(one)
    return frozenset(touched)


def names_in(node: ast.AST) -> frozenset[str]:
    """Every name that code mentions."""
    return frozenset(one.id for one in ast.walk(node) if isinstance(one, ast.Name))


def bound_names(statement: ast.stmt) -> Iterator[str]:
    """Names that a statement may assign in the scope it stands in, those of its definitions included."""
    for node in _own_scope(statement):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias) and node.name != "*":
            yield (node.asname or node.name).split(".")[0]
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name
        elif isinstance(node, ast.MatchMapping) and node.rest:
            yield node.rest


def outer_names(function: Function) -> frozenset[str]:
    """Names that a function takes from the config around it, those in its defaults included."""
    own, given = _own_names(function), function.args
    outside = [*given.defaults, *(one for one in given.kw_defaults if one), *function.decorator_list]
    mentioned = frozenset[str]().union(*map(names_in, function.body)) - own
    return mentioned.union(*map(names_in, outside)) | global_names(function)


def global_names(node: ast.AST) -> frozenset[str]:
    """Names that functions within declare to be the config's own."""
    return frozenset(name for one in ast.walk(node) if isinstance(one, ast.Global) for name in one.names)


def _own_names(function: Function) -> frozenset[str]:
    given = function.args
    named = {one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg) if one}
    bound = {name for statement in function.body for name in bound_names(statement)}
    return frozenset((named | bound) - global_names(function))


def _own_scope(node: ast.AST) -> Iterator[ast.AST]:
    """The node and what lies within it, but for the bodies of functions, classes and comprehensions."""
    pending = [node]
    while pending:
        one = pending.pop()
        yield one
        if not isinstance(one, _DEFINITIONS):
            pending += [child for child in ast.iter_child_nodes(one) if not isinstance(child, _COMPREHENSIONS)]


def _root(function: ast.expr) -> ast.expr:
    while isinstance(function, ast.Attribute | ast.Subscript):
        function = function.value
    return function


def _module(name: str, known: Known) -> str:
    return (known.import_of(name) or "").split(".")[0]
