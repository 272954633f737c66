"""Texts that a spreadsheet would run."""

import pytest

from helpers.core.tables import aligned, markdown_table, safe_text


@pytest.mark.parametrize("text", ["=A1", "+1", "-1", "@x", "\t=A1"])
def test_a_formula_is_disarmed(text):
    assert safe_text(text) == f"'{text}"


def test_no_text_ends_its_row():
    assert [safe_text(text) for text in ("a\r=1", "\r\n=1", "\r")] == ["a\n=1", "'\n=1", "'\n"]


def test_other_texts_stay():
    assert [safe_text(text) for text in ("", "P007", "1-2")] == ["", "P007", "1-2"]


def test_a_table_of_a_document():
    assert markdown_table(("a", "b"), [("1|2", "`x`")]) == "| a | b |\n| --- | --- |\n| 1\\|2 | `x` |\n"


def test_table_aligns():
    assert aligned([("ab", "c"), ("d", "ef")], header=True) == "ab  c\n--  --\nd   ef"
    assert aligned([]) == ""
