"""Texts that a spreadsheet would run."""

import pytest

from helpers.core.shown_text import aligned, bytes_text, counted, markdown_table, printable, safe_text, shown


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


def test_a_noun_takes_its_s_but_for_one():
    assert [counted(number, "case") for number in (0, 1, 2)] == ["0 cases", "1 case", "2 cases"]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1_234_567, "1.23 MB"),
        (999_999, "1 MB"),
        (32_122_400_968, "32.1 GB"),
        (999_499, "999 kB"),
        (10**12, "1 TB"),
        (10**15, "1e+03 TB"),
    ],
)
def test_bytes_text(size, expected):
    assert bytes_text(size) == expected


def test_shown():
    assert [shown(value) for value in (None, 8.0, ["a", "b"], [], 3)] == ["unknown", "8", "a b", "none", "3"]


def test_printable_keeps_lines():
    assert printable("a\n\tb\x1b[0m\x07é") == "a\n\tb?[0m?é"
