"""Numbers and their nouns agree: a count that may be 1 goes through `counted`."""

import ast
import re

from helpers.core.shown_text import agreeing, counted
from tests.test_layers import ROOT

NOUNS = (
    "annotation", "case", "correction", "expression", "file", "finding", "folder", "frame", "group", "id", "image",
    "item", "job", "line", "mask", "model", "patient", "prompt", "record", "row", "run", "sequence", "task", "tensor",
    "token", "truth", "unit", "value", "verdict", "warning",
)  # fmt: skip
COUNTED = re.compile(rf"^(?: (?!of\b)[\w'-]+){{0,2}}? (?:{'|'.join(NOUNS)})s\b")
OTHERS = {"materialize.py"}  # one of several thousand
APART = {"model", "train", "dev"}  # the code in an export, and what developers read


def texts(path):
    """Line, expression, and what follows it, of each value in a text."""
    for text in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(text, ast.JoinedStr):
            for value, after in zip(text.values, [*text.values[1:], ast.Constant("")], strict=True):
                if isinstance(value, ast.FormattedValue) and isinstance(after, ast.Constant):
                    yield value.lineno, value.value, str(after.value)


def is_count(value):
    """Whether an expression is a number of things."""
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in {"len", "sum"}


def test_no_number_stands_before_a_plural():
    found = [
        f"{path.relative_to(ROOT)}:{line}: {{{ast.unparse(value)}}}{after[:40]}"
        for path in sorted(ROOT.rglob("*.py"))
        if path.relative_to(ROOT).parts[0] not in APART
        for line, value, after in texts(path)
        if is_count(value) and COUNTED.match(after) and path.name not in OTHERS
    ]
    assert found == []


def test_nouns_and_verbs_of_one_and_of_several():
    assert [f"{counted(number, 'case')} {agreeing(number, 'is', 'are')}" for number in (0, 1, 2)] == [
        "0 cases are", "1 case is", "2 cases are",
    ]  # fmt: skip
