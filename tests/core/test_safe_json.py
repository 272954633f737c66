"""JSON is read within bounds."""

import math

import pytest

from helpers.core import safe_json
from helpers.core.errors import RefusedInput
from helpers.core.safe_json import MAX_DEPTH, read_json


def write(tmp_path, text):
    path = tmp_path / "data.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_plain_values_and_a_byte_order_mark(tmp_path):
    assert read_json(write(tmp_path, '\ufeff{"a": [1, 2.5, null, "\u00e9"]}')) == {"a": [1, 2.5, None, "\u00e9"]}


def test_numbers_that_are_not_finite_pass_and_the_last_of_equal_keys_counts(tmp_path):
    value = read_json(write(tmp_path, '{"a": 1, "a": NaN}'))
    assert math.isnan(value["a"])


def test_a_file_of_200_mb_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "data.json"
    with path.open("wb") as file:
        file.truncate(200_000_000)  # takes no space on the disk
    monkeypatch.setattr(safe_json.json, "loads", lambda text: pytest.fail("it was read"))
    with pytest.raises(RefusedInput, match=r"data\.json: expected JSON of at most 64 MB, found 200 MB"):
        read_json(path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{cut", "line 1, column 2"),
        ("", "expected JSON"),
        (b"\xff\xfe\x00", "UTF-8"),
        ("[" * 100_000 + "]" * 100_000, "levels"),
        ("[" * (MAX_DEPTH + 5) + "]" * (MAX_DEPTH + 5), "levels"),
        ("1" * 5000, "too long"),
    ],
)
def test_damaged_and_hostile_files(tmp_path, text, problem):
    with pytest.raises(RefusedInput, match=problem):
        read_json(write(tmp_path, text))


def test_vertices_are_counted_over_the_whole_file(tmp_path):
    path = write(tmp_path, '[{"p": [1, 2, 3, 4]}, {"p": [[5, 6], "text"], "q": 7}]')
    assert read_json(path, max_vertices=3)
    with pytest.raises(RefusedInput, match="at most 2 polygon vertices"):
        read_json(path, max_vertices=2)


def test_more_values_than_memory_should_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(safe_json, "MAX_VALUES", 10)
    with pytest.raises(RefusedInput, match="at most 10 JSON values"):
        read_json(write(tmp_path, "[" + "[]," * 20 + "[]]"))


def test_a_missing_file(tmp_path):
    with pytest.raises(RefusedInput, match=r"none\.json: cannot be read"):
        read_json(tmp_path / "none.json")
