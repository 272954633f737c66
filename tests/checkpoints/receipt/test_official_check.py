"""What `verify --receipt` found stands in the record of the folder that was checked, and holds for that one alone."""

import json

import pytest

from helpers.checkpoints.convert.conversion_record import RECORD_NAME
from helpers.checkpoints.receipt.official_check import check_of, keep_check, kept_check
from helpers.core.errors import RefusedInput

MODEL = {"tensors_sha256": "aa", "files_sha256": "bb"}
RECORD = {"schema": "vesselkit.official-check", "schema_version": 1, **MODEL, "outcome": "same"}


@pytest.fixture
def folder(finished, tmp_path):
    """A folder that holds the record of a conversion alone."""
    _, model, _ = finished
    (tmp_path / RECORD_NAME).write_bytes((model / RECORD_NAME).read_bytes())
    return tmp_path


def test_a_check_is_kept_in_the_record_and_read_for_the_same_model(folder):
    before = json.loads((folder / RECORD_NAME).read_text())
    assert check_of(folder, MODEL) is None
    keep_check(folder, {**MODEL, "outcome": "another checkpoint"})
    keep_check(folder, {**MODEL, "outcome": "same"})
    assert check_of(folder, MODEL) == RECORD
    assert json.loads((folder / RECORD_NAME).read_text()) == {**before, "official_check": RECORD}


@pytest.mark.parametrize("changed", [{"tensors_sha256": "cc"}, {"files_sha256": "cc"}])
def test_a_check_of_other_weights_or_other_code_is_none(folder, changed):
    keep_check(folder, MODEL)
    assert check_of(folder, {**MODEL, **changed}) is None


def test_a_folder_without_a_record_has_no_check_and_takes_none(tmp_path):
    assert check_of(tmp_path, MODEL) is None
    with pytest.raises(RefusedInput, match=RECORD_NAME):
        keep_check(tmp_path, MODEL)


@pytest.mark.parametrize("kept", [None, "same", {**RECORD, "schema_version": 2}, {**RECORD, "schema": "another"}, {}])
def test_a_check_of_another_version_is_none(kept):
    assert kept_check({"official_check": kept}, "aa", "bb") is None
    assert kept_check({"official_check": RECORD}, "aa", "bb") == RECORD
