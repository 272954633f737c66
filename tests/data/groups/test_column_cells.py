"""Cells by file: what a row is about, and what no row says."""

import pytest

from helpers.data.groups.column_cells import cells_of, readable_tables, titles_of

NAMES = ["a/cine.dcm#0", "a/cine.dcm#1", "b/1.png", "c/1.png", "d#2.png"]


@pytest.mark.parametrize(
    "table, expected",
    [
        ("file,side\na/cine.dcm,left\n", {"a/cine.dcm#0": "left", "a/cine.dcm#1": "left"}),
        ("file,side\ncine.dcm,left\na/cine.dcm#1, right \n", {"a/cine.dcm#0": "left", "a/cine.dcm#1": "right"}),
        ("file,side\nb/1.png,left\n", {"b/1.png": "left"}),  # the same name elsewhere is another file
        ("file,side\n1.png,left\n", {}),
        ("file,side\nd#2.png,left\nd#2.png,left\n", {"d#2.png": "left"}),
        ("file,side\nd#2.png,left\nd#2.png,right\nb/1.png,\n", {}),
        ("name,side,more\nd#2.png,left\n", {"d#2.png": "left"}),
        ("side\nleft\n", None),
    ],
)
def test_what_a_row_is_about(tmp_path, table, expected):
    (tmp_path / "t.csv").write_text(table)
    ((path, rows),) = readable_tables(tmp_path)
    assert path.name == "t.csv" and "side" in titles_of(rows)
    assert cells_of(NAMES, rows, "side") == expected


def test_tables_of_something_else_are_left_out(tmp_path):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "other.csv").write_bytes(b"\xff\xfe\xff")
    assert readable_tables(tmp_path) == []
