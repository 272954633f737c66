"""A conversion's account as tables: every tensor counted once, norms added as sums of squares."""

import math
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from helpers.checkpoints.convert import account_tables
from helpers.checkpoints.convert.conversion_record import ConversionRecord
from helpers.checkpoints.read.tensor_groups import GroupSummary, TensorGroup
from helpers.checkpoints.read.training_folder import TrainingCheckpoint
from helpers.checkpoints.read.weight_source import CheckpointKind

LAYER = "language_model.model.layers.1.self_attn.q_proj"


@pytest.fixture
def record():
    target = {"shape": [2, 3], "origin": "base"}
    change = {"base_norm": 4.0, "change_norm": 3.0}
    values = {
        "targets": [
            {**target, "name": f"{LAYER}.weight", "origin": "merged"},
            {**target, "name": "vision_tower.embeddings.cls_token"},
            {**target, "name": "language_model.model.norm.weight", "shape": [4]},
            {**target, "name": "sam2.mask_decoder.iou_token.weight", "origin": "checkpoint", "shape": []},
        ],
        "sources": {
            "checkpoint": {
                "a.lora_A": {"fate": "merged", "targets": []},
                "a.lora_B": {"fate": "merged", "targets": []},
                "b": {"fate": "used", "targets": []},
            },
            "base": {"c": {"fate": "overridden", "targets": []}},
        },
        "settings": {
            "lora_alpha": {"value": 8.0, "source": "--lora-alpha", "overrides": [{"value": 4, "source": "the config"}]},
            "special_tokens": {"value": ["[SEG]", "<p>"], "source": None, "overrides": []},
        },
        "notes": [],
        "outputs": {"b.json": {"sha256": "0" * 64, "bytes": 1}, "a.json": {"sha256": "f" * 64, "bytes": 2_000_000}},
        "changes": [
            {**change, "target": f"{LAYER}.weight"},
            {"base_norm": 3.0, "change_norm": 4.0, "target": f"{LAYER}.bias"},
            {**change, "target": "language_model.model.layers.0.input_layernorm.weight"},
            {"base_norm": 0.0, "change_norm": 1.0, "target": "language_model.model.embed_tokens.weight"},
            {"base_norm": 2.0, "change_norm": 0.0, "target": "language_model.lm_head.weight"},
        ],
    }
    return ConversionRecord(Path("model"), values)


def rows(table: pd.DataFrame) -> list[tuple]:
    return list(table.itertuples(index=False, name=None))


def test_targets_by_origin_add_up(record):
    assert rows(account_tables.origin_table(record)) == [
        ("base", 2, 10, 0.5882, "vision_tower, final norm"),
        ("merged", 1, 6, 0.3529, "language layers"),
        ("checkpoint", 1, 1, 0.0588, "sam2.mask_decoder"),
    ]


def test_sources_by_role_and_fate(record):
    assert rows(account_tables.fate_table(record)) == [
        ("checkpoint", "merged", 2, "a.lora_A"),
        ("checkpoint", "used", 1, "b"),
        ("base", "overridden", 1, "c"),
    ]


def test_settings_notes_and_files(record):
    assert rows(account_tables.setting_table(record)) == [
        ("lora_alpha", "8.0", "--lora-alpha", "4 from the config"),
        ("special_tokens", "[SEG] <p>", "no source", ""),
    ]
    assert rows(account_tables.note_table(record)) == [("no notes: nothing unusual was met",)]
    assert rows(account_tables.output_table(record)) == [("a.json", 2.0, "f" * 12), ("b.json", 0.0, "0" * 12)]


def test_changes_by_module(record):
    table = account_tables.change_table(record)
    q_proj, norm, embeddings, head = table.to_dict("records")
    assert (q_proj["layer"], q_proj["module"], q_proj["tensors"]) == (1, "q_proj", 2)
    assert (q_proj["base_norm"], q_proj["change_norm"], q_proj["relative"]) == (5.0, 5.0, 1.0)
    assert (norm["layer"], norm["module"], norm["relative"]) == (0, "input_layernorm", 0.75)
    assert embeddings["module"] == "embed_tokens" and math.isnan(embeddings["relative"])
    assert head["relative"] == 0.0 and pd.isna(head["layer"])


def test_a_record_without_changes_keeps_its_columns(record):
    table = account_tables.change_table(ConversionRecord(record.folder, {**record.values, "changes": []}))
    assert table.empty and table["layer"].dtype == "Int64"


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("vision_tower.encoder.layer.0.attention.q_proj.weight", "vision_tower"),
        ("multi_modal_projector.linear_1.bias", "multi_modal_projector"),
        ("language_model.model.layers.3.mlp.up_proj.weight", "language layers"),
        ("language_model.model.embed_tokens.weight", "embed_tokens"),
        ("language_model.model.norm.weight", "final norm"),
        ("language_model.lm_head.weight", "lm_head"),
        ("sam2.no_memory_embedding", "sam2.no_memory_embedding"),
        ("seg_projection.linear_1.weight", "seg_projection"),
        ("sam2.memory_attention.layers.0.linear1.weight", "sam2.memory_attention"),
        ("unknown.weight", "unknown"),
    ],
)
def test_parts(name, part):
    assert account_tables.part_of(name) == part


