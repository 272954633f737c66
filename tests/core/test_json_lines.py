"""Lines that are added to files of records."""

import pytest

from helpers.core.json_lines import append_line


def test_lines_are_added_to_a_new_file_and_to_one_that_is_there(tmp_path):
    path = tmp_path / "a.jsonl"
    append_line(path, '{"a": 1}\n')
    append_line(path, '{"b": "\u00e9"}\n{"c": 3}\n')
    assert path.read_bytes().decode() == '{"a": 1}\n{"b": "\u00e9"}\n{"c": 3}\n'


@pytest.mark.parametrize(("cut", "expected"), [("", '{"a": \n{"b": 2}\n'), ("#torn", '{"a": #torn\n{"b": 2}\n')])
def test_a_line_that_was_cut_gets_its_end(tmp_path, cut, expected):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": ')
    append_line(path, '{"b": 2}\n', cut)
    assert path.read_text() == expected


def test_a_folder_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(FileNotFoundError):
        append_line(tmp_path / "none" / "a.jsonl", "{}\n")
