"""What code may do beyond giving a value: one construct at a time, with what is known of names given by hand."""

import ast
from dataclasses import dataclass, field

import pytest

from helpers.checkpoints.read.config_effects import (
    bound_names,
    function_reads,
    global_names,
    is_apart,
    is_harmless_call,
    names_in,
    only_reads,
    outer_names,
    reaches_all,
    touched_names,
)

IMPORTED = {"copy": "copy", "np": "numpy.linalg", "path": "os.path", "dc": "copy.deepcopy"}


@dataclass
class Names:
    """Names that were imported, functions that only read, names that may be code, and those with another meaning."""

    imported: dict = field(
        default_factory=lambda: {"copy": "copy", "np": "numpy.linalg", "path": "os.path", "dc": "copy.deepcopy"}
    )
    readers: tuple = ("reader",)
    code: tuple = ("code",)
    own: tuple = ("sum",)

    def import_of(self, name):
        return self.imported.get(name)

    def only_reads(self, name):
        return name in self.readers

    def is_data(self, name):
        return name not in self.code

    def is_builtin(self, name):
        return name not in self.own and name not in self.imported


KNOWN = Names()
NEW_VALUES = (
    "abs", "all", "any", "bool", "float", "id", "int", "isinstance", "len", "print", "range", "repr", "round", "str",
)  # fmt: skip
BUILTINS = (
    *NEW_VALUES, "dict", "enumerate", "frozenset", "getattr", "list", "max", "min", "reversed", "set", "sorted",
    "tuple", "type", "zip",
)  # fmt: skip
METHODS = (
    "copy", "count", "endswith", "format", "get", "index", "items", "join", "keys", "lower", "lstrip", "replace",
    "rsplit", "rstrip", "split", "startswith", "strip", "title", "upper", "values",
)  # fmt: skip
MODULES = ("copy", "datetime", "math", "os", "pathlib", "re")


def expression(text):
    return ast.parse(text, mode="eval").body


def statement(text):
    (found,) = ast.parse(text).body
    return found


def harmless(text):
    return is_harmless_call(expression(text), KNOWN)


def test_builtins_and_methods_that_change_nothing():
    assert [name for name in BUILTINS if not harmless(f"{name}(a)")] == []
    assert [name for name in METHODS if not harmless(f"a.{name}(b)") or not harmless(f"a[0].b.{name}()")] == []
    assert [name for name in METHODS if not harmless(f"'text'.{name}(b)")] == []
    assert is_harmless_call(expression("sum(a)"), Names(own=()))


@pytest.mark.parametrize("module", MODULES)
def test_modules_whose_calls_change_nothing(module):
    known = Names(imported={"m": module, "part": f"{module}.part", "other": f"{module}s"})
    calls = {text: is_harmless_call(expression(text), known) for text in ("m.f(a)", "m.p.f(a)", "part(a)", "part.f(a)")}
    assert all(calls.values())
    assert not is_harmless_call(expression("other(a)"), known) and not is_harmless_call(expression("other.f(a)"), known)


@pytest.mark.parametrize(
    "text",
    [
        "sum(a)",  # the config gives it another meaning
        "map(f, a)", "filter(f, a)", "setattr(a, 'b', 1)", "unknown(a)", "np.norm(a)",
        "sorted(a, key=f)", "max(a, key=f)", "a.index(key=1)",
        "a.update(b=1)", "a.append(1)", "a.pop()", "'text'.unknown()",
        "code.get(1)", "code.inner.get(1)", "f(1).get(2)", "(lambda: 1)()", "a[0](1)",
        "reader(code)", "reader(a, b=code)", "reader(*code)",
    ],
)  # fmt: skip
def test_calls_that_may_change_something(text):
    assert harmless(text) is False


def test_functions_of_the_config_that_only_read():
    assert harmless("reader(a, 1, b=c)") and harmless("reader()")


@pytest.mark.parametrize(
    ("text", "apart"),
    [
        ("f'{a}'", True), ("a < b", True), ("a in b", True),
        *((f"{name}(a)", True) for name in NEW_VALUES),
        *((f"{name}(a)", False) for name in BUILTINS if name not in NEW_VALUES),
        ("copy.deepcopy(a)", True), ("dc(a)", True), ("copy.copy(a)", False), ("path.join(a)", True),
        ("np.norm(a)", False), ("a.get(b)", False), ("unknown(a)", False), ("a", False), ("[a]", False), ("1", False),
        ("f(a).deepcopy()", False), ("deepcopy(a)", False),
    ],
)  # fmt: skip
def test_values_that_share_nothing_with_what_they_are_made_of(text, apart):
    assert is_apart(expression(text), KNOWN) is apart


def test_a_builtin_with_another_meaning_is_not_apart():
    assert is_apart(expression("len(a)"), Names(own=("len",))) is False


