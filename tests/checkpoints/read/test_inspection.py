import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from helpers.checkpoints.read.convert_line import ConvertLine
from helpers.checkpoints.read.file_digest import sha256_file
from helpers.checkpoints.read.inspection import CheckpointInspection, TrainingFolderInspection, inspect_checkpoint
from helpers.checkpoints.read.tensor_groups import GroupSummary, TensorGroup
from helpers.checkpoints.read.weight_source import CheckpointKind
from helpers.core.shown_text import bytes_text
from tests.support.bars import recorded
from tests.support.checkpoint_samples import CONFIG_TEXT, EXPORT_TENSORS, mmengine_entries


def test_mmengine_checkpoint(mmengine_file):
    found = inspect_checkpoint(mmengine_file)
    assert isinstance(found, CheckpointInspection)
    record = json.loads(json.dumps(found.to_dict()))
    assert record["kind"] == "mmengine"
    assert record["files"][0]["sha256"] == sha256_file(mmengine_file)
    assert record["files"][0]["bytes"] == mmengine_file.stat().st_size
    assert record["lora_ranks"] == [4]
    assert record["vocabulary_size"] == 7
    assert record["meta"]["iter"] == 3672
    assert record["training_config"]["lora_alpha"] == 8
    assert record["training_config"]["special_tokens"][0] == "[SEG]"
    assert record["training_config_text"] == CONFIG_TEXT
    assert record["other_entries"] == {"meta": "dict", "message_hub": "dict", "optimizer": "dict"}
    groups = {item["group"]: item for item in record["groups"]}
    assert groups["language model LoRA"] == {
        "group": "language model LoRA",
        "tensors": 2,
        "dtypes": {"float32": 2},
        "parameters": 20,
        "bytes": 80,
    }
    assert record["tensors"] == 6 == sum(item["tensors"] for item in record["groups"])
    assert list(record) == [
        *("path", "kind", "family", "size", "files", "tensors", "parameters", "bytes", "groups", "lora_ranks"),
        *("vocabulary_size", "meta"),
        *("training_config", "training_config_problem", "training_config_text", "other_entries", "ignored"),
        "conversion",
    ]
    assert (record["training_config_problem"], record["ignored"]) == (None, {})
    assert (record["parameters"], record["bytes"], record["path"]) == (49, 186, str(mmengine_file))


TEXT = """\
checkpoint        {path}
kind              mmengine
family            InternVL
file              iter_3672.pth, {size}, sha256 {digest}
iter              3672
epoch             1
seed              7
experiment_name   tiny
time              20260102_030405
mmengine_version  0.10.7
dataset_meta      {{'classes': ['vessel']}}
LoRA rank         4
lora_alpha        8
lora_rank         4
template          qwen_chat
special_tokens    [SEG] <p> </p> <vp> </vp>
base_path         pretrained/base
sam2_path         unknown
sam2_config       unknown
pretrained_pth    unknown
unread            none
vocabulary size   7
other entry       meta (dict)
other entry       message_hub (dict)
other entry       optimizer (dict)
not read          note (str)
to convert        vesselkit convert --checkpoint {path} --base base --sam2 sam2_hiera_large.pt --output my-model
which needs       base, sam2_hiera_large.pt 898 MB

group                tensors  dtypes        parameters  bytes
-------------------  -------  ------------  ----------  -----
projector            1        bfloat16 x 1  3           6 B
language model LoRA  2        float32 x 2   20          80 B
embeddings           1        float32 x 1   21          84 B
text_hidden_fcs      1        float32 x 1   3           12 B
sam2 mask decoder    1        float16 x 1   2           4 B
all                  6                      49          186 B
"""


def test_the_whole_text_of_a_checkpoint(tmp_path, state_dict):
    path = tmp_path / "iter_3672.pth"
    torch.save(mmengine_entries(state_dict | {"note": "x"}), path)
    facts = {"path": path, "size": bytes_text(path.stat().st_size), "digest": sha256_file(path)}
    assert inspect_checkpoint(path).to_text() == f"training config\n{CONFIG_TEXT.rstrip()}\n\n" + TEXT.format(**facts)


def test_refused_training_config_does_not_stop_the_inspection(tmp_path, state_dict):
    torch.save(mmengine_entries(state_dict, "model = dict("), tmp_path / "iter_1.pth")
    found = inspect_checkpoint(tmp_path / "iter_1.pth")
    assert found.config is None
    assert "line 1" in found.config_problem
    assert "not read" in found.to_text()


def test_text_cannot_steer_the_terminal(tmp_path, state_dict):
    torch.save(mmengine_entries(state_dict, "x = '\x1b[2J'"), tmp_path / "iter_1.pth")
    assert "\x1b" not in inspect_checkpoint(tmp_path / "iter_1.pth").to_text()


def test_folder_without_meta(tmp_path):
    save_file(EXPORT_TENSORS, tmp_path / "model.safetensors")
    found = inspect_checkpoint(tmp_path)
    assert found.meta is None
    assert found.vocabulary_size == 5
    assert "hf_export" in found.to_text()
    json.dumps(found.to_dict())


FOLDER_TEXT = """\
training folder    {path}
runs               20260101_000000, 20260102_030405
log of newest run  2 lines, steps 10 to 20
last loss          nan
last loss_mask     1
last lr            0.05

checkpoint     size
-------------  ----------------  ----
iter_9.pth     DeepSpeed folder
iter_3672.pth  {size}           last
"""


