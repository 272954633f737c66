import json

import pytest

from helpers.core.documents import document, parse_document, read_document, refuse_damaged, write_document
from helpers.core.errors import RefusedInput

SCHEMA = "vesselkit.thing"


def test_a_document_comes_back_with_its_schema_first(tmp_path):
    write_document(tmp_path / "a.json", SCHEMA, 2, {"b": [1], "a": "ü"})
    values = read_document(tmp_path / "a.json", SCHEMA, (1, 2), ("a", "b"))
    assert list(values.items()) == [("schema", SCHEMA), ("schema_version", 2), ("b", [1]), ("a", "ü")]


def test_the_version_may_stand_under_another_key(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(document(SCHEMA, 1, {}, "version")))
    assert read_document(tmp_path / "a.json", SCHEMA, 1, version_key="version") == {"schema": SCHEMA, "version": 1}
    with pytest.raises(RefusedInput, match="found another file"):
        read_document(tmp_path / "a.json", SCHEMA, 1)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"{", r"it is not readable as JSON \(.*\)"),
        (b"\xff{}", r"it is not readable as JSON \(.*\)"),
        (b"[" * 100_000, r"it is not readable as JSON \(.*\)"),
        (b"[]", "found another file"),
        (b'{"schema": "vesselkit.thing"}', "found another file"),
        (b'{"schema": "vesselkit.run", "schema_version": 2}', "found vesselkit.run version 2"),
        (b'{"schema": "vesselkit.thing", "schema_version": 3}', "found vesselkit.thing version 3"),
        (b'{"schema": "vesselkit.thing", "schema_version": [2]}', r"found vesselkit.thing version \[2\]"),
        (b'{"schema": "vesselkit.thing", "schema_version": 2, "a": 1}', "it lacks b, c: the file is damaged"),
    ],
)
def test_any_other_file_is_refused_with_what_came_and_the_advice(tmp_path, content, found):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    message = rf"a\.json: expected vesselkit\.thing version 2, {found}. Make it again$"
    with pytest.raises(RefusedInput, match=message):
        read_document(path, SCHEMA, (1, 2), ("a", "b", "c"), "Make it again")
    with pytest.raises(RefusedInput, match=message):
        parse_document(path, content, SCHEMA, (1, 2), ("a", "b", "c"), "Make it again")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(RefusedInput, match=r"a\.json: .* version 1, it cannot be read \(No such"):
        read_document(tmp_path / "a.json", SCHEMA, 1)


@pytest.mark.parametrize("error", [ValueError, KeyError, TypeError, AttributeError, IndexError])
def test_values_of_another_kind_are_damage(tmp_path, error):
    with (
        pytest.raises(RefusedInput, match=r"version 2, the file is damaged \(.*'x'.*\). Make it again$"),
        refuse_damaged(tmp_path / "a.json", SCHEMA, (1, 2), "Make it again"),
    ):
        raise error("x")


def test_what_the_disk_says_goes_on(tmp_path):
    with pytest.raises(OSError, match="away"), refuse_damaged(tmp_path / "a.json", SCHEMA, 1):
        raise OSError("away")