def test_what_a_checkpoint_holds():
    groups = (GroupSummary(TensorGroup.LORA, 2, {"float32": 1, "bfloat16": 1}, 10, 40_100),)
    inspection = SimpleNamespace(
        groups=groups,
        kind=CheckpointKind.MMENGINE,
        file_bytes={"iter_1.pth": 5},
        sha256={"iter_1.pth": "ab"},
        meta=None,
        lora_ranks=(4,),
        config=None,
        config_problem="a name is not known",
        vocabulary_size=None,
        empty_tensors=0,
    )
    assert rows(account_tables.group_table(inspection)) == [("language model LoRA", 2, "float32, bfloat16", 10, 0.04)]
    facts = dict(rows(account_tables.fact_table(inspection)))
    assert facts["sha256 of iter_1.pth"] == "ab" and facts["LoRA rank"] == "4" and facts["vocabulary"] == "unknown"
    assert facts["training config"] == "not read: a name is not known"


def test_checkpoints_of_a_training_folder():
    found = (
        TrainingCheckpoint(Path("run/iter_1.pth"), 1_500_000, 1, None, False),
        TrainingCheckpoint(Path("run/iter_2.pth"), None, 2, None, True),
    )
    first, second = rows(account_tables.checkpoint_table(found))
    assert first == ("iter_1.pth", 1.5, "") and second[0] == "iter_2.pth" and second[2] == "yes" and pd.isna(second[1])


def test_every_fact_of_a_checkpoint_in_its_order():
    inspection = SimpleNamespace(
        kind=CheckpointKind.MMENGINE,
        file_bytes={"iter_1.pth": 5},
        sha256={},
        meta=SimpleNamespace(iter=7, epoch=2, experiment_name="tiny", time="20260102"),
        lora_ranks=(4, 8),
        config=SimpleNamespace(lora_alpha=16.0, template="qwen_chat", special_tokens=("[SEG]", "<p>")),
        config_problem=None,
        vocabulary_size=151_674,
        empty_tensors=0,
    )
    assert rows(account_tables.fact_table(inspection)) == [
        ("kind", "mmengine"),
        ("file", "iter_1.pth"),
        ("iteration", "7"),
        ("epoch", "2"),
        ("experiment", "tiny"),
        ("saved", "20260102"),
        ("LoRA rank", "4, 8"),
        ("LoRA alpha", "16.0"),
        ("template", "qwen_chat"),
        ("special tokens", "[SEG] <p>"),
        ("vocabulary", "151674"),
    ]
    bare = SimpleNamespace(**vars(inspection) | {"meta": None, "lora_ranks": (), "empty_tensors": 3, "tensors": 5})
    bare.config = SimpleNamespace(lora_alpha=None, template=None, special_tokens=None)
    facts = dict(rows(account_tables.fact_table(bare)))
    assert facts["LoRA rank"] == "no LoRA" and facts["special tokens"] == facts["template"] == "unknown"
    assert "iteration" not in facts and facts["empty tensors"].startswith("3 of 5 tensors without values")


def test_the_columns_of_changes_and_origins(record):
    changes = account_tables.change_table(record)
    assert list(changes) == ["part", "layer", "module", "tensors", "base_norm", "change_norm", "relative"]
    assert list(changes["part"]) == ["language layers", "language layers", "embed_tokens", "lm_head"]
    assert list(changes["module"]) == ["q_proj", "input_layernorm", "embed_tokens", "lm_head"]
    assert list(changes["tensors"]) == [2, 1, 1, 1] and list(changes["base_norm"]) == [5.0, 4.0, 0.0, 2.0]
    assert list(changes["change_norm"]) == [5.0, 3.0, 1.0, 0.0]
    assert (changes["layer"].dtype, changes["relative"].dtype) == ("Int64", "float64")
    assert list(account_tables.origin_table(record)) == ["origin", "tensors", "parameters", "share", "parts"]


def test_megabytes_are_a_million_bytes_and_have_three_decimals():
    found = (TrainingCheckpoint(Path("a.pth"), size, 1, None, False) for size in (1_234_567, 5_000_000_000))
    assert list(account_tables.checkpoint_table(found)["MB"]) == [1.235, 5000.0]


def test_a_base_of_a_small_norm_has_a_relative_change():
    changes = [{"base_norm": 0.5, "change_norm": 0.25, "target": "language_model.lm_head.weight"}]
    table = account_tables.change_table(ConversionRecord(Path("model"), {"changes": changes}))
    assert rows(table)[0][4:] == (0.5, 0.25, 0.5)
    empty = account_tables.change_table(ConversionRecord(Path("model"), {"changes": []}))
    assert (empty["layer"].dtype, empty["relative"].dtype) == ("Int64", "float64")
