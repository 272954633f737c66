"""What is read of a config is what Python gives: programs of many kinds are read, then run, and compared."""

import ast
import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.checkpoints.read.config_literals import DottedName, Unread, read_config_values
from helpers.checkpoints.read.config_scope import Scope

# {v} {w} names of values, {f} {g} names of functions, {n} a number.
STATEMENTS = (
    "{v} = dict(r={n}, t='x')",
    "{v} = dict(inner={w}, r={n})",
    "{v} = {{**{w}, 'r': {n}}}",
    "{v} = dict(**{w})",
    "{v} = {w}",
    "{v} = [{w}, {n}]",
    "{v} = ({w}, {n})",
    "{v} = {w}['inner']",
    "{v} = {w}[0]",
    "{v} = {w}['r'] * 2",
    "{v} = {w}.copy()",
    "{v} = {w}.get('inner')",
    "{v} = list({w}.values())",
    "{v} = [x for x in ({w},)]",
    "{v} = copy.deepcopy({w})",
    "{v} = {w} if {n} > 4 else {{}}",
    "{v} = sorted([{w}], key={f})",
    "{v}['r'] = {n}",
    "{v}[0]['r'] = {n}",
    "{v}.update(r={n})",
    "{v} |= dict(r={n})",
    "{v} += [{n}]",
    "{v}, {w} = {w}, {v}",
    "del {v}['r']",
    "if {n} > 4:\n    {v}['r'] = {n}",
    "if {n} > 4:\n    {v} = {w}",
    "if 'r' in {v}:\n    pass",
    "for {v} in ({w},):\n    {v}['r'] = {n}",
    "for x in ({w},):\n    {v} = x",
    "try:\n    raise ValueError\nexcept ValueError as {v}:\n    {w} = {n}",
    "match {n}:\n    case {v}:\n        pass",
    "assert {v} != {n}",
    "[{v}.update(r={n}) for x in (1,)]",
    "{v} = [(y := {w}), {n}]\ny['r'] = {n}",
    "globals()['{v}'] = {n}",
    "exec('{v} = {n}')",
    "dict.update({v}, r={n})",
    "setattr(K, '{v}', {w})",
    "class L(K):\n    def get(self, _):\n        {v}['r'] = {n}\n\n\n{w} = L().get(1)",
    "class L(K):\n    def get(self, _):\n        {v}['r'] = {n}\n\n\nobj = L()\nobj.get('r')",
    "def {f}(x):\n    return dict(x, r={n})",
    "def {f}(x):\n    return {v}",
    "def {f}(x):\n    x['r'] = {n}\n    return x",
    "def {f}({v}):\n    {v} = dict({v})\n    {v}['r'] = {n}\n    return {v}",
    "def {f}(x):\n    {v}['r'] = {n}\n    return x",
    "def {f}(x, y={v}):\n    y['r'] = {n}",
    "def {f}(x):\n    global {v}\n    {v} = dict(r={n})",
    "def {f}(x):\n    return {g}(x)",
    "def {f}(x):\n    inner = {v}\n    inner.update(r={n})",
    "def {f}({g}):\n    return {g}({v})",
    "def {f}(x):\n    return x.get(1)",
    "{f}({g})",
    "{f} = lambda x: {v}.update(r={n})",
    "{f} = {v}.update",
    "{f} = {g}",
    "{v} = {f}({w})",
    "{v} = dict(r={n}, inner={f}({w}))",
    "{f}({v})",
    "{f}(r={n})",
    "print({f}({v}), {n})",
    "list(map({f}, [{v}]))",
)  # fmt: skip
START = (
    "import copy\n\n\nclass K:\n    pass\n\n\ndef f(x):\n    return x\n\n\ng = f\n"
    "a = dict(r=1, inner=dict(r=2))\nb = dict(inner=a)\nc = [a]\n"
)


@st.composite
def programs(draw):
    names, functions = st.sampled_from("abc"), st.sampled_from("fg")
    lines = draw(st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=7))
    return [
        line.format(v=draw(names), w=draw(names), f=draw(functions), g=draw(functions), n=draw(st.integers(0, 9)))
        for line in lines
    ]


def run(lines):
    """The values, and the text as far as it runs."""
    values, kept = {"print": lambda *_: None}, START
    exec(START, values)
    for statement in ast.parse("\n".join(lines)).body:
        before = copy.deepcopy({name: value for name, value in values.items() if name in "abc"})
        line = ast.unparse(statement)
        try:
            exec(line, values)
        except Exception:  # it does not fit what is there; what it did before it failed is undone by drawing no more
            return kept, before
        kept += line + "\n"
    return kept, values


def agrees(read, actual) -> bool:
    if isinstance(read, Unread | DottedName):
        return True
    if type(read) is not type(actual):
        return False
    if isinstance(read, dict):
        return read.keys() == actual.keys() and all(agrees(read[key], actual[key]) for key in read)
    if isinstance(read, list | tuple):
        return len(read) == len(actual) and all(map(agrees, read, actual))
    return read == actual


