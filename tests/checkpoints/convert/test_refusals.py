"""Every condition of the sources that stops a conversion."""

import json
import os
import shutil

import pytest
import torch

from helpers.checkpoints.convert import convert
from helpers.core.errors import RefusedInput, UsageProblem
from tests.support.exports import refused
from tests.support.tiny_sources import TinySources


def test_stops_on_a_target_without_a_source(tmp_path, tiny):
    tiny.edit_sam2(lambda state: state.pop("no_mem_embed"))
    refused("target tensor without a source: sam2.no_memory_embedding", tiny, tmp_path / "out")


def test_stops_on_a_trained_tensor_left_over(tmp_path, tiny):
    tiny.edit_checkpoint(lambda content: content["state_dict"].update({"mllm.model.adapter.weight": torch.ones(2)}))
    refused(r"checkpoint tensor with no place in the model: mllm\.model\.adapter\.weight", tiny, tmp_path / "out")


def test_stops_on_a_shape_mismatch(tmp_path, tiny):
    def cut(content):
        content["state_dict"]["text_hidden_fcs.0.bias"] = content["state_dict"]["text_hidden_fcs.0.bias"][:-1].clone()

    tiny.edit_checkpoint(cut)
    refused("shape mismatch: seg_projection.linear_1.bias", tiny, tmp_path / "out")


@pytest.mark.parametrize("part", [".lora_A.", "text_hidden_fcs.0.bias"])
def test_stops_on_whole_numbers_for_weights(tmp_path, tiny, part):
    def quantise(content):
        name = next(name for name in content["state_dict"] if part in name)
        content["state_dict"][name] = (content["state_dict"][name] * 100).to(torch.int8)

    tiny.edit_checkpoint(quantise)
    refused(r"expected weights in floating point, found torch.int8 in .*: quantised", tiny, tmp_path / "out")


@pytest.mark.parametrize("factor", ["A", "B"])
def test_stops_on_half_a_lora_pair(tmp_path, tiny, factor):
    def drop(content):
        name = next(name for name in content["state_dict"] if f".lora_{factor}." in name)
        del content["state_dict"][name]

    tiny.edit_checkpoint(drop)
    refused(f"LoRA pair incomplete: .* has no lora_{factor}", tiny, tmp_path / "out")


def test_stops_where_the_tokenizer_has_more_ids_than_the_embeddings_rows(tmp_path, tiny):
    config = tiny.base / "added_tokens.json"
    added = json.loads(config.read_text())
    grown = added | {"<extra>": max(added.values()) + 1}
    config.write_text(json.dumps(grown))
    decoder = tiny.base / "tokenizer_config.json"
    values = json.loads(decoder.read_text())
    values["added_tokens_decoder"][str(grown["<extra>"])] = {
        "content": "<extra>", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
        "special": True,
    }  # fmt: skip
    decoder.write_text(json.dumps(values))
    (tiny.base / "tokenizer.json").unlink(missing_ok=True)
    refused("embed_tokens has 451 rows, and the tokenizer .* has 452 ids; 1 of them", tiny, tmp_path / "out")


def test_stops_where_a_folders_config_puts_seg_elsewhere(tmp_path, finished):
    _, folder, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    config = json.loads((copy / "config.json").read_text())
    config["token_ids"]["[SEG]"] += 1
    (copy / "config.json").write_text(json.dumps(config))
    sources = TinySources(copy, None, None, None)
    refused(r"id of \[SEG\] differs: tokenizer \d+, config \d+", sources, tmp_path / "out",
            sam2_config=None)  # fmt: skip


def test_stops_on_a_base_of_other_sizes_and_names_both(tmp_path, tiny):
    tiny.edit_base_config(lambda config: config["llm_config"].update(hidden_size=96))
    message = rf"the base internvl_base does not fit the checkpoint {tiny.checkpoint.name} .*checkpoint \d+, base 96"
    refused(message, tiny, tmp_path / "out")


def test_stops_on_a_sam21_file(tmp_path, tiny):
    tiny.edit_sam2(lambda state: state.update(no_obj_embed_spatial=torch.zeros(1, 16)))
    refused("SAM 2.1 .*Pass the 2.0 file", tiny, tmp_path / "out")


def test_stops_where_lora_changed_nothing(tmp_path, tiny):
    def untrain(content):
        for name, tensor in content["state_dict"].items():
            if ".lora_B." in name:
                tensor.zero_()

    tiny.edit_checkpoint(untrain)
    refused("the merged model is identical to its base", tiny, tmp_path / "out")


def test_stops_where_nothing_differs_from_the_base(tmp_path, finished):
    _, folder, _ = finished
    sources = TinySources(folder, folder, None, None)
    refused("the converted model is identical to its base", sources, tmp_path / "out", sam2_config=None)