@pytest.mark.parametrize(
    "text",
    [
        "a += 1", "del a", "with a:\n    pass", "class A:\n    pass", "a[0] = 1", "a.b = 1", "del a[0]",
        "def f():\n    global a\n    a = 1", "def f():\n    def g():\n        nonlocal a", "def f():\n    yield a",
        "def f():\n    yield from a", "async def f():\n    await a", "async def f():\n    async with a:\n        pass",
        "async def f():\n    async for b in a:\n        pass", "@a\ndef f():\n    pass", "@a\nasync def f():\n    pass",
        "unknown(a)", "for b in a:\n    b.append(1)", "eval", "a = exec", "globals", "locals", "vars",
    ],
)  # fmt: skip
def test_code_that_may_change_what_other_names_hold(text):
    assert only_reads(ast.parse(text), KNOWN) is False


@pytest.mark.parametrize(
    "text",
    [
        "a = b[0].c", "if a:\n    b = len(a)", "for a in b:\n    c = a", "def f(a):\n    return dict(a)", "assert a",
        "try:\n    a = 1\nexcept ValueError:\n    pass", "a = lambda b: b.get(1)", "a = [len(b) for b in c]",
    ],
)  # fmt: skip
def test_code_that_assigns_names_at_most(text):
    assert only_reads(ast.parse(text), KNOWN) is True


@pytest.mark.parametrize("name", ["eval", "exec", "globals", "locals", "vars"])
def test_ways_to_every_name(name):
    assert reaches_all(ast.parse(f"a = [{name}]")) and not reaches_all(ast.parse(f"a = '{name}'; b.{name}"))


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("def f(a):\n    return a.get(1)", True),  # its own name is data, whatever it is outside
        ("def f(code):\n    return code.get(1)", True),
        ("def f():\n    return code.get(1)", False),
        ("def f(reader):\n    return reader(1)", False),
        ("def f():\n    return reader(1)", True),
        ("def f(len):\n    return len(1)", False),
        ("def f(path):\n    return path(1)", False),
        ("def f():\n    return path(1)", True),
        ("def f():\n    path = a\n    return path(1)", False),
        ("def f(a):\n    a[0] = 1", False),
    ],
)
def test_functions_that_change_nothing(text, reads):
    assert function_reads(statement(text), KNOWN) is reads


@pytest.mark.parametrize(
    ("text", "touched"),
    [
        ("a = b", set()),
        ("a = len(b)", set()),
        ("a = b.pop()", {"b"}),
        ("a = [len(b), f(c, d)]", {"f", "c", "d"}),
        ("a = [b for b in c if f(b)]", {"b", "c", "f"}),
        ("a = {b: c for b in d}", set()),
    ],
)
def test_names_that_calls_may_change(text, touched):
    found = touched_names(statement(text).value, KNOWN)
    assert found == touched and isinstance(found, frozenset)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a, (b, *c) = d", {"a", "b", "c"}),
        ("for a in b:\n    c = d", {"a", "c"}),
        ("def a(b):\n    c = 1", {"a"}),
        ("async def a():\n    b = 1", {"a"}),
        ("class a:\n    b = 1", {"a"}),
        ("if a:\n    import b.c, d as e, f.g as h", {"b", "e", "h"}),
        ("from a import b, c as d", {"b", "d"}),
        ("from a import *", set()),
        ("try:\n    a\nexcept b as c:\n    d = 1", {"c", "d"}),
        ("try:\n    a\nexcept b:\n    pass", set()),
        ("match a:\n    case b:\n        pass", {"b"}),
        ("match a:\n    case [b, *c]:\n        pass", {"b", "c"}),
        ("match a:\n    case {'k': b, **c}:\n        pass", {"b", "c"}),
        ("match a:\n    case {'k': 1}:\n        pass", set()),
        ("match a:\n    case [_, *_]:\n        pass", set()),
        ("a = [b for b in c]", {"a"}),
        ("a = (b := c)", {"a", "b"}),
        ("a = lambda b: (c := b)", {"a"}),
        ("del a", {"a"}),
        ("a.b = c[d] = e", set()),
    ],
)
def test_names_that_a_statement_may_assign(text, names):
    assert set(bound_names(statement(text))) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("def f(a):\n    return a + b", {"b"}),
        ("def f(a, /, b, *c, d, **e):\n    return a, b, c, d, e", set()),
        ("def f(a=b, *, c=d, e):\n    return a", {"b", "d"}),
        ("@g\ndef f():\n    return 1", {"g"}),
        ("def f():\n    a = b\n    return a", {"b"}),
        ("def f(a):\n    global b\n    b = a", {"b"}),
        ("def f(b):\n    def g():\n        global a\n        a = b\n    return g", {"a"}),
    ],
)
def test_names_that_a_function_takes_from_around_it(text, names):
    assert outer_names(statement(text)) == names


def test_names_in_code_and_those_declared_global():
    code = ast.parse("def f():\n    global a, b\n    c.d = e\n\n\ndef g():\n    global h")
    assert names_in(code) == {"c", "e"} and global_names(code) == {"a", "b", "h"}
