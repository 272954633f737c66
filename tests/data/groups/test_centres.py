"""Centres of cases by a column of the data, and nothing guessed where some case has none."""

import pytest

from helpers.data.groups.centres import Centres, centres_of

NAMES = ["images/a.png", "images/b.png"]


@pytest.mark.parametrize(
    "table, expected",
    [
        ("file,centre\na.png,Lyon\nb.png,Graz\n", Centres("centre", 2)),
        ("File;Hospital \na;Lyon\nb; lyon\n", Centres("Hospital ", 1)),
        ("file,site\na.png,left\nb.png,right\n", None),
        ("file,centre\na.png,Lyon\nb.png,\n", Centres("centre", None)),
        ("file,centre\na.png,Lyon\n", Centres("centre", None)),
        ("file,patient\na.png,P1\nb.png,P2\n", None),
        ("centre\nLyon\n", None),
        ("", None),
    ],
)
def test_what_a_table_says(tmp_path, table, expected):
    (tmp_path / "t.csv").write_text(table)
    (tmp_path / "other.csv").write_bytes(b"\xff\xfe\xff")
    assert centres_of(NAMES, tmp_path) == expected


def test_two_tables_leave_the_centres_unknown(tmp_path):
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text("file,centre\na.png,Lyon\nb.png,Graz\n")
    assert centres_of(NAMES, tmp_path) == Centres("centre", None)
