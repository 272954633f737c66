"""Tables as spreadsheets write them, and patients in them who are none."""

import pytest

from helpers.core.errors import UsageProblem
from helpers.data.cases import Record
from helpers.data.groups.csv_table import table_rows
from helpers.data.groups.grouping import group

NAMES = ("a.png", "b.png", "c.png")
ROWS = [{"name": "a", "patient": "Jö"}, {"name": "b", "patient": "2"}]
TEXT = "name,patient\na,Jö\nb,2\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.replace(",", ";").replace("\n", "\r\n").encode(),
        ("sep=;\n" + TEXT.replace(",", ";")).encode(),
        ('"sep=|"\n' + TEXT.replace(",", "|")).encode("utf-8-sig"),
        TEXT.replace(",", "\t").encode("utf-16"),
    ],
)
def test_tables_of_spreadsheets_are_read(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    assert table_rows(tmp_path / "t.csv") == ROWS


def test_another_encoding_is_refused(tmp_path):
    (tmp_path / "t.csv").write_bytes(TEXT.encode("latin-1"))
    with pytest.raises(UsageProblem, match="found another encoding. Save it as UTF-8"):
        table_rows(tmp_path / "t.csv")


def test_a_title_that_stands_twice_is_no_column(tmp_path):
    (tmp_path / "t.csv").write_text("name,patient,view,patient\na.png,1,LAO,2\n")
    assert table_rows(tmp_path / "t.csv") == [{"name": "a.png", "view": "LAO"}]
    with pytest.raises(UsageProblem, match="'view'; a column whose title occurs twice does not count"):
        group([Record("a.png", tmp_path / "a.png")], "column:patient", tmp_path)


def grouped(folder, *patients):
    rows = "".join(f"{name},{patient}\n" for name, patient in zip(NAMES, patients, strict=True))
    (folder / "t.csv").write_text("name,patient\n" + rows)
    found, notes = group([Record(name, folder / name) for name in NAMES], "column:patient", folder)
    return [record.patient for record in found], notes[0]


@pytest.mark.parametrize("word", ["nan", "NaN", "N/A", "unknown", "-", "?", "None", "NULL", " ", "Anonymized"])
def test_words_for_nobody_are_no_patient(tmp_path, word):
    patients, note = grouped(tmp_path, "P1", word, "0")
    assert patients == ["P1", None, "0"] and note.endswith("1 of unknown patient")


def test_numbers_that_a_spreadsheet_shortened_are_refused(tmp_path):
    with pytest.raises(UsageProblem, match=r"found 2 numbers of the kind 1.2E\+11"):
        grouped(tmp_path, "1.23457E+11", "1.5e11", "P3")
    assert grouped(tmp_path, "1E", "E12", "3E4x")[0] == ["1E", "E12", "3E4x"]


def test_a_rule_puts_no_frames_of_nobody_together(tmp_path):
    records = [Record(name, tmp_path / name) for name in ("unknown_1.png", "unknown_2.png", "P1_1.png")]
    found, notes = group(records, "(?P<patient>[^_]+)_", tmp_path)
    assert [record.patient for record in found] == [None, None, "P1"] and notes[0].endswith("2 of unknown patient")
