import json

import pytest

from helpers.checkpoint.meta import meta_from_entry


def test_absent_fields_are_unknown():
    assert set(vars(meta_from_entry({})).values()) == {None}


@pytest.mark.parametrize("value", [object(), "3", 3.0, True])
def test_values_of_another_type_are_unknown(value):
    assert meta_from_entry({"iter": value}).iter is None


def test_dataset_meta_is_plain():
    nested: dict = {}
    inner = nested
    for _ in range(50):
        inner["a"] = {}
        inner = inner["a"]
    meta = meta_from_entry({"dataset_meta": {"classes": ("a", "b"), 3: object(), "deep": nested}})
    assert meta.dataset_meta["classes"] == ["a", "b"]
    assert meta.dataset_meta["3"] == "<object>"
    json.dumps(meta.dataset_meta)