def test_training_folder(mmengine_file):
    folder = mmengine_file.parent
    (folder / "last_checkpoint").write_text("iter_3672.pth")
    log = folder / "20260102_030405" / "vis_data" / "scalars.json"
    log.parent.mkdir(parents=True)
    log.write_text('{"lr": 0.1, "loss": 2.0, "step": 10}\n{"lr": 0.05, "loss": NaN, "loss_mask": 1.0, "step": 20}\n')
    older = folder / "20260101_000000" / "vis_data" / "scalars.json"
    older.parent.mkdir(parents=True)
    older.write_text('{"loss": 9.0, "step": 10}\n')
    (folder / "iter_9.pth").mkdir()
    found = inspect_checkpoint(folder)
    assert isinstance(found, TrainingFolderInspection)
    size = mmengine_file.stat().st_size
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False)) == {
        "path": str(folder),
        "kind": "training_folder",
        "checkpoints": [
            {"name": "iter_9.pth", "bytes": None, "iter": 9, "epoch": None, "last": False},
            {"name": "iter_3672.pth", "bytes": size, "iter": 3672, "epoch": None, "last": True},
        ],
        "runs": ["20260101_000000", "20260102_030405"],
        "log_lines": 2,
        "steps": [10, 20],
        "last_values": {"loss": "nan", "loss_mask": 1.0, "lr": 0.05},
    }
    assert found.to_text() == FOLDER_TEXT.format(path=folder, size=bytes_text(size))


def test_the_bar_is_shown_only_when_asked_for(mmengine_file):
    with recorded() as seen:
        inspect_checkpoint(mmengine_file)
        assert not seen.told
        inspect_checkpoint(mmengine_file, progress=True)
    assert "sha256" in seen.ends


def test_training_folder_without_log(mmengine_file):
    found = inspect_checkpoint(mmengine_file.parent)
    assert found.steps is None
    assert "no log" in found.to_text()


@pytest.mark.golden
def test_golden_lora_checkpoint(golden):
    found = inspect_checkpoint(golden / "ckpt_lora" / "iter_3672.pth")
    assert found.lora_ranks == (4,)
    assert found.config.lora_alpha == 8
    assert found.config.lora_rank == 4
    assert found.vocabulary_size == 3292
    counts = {group.group.value: group.tensors for group in found.groups}
    assert counts == {
        "projector": 6,
        "language model LoRA": 42,
        "embeddings": 1,
        "lm_head": 1,
        "text_hidden_fcs": 4,
        "sam2 mask decoder": 131,
    }


def test_a_log_without_a_loss_has_no_last_values(mmengine_file):
    log = mmengine_file.parent / "20260102_030405" / "vis_data" / "scalars.json"
    log.parent.mkdir(parents=True)
    log.write_text('{"lr": 0.1, "step": 10}\n{"lr": 0.05, "step": 20}\n')
    found = inspect_checkpoint(mmengine_file.parent)
    assert (found.log_lines, found.steps, found.last_values) == (2, (10, 20), None)
    log.write_text('{"loss": 2.0, "lr": 0.1, "step": 10}\n{"lr": 0.05, "step": 20}\n')
    assert inspect_checkpoint(mmengine_file.parent).last_values == {"loss": 2.0, "lr": 0.1}


def test_the_whole_of_an_inspection_as_json(tmp_path):
    groups = (GroupSummary(TensorGroup.LORA, 2, {"float32": 2}, 10, 40), GroupSummary(TensorGroup.LORA, 1, {}, 5, 7))
    found = CheckpointInspection(
        path=tmp_path,
        kind=CheckpointKind.FLAT,
        file_bytes={"a.pth": 47},
        sha256={"a.pth": "ab"},
        groups=groups,
        lora_ranks=(4, 8),
        vocabulary_size=9,
        meta=None,
        config=None,
        config_problem="not Python",
        other_entries={"optimizer": "dict"},
        ignored={"x": "int"},
        conversion=ConvertLine("convert it", (("base", 5), ("sam2", None)), 9),
    )
    one, other = (
        {"group": TensorGroup.LORA.value, "tensors": tensors, "dtypes": dtypes, "parameters": parameters, "bytes": size}
        for tensors, dtypes, parameters, size in ((2, {"float32": 2}, 10, 40), (1, {}, 5, 7))
    )
    assert found.to_dict() == {
        "path": str(tmp_path), "kind": "flat", "family": None, "size": None,
        "files": [{"name": "a.pth", "bytes": 47, "sha256": "ab"}],
        "tensors": 3, "parameters": 15, "bytes": 47, "groups": [one, other], "lora_ranks": [4, 8],
        "vocabulary_size": 9, "meta": None, "training_config": None, "training_config_problem": "not Python",
        "training_config_text": None, "other_entries": {"optimizer": "dict"}, "ignored": {"x": "int"},
        "conversion": {"line": "convert it", "output_bytes": 9,
                       "needs": [{"name": "base", "bytes": 5}, {"name": "sam2", "bytes": None}]},
    }  # fmt: skip
    assert replace(found, empty_tensors=2).to_dict()["empty_tensors"] == 2
