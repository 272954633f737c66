"""Folders that hold a model in a place of their own are told what they are, and what to give."""

import json
import os

import pytest
import torch
from safetensors.torch import save_file

from helpers.checkpoints.read.inspection import inspect_checkpoint
from helpers.checkpoints.read.weight_source import CheckpointKind, open_source
from helpers.core.errors import RefusedInput
from tests.support.checkpoint_samples import EXPORT_TENSORS

LORA = "base_model.model.model.layers.0.self_attn.q_proj.lora_{}.weight"


def refused(path, *said):
    with pytest.raises(RefusedInput) as raised:
        open_source(path)
    assert str(raised.value).startswith(str(path)) and str(raised.value).count("\n") == 0
    for words in said:
        assert words in str(raised.value), str(raised.value)


def cache(folder, names, main=None):
    """A model in the download cache, its files links to blobs."""
    cached = folder / "models--OpenGVLab--InternVL3-8B"
    (cached / "blobs").mkdir(parents=True)
    (cached / "refs").mkdir()
    save_file(EXPORT_TENSORS, cached / "blobs" / "0a1b")
    for name in names:
        (cached / "snapshots" / name).mkdir(parents=True)
        os.symlink("../../blobs/0a1b", cached / "snapshots" / name / "model.safetensors")
    (cached / "snapshots").mkdir(exist_ok=True)
    if main:
        (cached / "refs" / "main").write_text(main)
    return cached


@pytest.mark.parametrize("place", ["", "snapshots", "blobs", "refs"])
def test_a_cached_model_names_its_snapshot(tmp_path, place):
    cached = cache(tmp_path, ["c0ffee", "decade"], main="decade")
    snapshot = cached / "snapshots" / "decade"
    refused(cached / place if place else cached, f"Give {snapshot}, the one named main (others: c0ffee)")
    assert open_source(snapshot).kind is CheckpointKind.HF_EXPORT


def test_a_cached_model_without_a_main_version(tmp_path):
    refused(cache(tmp_path / "one", ["c0ffee"]), "snapshots/c0ffee.")
    refused(cache(tmp_path / "two", ["a", "b"], main="gone"), "Give one of ", "snapshots/a, ", "snapshots/b.")
    refused(cache(tmp_path / "none", []), "the download did not finish")


def test_the_cache_itself_lists_its_models(tmp_path):
    cache(tmp_path, ["c0ffee"])
    refused(tmp_path, "is HuggingFace's download cache, with 1 model (models--OpenGVLab--InternVL3-8B)")


def universal(folder):
    (folder / "zero/model.norm.weight").mkdir(parents=True)
    torch.save({"param": torch.ones(2)}, folder / "zero/model.norm.weight/fp32.pt")
    torch.save({"module": {}}, folder / "mp_rank_00_model_states.pt")
    (folder.parent / "latest_universal").write_text(folder.name)
    return folder


@pytest.mark.parametrize("place", ["", "..", "mp_rank_00_model_states.pt", "zero/model.norm.weight/fp32.pt"])
def test_a_universal_checkpoint_names_the_one_it_was_made_from(tmp_path, place):
    given = universal(tmp_path / "run" / "step9_universal")
    given = given.parent if place == ".." else given / place if place else given
    refused(given, "DeepSpeed universal checkpoint", "the checkpoint that it was made from", "zero_to_fp32.py")


def adapter(folder, name="adapter_model.safetensors", **settings):
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {LORA.format("A"): torch.ones(4, 8), LORA.format("B"): torch.ones(8, 4)}
    if name.endswith(".bin"):
        torch.save(tensors, folder / name)
    elif name:
        save_file(tensors, folder / name)
    values = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "base_model_name_or_path": "ByteDance/Sa2VA-4B", **settings}
    (folder / "adapter_config.json").write_text(json.dumps(values))
    return folder


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "adapter_model.bin"])
def test_an_adapter_folder_is_opened_with_its_settings(tmp_path, name):
    source = open_source(adapter(tmp_path / "adapter", name))
    assert source.kind is CheckpointKind.PEFT_ADAPTER and source.adapter["lora_alpha"] == 8
    assert set(source.tensors) == {LORA.format("A"), LORA.format("B")}
    shown = inspect_checkpoint(tmp_path / "adapter")
    assert (shown.config.lora_alpha, shown.config.lora_rank, shown.lora_ranks) == (8.0, 4, (4,))
    assert "peft_adapter" in shown.to_text() and "ByteDance/Sa2VA-4B" in shown.to_text()


def test_an_adapter_folder_of_a_trainer_is_no_deepspeed_checkpoint(tmp_path):
    folder = adapter(tmp_path / "checkpoint-500")
    (folder / "latest").write_text("global_step500")
    assert open_source(folder).kind is CheckpointKind.PEFT_ADAPTER


def test_parts_of_an_adapter_are_told(tmp_path):
    refused(adapter(tmp_path / "empty", ""), "is the folder of a peft adapter", "found none of them")
    whole = adapter(tmp_path / "whole")
    torch.save({}, whole / "adapter_model.bin")
    refused(whole, "found adapter_model.safetensors and adapter_model.bin")
    file = adapter(tmp_path / "file") / "adapter_model.safetensors"
    refused(file, "the LoRA of a peft adapter, without its settings", f"Give its folder: {file.parent}.")
    (file.parent / "adapter_config.json").unlink()
    refused(file, "with the adapter_config.json that is missing there")
    refused(file.parent, "adapter_config.json is missing")


def test_a_folder_of_adapters_names_them(tmp_path):
    for name in ("llm_adapter", "visual_encoder_adapter"):
        adapter(tmp_path / name)
    refused(tmp_path, "holds no model but 2 adapters (llm_adapter, visual_encoder_adapter)", "give the iter_N.pth")


def test_an_adapter_beside_a_whole_model_is_left_to_it(tmp_path):
    save_file(EXPORT_TENSORS, adapter(tmp_path / "both") / "model.safetensors")
    source = open_source(tmp_path / "both")
    assert source.adapter is None and "adapter_model.safetensors" in source.ignored


def test_empty_tensors_are_shown(tmp_path):
    torch.save(
        {"state_dict": {"a": torch.zeros(0), "b": torch.zeros(0, 4), "c": torch.ones(2)}, "meta": {}},
        tmp_path / "x.pth",
    )
    assert open_source(tmp_path / "x.pth").empty == ("a", "b")
    shown = inspect_checkpoint(tmp_path / "x.pth")
    assert "2 of 3 tensors without values: they were saved under DeepSpeed ZeRO-3 without gathering" in shown.to_text()
    assert shown.to_dict()["empty_tensors"] == 2


def test_the_vocabulary_is_that_of_the_trained_module(tmp_path):
    stem = "mllm.model.language_model.base_model.model.model.embed_tokens."
    tensors = {
        f"{stem}original_module.weight": torch.ones(5, 2),
        f"{stem}modules_to_save.default.weight": torch.ones(7, 2),
    }
    torch.save({"state_dict": tensors, "meta": {}}, tmp_path / "x.pth")
    assert inspect_checkpoint(tmp_path / "x.pth").vocabulary_size == 7
