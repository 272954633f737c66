import json

import pytest
import torch
from safetensors.torch import save_file

from helpers.checkpoint.digest import sha256_file
from helpers.checkpoint.inspection import CheckpointInspection, TrainingFolderInspection, inspect_checkpoint
from tests.checkpoint.samples import CONFIG_TEXT, EXPORT_TENSORS, mmengine_entries


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


def test_text_shows_the_facts(mmengine_file):
    text = inspect_checkpoint(mmengine_file).to_text()
    for expected in (
        "mmengine",
        "3672",
        "lora_alpha",
        "[SEG] <p>",
        "language model LoRA",
        "message_hub",
        CONFIG_TEXT.strip(),
    ):
        assert expected in text


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


def test_training_folder(mmengine_file):
    folder = mmengine_file.parent
    (folder / "last_checkpoint").write_text("iter_3672.pth")
    log = folder / "20260102_030405" / "vis_data" / "scalars.json"
    log.parent.mkdir(parents=True)
    log.write_text('{"lr": 0.1, "loss": 2.0, "step": 10}\n{"lr": 0.05, "loss": NaN, "loss_mask": 1.0, "step": 20}\n')
    found = inspect_checkpoint(folder)
    assert isinstance(found, TrainingFolderInspection)
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert record["checkpoints"][0]["last"] is True
    assert record["steps"] == [10, 20]
    assert record["last_values"] == {"loss": "nan", "loss_mask": 1.0, "lr": 0.05}
    assert "iter_3672.pth" in found.to_text()
    assert "steps 10 to 20" in found.to_text()


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