def test_stops_on_the_tensors_of_another_checkpoint_in_the_same_folder(tmp_path, tiny):
    convert(tiny.request(tmp_path / "first"))
    # The same weights under another hash: a stale copy that was only renamed or saved again.
    tiny.edit_checkpoint(lambda content: content["meta"].update(iter=99999))
    with pytest.raises(RefusedInput, match="identical to those of first, which was converted from another checkpoint"):
        convert(tiny.request(tmp_path / "second"))
    assert not (tmp_path / "second").exists()


def test_stops_on_values_that_are_not_finite(tmp_path, tiny):
    tiny.edit_checkpoint(lambda content: content["state_dict"]["text_hidden_fcs.0.bias"].fill_(float("nan")))
    refused("seg_projection.linear_1.bias: rows .* not finite", tiny, tmp_path / "out")


def test_stops_on_an_output_that_exists(tmp_path, tiny):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/file").write_text("mine")
    with pytest.raises(UsageProblem, match="exists already"):
        convert(tiny.request(tmp_path / "out"))
    assert (tmp_path / "out/file").read_text() == "mine"


def test_stops_before_writing_where_the_disk_is_too_small(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(1, 1, 10))
    refused(r"the exported weights needs .* GB, 0\.0 GB are free", tiny, tmp_path / "out")


def test_stops_where_the_base_already_holds_this_fine_tune(tmp_path, finished):
    tiny, folder, _ = finished
    refused("the base already holds this fine-tune", tiny, tmp_path / "out", base=folder)


def drop(names):
    def change(content):
        state = content["state_dict"]
        for name in [name for name in state if names(name)]:
            del state[name]

    return change


@pytest.mark.parametrize(
    "names",
    [
        lambda name: ".mlp1.3." in name,
        lambda name: name.startswith("text_hidden_fcs.2."),
        lambda name: "sam_mask_decoder.iou_token" in name,
        lambda name: ".layers.0." in name and ".lora_" in name,
    ],
    ids=["projector", "seg projection", "mask decoder", "LoRA of a layer"],
)
def test_stops_where_a_training_checkpoint_lacks_what_training_saves(tmp_path, tiny, names):
    tiny.edit_checkpoint(drop(names))
    refused("lacks .* tensors? that training saves", tiny, tmp_path / "out")


def test_stops_where_the_embedding_of_seg_is_nowhere(tmp_path, tiny):
    tiny.edit_checkpoint(drop(lambda name: "embed_tokens" in name))
    refused(r"holds no embed_tokens, and the base .* the embedding of \[SEG\] is nowhere", tiny, tmp_path / "out")


def test_stops_on_adapters_beside_a_folder(tmp_path, finished):
    _, folder, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    shutil.copy(copy / "model.safetensors", copy / "adapter_model.safetensors")
    refused("holds adapter_model.safetensors beside its weights", TinySources(copy, None, None, None), tmp_path / "out",
            sam2_config=None)  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config["llm_config"].pop("hidden_size"),
        lambda config: config.update(llm_config=None),
        lambda config: config["llm_config"].update(hidden_act="invented"),
        lambda config: config["vision_config"].pop("num_hidden_layers"),
    ],
)
def test_a_damaged_base_config_is_refused_by_name(tmp_path, tiny, change):
    tiny.edit_base_config(change)
    refused("config.json", tiny, tmp_path / "out")


@pytest.mark.parametrize("name", ["vocab.json", "tokenizer_config.json"])
def test_a_damaged_tokenizer_is_refused_by_name(tmp_path, tiny, name):
    (tiny.base / "tokenizer.json").unlink(missing_ok=True)
    (tiny.base / name).write_text("{")
    refused(f"{name} cannot be read as JSON", tiny, tmp_path / "out")


@pytest.mark.parametrize("damage", ["cut", "lost", "of another export"])
def test_stops_on_a_shard_that_is_damaged(tmp_path, tiny, damage):
    convert(tiny.request(tmp_path / "whole", shard_bytes=200_000))
    shard = sorted((tmp_path / "whole").glob("*.safetensors"))[1]
    if damage == "cut":
        os.truncate(shard, shard.stat().st_size - 100)
    elif damage == "lost":
        shard.unlink()
    else:
        shutil.copy(sorted((tmp_path / "whole").glob("*.safetensors"))[0], shard)
    said = {
        "cut": f"{shard.name} is a truncated or damaged",
        "lost": f"1 cannot be found: {shard.name}",
        "of another export": "Export or download the model again",
    }
    sources = TinySources(tmp_path / "whole", None, None, None)
    refused(said[damage], sources, tmp_path / "out", sam2_config=None)
