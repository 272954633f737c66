import json

import pytest

from helpers.checkpoints.read.training_folder import CheckpointMeta, meta_from_entry


def test_absent_fields_are_unknown():
    assert set(vars(meta_from_entry({})).values()) == {None}


def test_fields_of_the_expected_type_are_taken():
    meta = meta_from_entry(
        {
            "iter": 3672,
            "epoch": 0,
            "seed": -1,
            "experiment_name": "tiny",
            "time": "20260102_030405",
            "mmengine_version": "0.10.7",
            "cfg": "a = 1",
            "dataset_meta": {"classes": ["vessel"], "palette": None, "scale": 0.5},
            "hook_msgs": {},
        }
    )
    assert meta == CheckpointMeta(
        iter=3672,
        epoch=0,
        seed=-1,
        experiment_name="tiny",
        time="20260102_030405",
        mmengine_version="0.10.7",
        config_text="a = 1",
        dataset_meta={"classes": ["vessel"], "palette": None, "scale": 0.5},
    )


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


@pytest.mark.parametrize(("wrap", "shown"), [(lambda inner: {"a": inner}, "<dict>"), (lambda inner: [inner], "<list>")])
def test_dataset_meta_is_shown_seven_levels_deep(wrap, shown):
    value, expected = wrap(1), shown
    for _ in range(7):
        value, expected = wrap(value), wrap(expected)
    assert meta_from_entry({"dataset_meta": {"deep": value}}).dataset_meta == {"deep": expected}


@pytest.mark.parametrize("value", [3, b"x", ["x"]])
def test_texts_and_dataset_meta_of_another_type_are_unknown(value):
    meta = meta_from_entry(dict.fromkeys(("experiment_name", "time", "mmengine_version", "cfg", "dataset_meta"), value))
    assert set(vars(meta).values()) == {None}
