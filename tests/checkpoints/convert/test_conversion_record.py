"""The account of a conversion: its lines for people, its JSON object, and what is refused when it is read."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.checkpoints.convert.conversion_record import (
    FIELDS,
    RECORD_NAME,
    ConversionRecord,
    InputFile,
    build_values,
    check_of,
    keep_check,
    kept_check,
    read_record,
    shown_value,
    target_values,
)
from helpers.checkpoints.convert.conversion_settings import Candidate, Setting
from helpers.checkpoints.convert.plan import (
    ConversionPlan,
    Fate,
    Lora,
    Rows,
    SourceFate,
    SourceRole,
    Target,
    TensorOrigin,
)
from helpers.checkpoints.convert.weights import TensorChange
from helpers.core.errors import RefusedInput

Q = "language_model.model.layers.0.self_attn.q_proj.weight"
OF_BASE = Rows(SourceRole.BASE, Q, 2, 8)
MERGED = Target(Q, (6, 4), TensorOrigin.MERGED, (OF_BASE,), Lora("a", "b", ((1, 7),), 0.5), (OF_BASE,))
NORM = Target("norm", (4,), TensorOrigin.CHECKPOINT, (Rows(SourceRole.CHECKPOINT, "n", 0, 4),))
MERGED_VALUES = {
    "name": Q,
    "shape": [6, 4],
    "origin": "merged",
    "rows": [{"source": "base", "tensor": Q, "start": 2, "stop": 8}],
    "sha256": "ab",
    "lora": {"a": "a", "b": "b", "start": 1, "stop": 7, "scale": 0.5},
}
NORM_VALUES = {
    "name": "norm",
    "shape": [4],
    "origin": "checkpoint",
    "rows": [{"source": "checkpoint", "tensor": "n", "start": 0, "stop": 4}],
    "sha256": "cd",
}

MODEL = {"tensors_sha256": "aa", "files_sha256": "bb"}
RECORD = {"schema": "vesselkit.official-check", "schema_version": 1, **MODEL, "outcome": "same"}


def built():
    fates = {
        SourceRole.CHECKPOINT: {"n": SourceFate(Fate.USED, ("norm",)), "a": SourceFate(Fate.MERGED, (Q,))},
        SourceRole.BASE: {Q: SourceFate(Fate.MERGED, (Q,))},
    }
    return build_values(
        ConversionPlan((MERGED, NORM), fates),
        changes={Q: TensorChange(16.0, 9.0), "norm": TensorChange(4.0, 0.0)},
        inputs=[InputFile("base", "model.safetensors", "ef", 9)],
        outputs={"model.safetensors": {"sha256": "01", "bytes": 5}},
        settings={
            "lora_alpha": Setting("lora_alpha", 8.0, "--lora-alpha", (Candidate(4.0, "the config"),)),
            "special_tokens": Setting("special_tokens", ("[SEG]", "<p>"), "the config"),
            "rank_stabilised": Setting("rank_stabilised", None, None),
        },
        notes=["one note", "another"],
        left_aside={"base": {"x": "a number"}},
        dtype="float32",
        total_bytes=2_345_678_901,
        digests={Q: "ab", "norm": "cd"},
        fingerprint="99",
    )


def test_a_target_in_the_record():
    assert target_values(MERGED, "ab") == MERGED_VALUES
    assert target_values(NORM, "cd") == NORM_VALUES


def test_the_object_of_a_conversion():
    values = built()
    assert list(values)[:4] == ["schema", "schema_version", "created", "versions"]
    assert (values["schema"], values["schema_version"]) == ("vesselkit.conversion", 1)
    assert list(values["versions"]) == ["vesselkit", "python", "torch", "transformers", "safetensors", "tokenizers"]
    assert values["created"].endswith("+00:00") and len(values["created"]) == len("2026-01-01T00:00:00+00:00")
    expected = {
        "notes": ["one note", "another"],
        "left_aside": {"base": {"x": "a number"}},
        "dtype": "float32",
        "total_bytes": 2_345_678_901,
        "tensors_sha256": "99",
        "inputs": [{"role": "base", "name": "model.safetensors", "sha256": "ef", "nbytes": 9}],
        "outputs": {"model.safetensors": {"sha256": "01", "bytes": 5}},
        "targets": [MERGED_VALUES, NORM_VALUES],
        "sources": {
            "checkpoint": {"n": {"fate": "used", "targets": ["norm"]}, "a": {"fate": "merged", "targets": [Q]}},
            "base": {Q: {"fate": "merged", "targets": [Q]}},
        },
        "changes": [
            {"target": Q, "base_norm": 4.0, "change_norm": 3.0},
            {"target": "norm", "base_norm": 2.0, "change_norm": 0.0},
        ],
    }
    assert {name: values[name] for name in expected} == expected
    assert values["settings"]["lora_alpha"] == {
        "value": 8.0,
        "source": "--lora-alpha",
        "overrides": [{"value": 4.0, "source": "the config"}],
    }
    assert set(FIELDS) <= set(values)


def test_rows_of_a_factor_that_lie_apart_are_ranges():
    apart = replace(MERGED, lora=Lora("a", "b", ((0, 2), (4, 8)), 0.5))
    lora = target_values(apart, "ab")["lora"]
    assert lora == {"a": "a", "b": "b", "ranges": [[0, 2], [4, 8]], "scale": 0.5}


def test_the_lines_for_people():
    assert ConversionRecord(Path("model"), built()).summary().splitlines() == [
        "2 tensors, 2.346 GB float32: 1 from checkpoint, 1 from merged, LoRA merged onto 1 of the base",
        "every one of 3 source tensors is accounted for",
        "1 of 2 tensors with a base counterpart differs from it",
        "lora_alpha: 8.0 (from --lora-alpha)",
        "special_tokens: [SEG] <p> (from the config)",
        "note: one note",
        "note: another",
    ]


def test_tensors_are_counted_by_origin_and_without_counterparts_nothing_is_compared():
    values = built() | {"changes": [], "settings": {}, "notes": []}
    values["targets"] = [NORM_VALUES, NORM_VALUES, NORM_VALUES, MERGED_VALUES, MERGED_VALUES]
    assert ConversionRecord(Path("model"), values).summary().splitlines() == [
        "5 tensors, 2.346 GB float32: 3 from checkpoint, 2 from merged, LoRA merged onto 2 of the base",
        "every one of 3 source tensors is accounted for",
    ]


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "none"), (("a", 1), "a 1"), (["a"], "a"), (0.5, "0.5"), ("as stored", "as stored")]
)
def test_values_in_one_line(value, shown):
    assert shown_value(value) == shown


def test_a_record_is_read_back(tmp_path):
    (tmp_path / "conversion.json").write_text(json.dumps(built()))
    found = read_record(tmp_path)
    assert found.folder == tmp_path and found.values["targets"] == [MERGED_VALUES, NORM_VALUES]


@pytest.mark.parametrize("field", FIELDS)
def test_a_record_that_lacks_a_field_is_refused(tmp_path, field):
    values = built()
    del values[field]
    (tmp_path / "conversion.json").write_text(json.dumps(values))
    with pytest.raises(RefusedInput, match=f"it lacks {field}.*Convert again with this version"):
        read_record(tmp_path)


def test_no_record_and_a_record_of_another_version_are_refused(tmp_path):
    with pytest.raises(RefusedInput, match=r"conversion.json: expected this file of a folder that `vesselkit conv"):
        read_record(tmp_path)
    (tmp_path / "conversion.json").write_text(json.dumps(built() | {"schema_version": 2}))
    with pytest.raises(RefusedInput, match="expected vesselkit.conversion version 1, found .* version 2"):
        read_record(tmp_path)


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