def recursive(value, seen=()) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return id(value) in seen or any(recursive(one, (*seen, id(value))) for one in inner)


@given(programs())
@settings(max_examples=250, deadline=None)
def test_what_is_read_is_what_python_gives(lines):
    text, actual = run(lines)
    if any(recursive(actual.get(name)) for name in "abc"):
        return
    for name, read in read_config_values(text, "config").values.items():
        if name in "abc" and not isinstance(read, Unread):
            assert name in actual and agrees(read, actual[name]), text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def lora(r):\n    return dict(r=r)\n\n\nx = lora(4)\n", dict),
        ("def data(p):\n    return dict(t=tokens, p=p)\n\n\nx = data('a')\n", dict),
        ("def n():\n    return len(tokens)\n\n\nx = n()\n", dict),
        ("if os.getenv('X'):\n    batch = 4\n", dict),
        ("assert '[SEG]' in tokens\n", dict),
        ("print(tokens, common)\n", dict),
        ("for step in range(3):\n    last = step\n", dict),
        ("x = copy.deepcopy(common)\nx['r'] = 9\n", dict),
        ("x = f'{common}'\nx += 'a'\n", dict),
        ("def unused(common):\n    common['r'] = 9\n", dict),
        ("def change():\n    common['r'] = 9\n", Unread),
    ],
)
def test_helpers_that_only_read_leave_the_rest_known(text, expected):
    start = "import copy\nimport os\n\ntokens = ['[SEG]']\ncommon = dict(r=4, t=tokens)\n"
    read = read_config_values(start + text + "model = dict(**common)\n", "config").values
    assert type(read["model"]) is expected
    assert expected is Unread or read["model"] == {"r": 4, "t": ["[SEG]"]} and read["tokens"] == ["[SEG]"]


def test_names_and_what_they_stand_for():
    scope = Scope()
    scope.assign("a", 1)
    scope.bind_import("b", DottedName("m.b"))
    assert (scope.is_builtin("a"), scope.is_builtin("b"), scope.is_builtin("len")) == (False, False, True)
    assert (scope.import_of("a"), scope.import_of("b")) == (None, "m.b")
    scope.bind_import("a", DottedName("m.a"))
    scope.assign("b", 2)
    assert scope.values == {"b": 2} and scope.imported == {"a": "m.a"}


def test_what_was_changed_in_place_is_not_given_at_any_depth():
    scope, inner, marker = Scope(), [1], Unread("inner.append(2)")
    scope.touch(inner, marker)
    assert scope.is_changed(inner) and not scope.is_changed([1])
    assert scope.known_value({"a": (inner, [inner, 3])}) == {"a": (marker, [marker, 3])}


def test_what_is_reached_through_a_value_is_changed_with_it():
    scope, marker = Scope(), Unread("f(a)")
    inner, apart = {"r": 4}, {"r": 5}
    scope.assign("a", ({"inner": inner},))
    scope.assign("b", apart)
    holder = scope.unread("g(a)", ["a"], late=["b"], assigns=["c"])
    scope.touch(holder, marker)
    assert scope.is_changed(inner) and scope.is_changed(apart) and scope.values["c"] is marker
    circle = []
    circle.append(circle)
    scope.touch(circle, marker)
    assert scope.is_changed(circle)


@pytest.mark.parametrize(
    ("shared", "late", "assigns", "data"),
    [((), (), (), True), (("plain",), (), (), True), ((), ("plain",), (), False), ((), (), ("plain",), False)]
    + [(("code",), (), (), False), (("itself",), (), (), True)],
)
def test_what_may_run_code_of_the_config(shared, late, assigns, data):
    scope = Scope()
    scope.assign("plain", [1])
    scope.assign("code", scope.unread("lambda: plain", (), late=["plain"]))
    scope.assign("itself", scope.unread("first", ["plain"]))
    scope.assign("itself", scope.unread("second", ["itself"]))
    scope.assign("asked", scope.unread("f()", shared, late, assigns))
    assert scope.is_data("asked") is data and scope.is_data("unknown")


def test_two_functions_that_call_each_other_only_read():
    scope = Scope()
    for name, other in (("f", "g"), ("g", "f")):
        (function,) = ast.parse(f"def {name}(x):\n    return {other}(x)").body
        marker = scope.unread(name, ())
        scope.assign(name, marker)
        scope.note_function(marker, function)
    assert scope.only_reads("f") and scope.only_reads("g") and not scope.only_reads("h")
    (changing,) = ast.parse("def g(x):\n    x['r'] = 1").body
    marker = scope.unread("g", ())
    scope.assign("g", marker)
    scope.note_function(marker, changing)
    assert not scope.only_reads("f") and not scope.only_reads("g")
