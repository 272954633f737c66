import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.checkpoints.read.config_literals import DottedName, Unread, read_config_values
from helpers.core.errors import RefusedInput


def values(text: str) -> dict[str, object]:
    return read_config_values(text, "config").values


LITERALS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(alphabet=string.ascii_lowercase, min_size=1), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(LITERALS)
@settings(max_examples=100, deadline=None)
def test_any_literal_is_read_back(value):
    assert values(f"x = {value!r}") == {"x": value}


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused(text):
    try:
        assert isinstance(values(text), dict)
    except RefusedInput as error:
        assert "config" in str(error)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("dict(a=1, b=dict(c='x'))", {"a": 1, "b": {"c": "x"}}),
        ("dict({'a': 1}, b=2)", {"a": 1, "b": 2}),
        ("dict(a=1, **dict(b=2))", {"a": 1, "b": 2}),
        ("{'a': 1, **{'a': 2}}", {"a": 2}),
        ("'a' 'b' + 'c'", "abc"),
        ("['a'] + ['b']", ["a", "b"]),
        ("2 * 64 + 1 - 1 / 2", 128.5),
        ("-2e-5", -2e-5),
        ("+3", 3),
        ("1000000000000000000 + 1", 10**18 + 1),
    ],
)
def test_expressions_that_are_read(expression, expected):
    assert values(f"x = {expression}") == {"x": expected}


@pytest.mark.parametrize(
    "expression",
    [
        "f'{1}'",
        "[a for a in (1, 2)]",
        "lambda: 1",
        "len('a')",
        "'a'.upper()",
        "'a' * 9",
        "10 ** 9",
        "1 / 0",
        "1 if True else 2",
        "'a' 'b' 'c'[0]",
        "[*(1, 2)]",
        "dict([('a', 1)])",
        "'a' + ['b']",
        "'a' - 'b'",
        "unknown + 'b'",
        "1000000000000000001 + 1",
        "dict(**unknown)",
        "{[]: 1}",
        "b'a'",
        "...",
        "unknown",
        "{1, 2}",
        "1 < 2",
    ],
)
def test_everything_else_is_marked(expression):
    assert values(f"x = {expression}") == {"x": Unread(expression)}


def test_unread_keeps_its_place():
    assert values("x = dict(a=1, b=[2, call()])") == {"x": {"a": 1, "b": [2, Unread("call()")]}}


def test_names_assigned_earlier():
    read = values("a = 'x'\nb: str = a + 'y'\nc = d = [a, b]\na = 'z'\n")
    assert read == {"a": "z", "b": "xy", "c": ["x", "xy"], "d": ["x", "xy"]}


def test_imported_names_become_dotted_text():
    read = values(
        "import a.b, c.d as e\nfrom f.g import h, i as j\nfrom .k import l\n"
        "x = [a.b.z, e, e.y, h, j.run, l, PROMPT_TEMPLATE.qwen_chat]"
    )
    assert read["x"] == ["a.b.z", "c.d", "c.d.y", "f.g.h", "f.g.i.run", ".k.l", "PROMPT_TEMPLATE.qwen_chat"]
    assert {type(item) for item in read["x"]} == {DottedName}


def test_an_import_takes_a_name_over():
    assert values("a = 1\nfrom m import a\nb = a") == {"b": "m.a"}
    assert values("from m import a\na = 1\nb = a") == {"a": 1, "b": 1}


def test_a_dict_renamed_is_not_taken_for_dict():
    assert values("from evil import dict\nx = dict(a=1)")["x"] == Unread("dict(a=1)")
    assert values("dict = 3\nx = dict(a=1)")["x"] == Unread("dict(a=1)")


@pytest.mark.parametrize(
    "change",
    [
        "inner['r'] = 8",
        "inner.update(r=8)",
        "change(inner)",
        "model['llm']['r'] = 8",
        "x = model.setdefault('llm', 3)",
        "if True:\n    inner['r'] = 8",
        "for inner['r'] in (8,):\n    pass",
        "model |= dict(llm=3)",
        "del inner['r']",
        "def f():\n    inner['r'] = 8",
        "pair = (1, inner)\npair[1].update(r=8)",
    ],
)
def test_a_value_that_may_have_changed_is_no_longer_given(change):
    read = values(f"inner = dict(r=4)\nmodel = dict(llm=inner, keep=1)\n{change}")
    found = read["model"]
    assert isinstance(found, Unread) or isinstance(found["llm"], Unread)


@pytest.mark.parametrize(
    "change",
    [
        "a, b = 1, 2",
        "a += 1",
        "if True:\n    a = 1",
        "with x as a:\n    pass",
        "class a: pass",
        "def a(): pass",
        "if True:\n    import a.b",
        "if True:\n    import m as a",
        "if True:\n    from m import a",
    ],
)
def test_a_name_assigned_by_other_statements_is_unread(change):
    assert isinstance(values(f"a = 0\n{change}")["a"], Unread)


def test_walrus_is_noticed():
    read = values("a = 1\nb = [(a := 2), 3]")
    assert isinstance(read["a"], Unread)


def test_locals_of_a_function_leave_the_config_alone():
    assert values("path = 'x'\ndef f():\n    path = 'y'\n")["path"] == "x"
    assert isinstance(values("path = 'x'\ndef f():\n    global path\n    path = 'y'\n")["path"], Unread)


def test_skipped_statements_are_listed():
    read = read_config_values("'''doc'''\nwith read_base():\n    from .base import *\nfrom x import *\na = 1\n", "c")
    assert read.skipped == ("with read_base():", "from x import *")
    assert read.values == {"a": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = (\n", "line 1"),
        ("a = 1\nb = = 2", "line 2"),
        ("a = '\0'", "not a Python config"),
        ("a = " + "[" * 150 + "]" * 150, "too deep"),
        ("a = " + "[" * 5000, "config"),
        ("a = " + "-" * 100_000 + "1", "too deep"),
        ("a = 1" + " + 1" * 20_000, "too deep"),
        ("a = 'x'\n" * 700_000, "bytes long"),
        ("a = 'xxxxxxxx'\n" + "a = a + a\n" * 40, "without end"),
        ("a = ['x', 'y']\n" + "a = [a, a]\n" * 40, "without end"),
        ("a = []\n" + "a = [a]\n" * 300, "too deep"),
    ],
)
def test_hostile_or_broken_text_is_refused(text, expected):
    with pytest.raises(RefusedInput, match=expected) as refusal:
        values(text)
    assert "config" in str(refusal.value)


def test_numbers_cannot_grow_without_end():
    assert isinstance(values("a = 999999\n" + "a = a * a\n" * 40)["a"], Unread)


def test_source_is_found_after_any_line_end_and_cut_after_120_characters():
    assert values("x = 1\r\ny = call()\rz = run()\n") == {"x": 1, "y": Unread("call()"), "z": Unread("run()")}
    assert values(f"x = call({'a' * 200})")["x"] == Unread("call(" + "a" * 115)
    # A sign of three bytes is cut through where the search for the text's end stops.
    assert values("x = cal('" + "€" * 300 + "')")["x"] == Unread("cal('" + "€" * 115)
    assert values("x = call(\n    1)")["x"] == Unread("call(")


def test_half_of_a_surrogate_pair_is_refused():
    with pytest.raises(RefusedInput, match="not a Python config"):
        values("x = '\ud800'")


@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("[", "]"),
        ("(", ",)"),
        ("{'a': ", "}"),
        ("{", ": 0}"),
        ("dict(a=", ")"),
        ("dict(", ")"),
        ("-", ""),
        ("1 + (", ")"),
        ("", " + 1"),
    ],
)
@pytest.mark.parametrize("assignment", ["x = ", "x: object = "])
def test_a_hundred_levels_are_read_and_no_more(assignment, begin, end):
    assert "x" in values(f"{assignment}{begin * 100}1{end * 100}")
    with pytest.raises(RefusedInput, match="too deep"):
        values(f"{assignment}{begin * 101}1{end * 101}")


def test_levels_are_counted_through_names():
    text = "a = " + "[" * 100 + "]" * 100 + "\nb = [a]\nc = b\nd = [b]"
    assert "d" in values(text)
    with pytest.raises(RefusedInput, match="too deep"):
        values(text + "\ne = d")


def test_names_stand_for_a_million_characters_and_values_at_most():
    text = "a = '" + "x" * 499_999 + "'\nb = a\nc = a"
    assert values(text)["c"] == "x" * 499_999
    for more in ("\nd = e = 1\nd = e", "\nd = a", "\nd = 'x' + 'y'"):
        with pytest.raises(RefusedInput, match="without end"):
            values(text + more)


def test_a_text_may_have_five_million_bytes():
    assert values("a = 1\n#" + "€" * 1_666_664 + "x") == {"a": 1}
    with pytest.raises(RefusedInput, match="bytes long"):
        values("a = 1\n#" + "€" * 1_666_664 + "xx")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("7 // 2", 3), ("7 / 2", 3.5), ("7 - 2", 5), ("7 * 2", 14), ("-7 // 2", -4), ("(1,) + (2,)", (1, 2)),
        ("a[0]", "x"), ("a[-2]", "x"), ("a[1]", "y"), ("d['k']", 5), ("t[0]", 6), ("PROMPT['chat']", "m.PROMPT.chat"),
    ],
)  # fmt: skip
def test_arithmetic_and_items(expression, expected):
    start = "from m import PROMPT\na = ['x', 'y']\nd = dict(k=5)\nt = (6,)\n"
    assert values(f"{start}x = {expression}")["x"] == expected


@pytest.mark.parametrize(
    "expression",
    ["a[2]", "a[-3]", "a['x']", "a[0.0]", "d['none']", "PROMPT['not a name']", "PROMPT[0]", "7 // 0", "7 % 2", "2 ** 3"]
    + ["True + 1", "-True", "[1] + (2,)", "PROMPT + 'x'", "a[0:1]"],
)
def test_items_and_numbers_that_are_not_read(expression):
    start = "from m import PROMPT\na = ['x', 'y']\nd = dict(k=5)\n"
    assert values(f"{start}x = {expression}")["x"] == Unread(expression)


def test_a_lambda_may_change_its_names_whenever_it_is_called():
    start = "a = dict(r=4)\nf = lambda: a.update(r=5)\na = dict(r=6)\n"
    assert values(start)["a"] == {"r": 6}
    assert isinstance(values(start + "f()\n")["a"], Unread)
    assert values("a = dict(r=4)\nf = other(a)\na = dict(r=6)\nf()\n")["a"] == {"r": 6}


def test_signs_of_four_bytes_are_cut_after_120_of_them():
    clef = "\N{MUSICAL SYMBOL G CLEF}"
    found = values(f"x = f('{clef * 200}')")["x"]
    assert found.text == ("f('" + clef * 117)
