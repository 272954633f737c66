"""Sa2VA on Qwen2.5-VL: older names and flat settings of its base, newer ones of its checkpoint, and where it stops."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from helpers.checkpoints.convert import convert
from helpers.checkpoints.read.weight_source import CheckpointKind, open_source
from helpers.checkpoints.verify import verify
from helpers.core.errors import RefusedInput
from helpers.prediction.engine.composition import compose
from scripts.golden_parity import GOLDEN_FAMILIES
from tests.support.exports import refused
from tests.support.tiny_sources import TinySources, copy_qwen_vl

LAYERS = "mllm.model.base_model.model.model.language_model."
EMBEDDINGS = LAYERS + "embed_tokens.modules_to_save.default.weight"
HEAD = "mllm.model.base_model.model.lm_head.modules_to_save.default.weight"
NEWER = {"visual.": "model.visual.", "model.": "model.language_model."}
OLDER = {"model.model.visual.": "model.visual.", "model.model.language_model.": "model.model."}


@pytest.fixture
def tiny(tmp_path) -> TinySources:
    (tmp_path / "sources").mkdir()
    return copy_qwen_vl("qwen25vl", tmp_path / "sources")


def renamed(tensors, prefixes):
    """Tensors whose names begin otherwise: old beginning -> new one, the first that fits."""
    found = {}
    for name, tensor in tensors.items():
        old = next((prefix for prefix in prefixes if name.startswith(prefix)), None)
        found[name if old is None else prefixes[old] + name.removeprefix(old)] = tensor
    return found


def config_of(folder):
    return json.loads((folder / "config.json").read_text())


def test_lora_is_merged_onto_the_older_names_and_the_head_is_untied(tmp_path, tiny):
    assert open_source(tiny.base).kind is CheckpointKind.QWEN_VL_BASE
    record = convert(tiny.request(tmp_path / "out"))
    found, trained = load_file(tmp_path / "out/model.safetensors"), tiny.content()["state_dict"]
    base = load_file(tiny.base / "model.safetensors")
    stem = LAYERS + "layers.1.self_attn.v_proj.lora_"
    change = 2 * trained[f"{stem}B.default.weight"] @ trained[f"{stem}A.default.weight"]  # alpha 8, rank 4
    expected = base["model.layers.1.self_attn.v_proj.weight"].float() + change
    assert torch.equal(found["language_model.model.layers.1.self_attn.v_proj.weight"], expected)
    bias = "layers.1.self_attn.v_proj.bias"
    assert torch.equal(found[f"language_model.model.{bias}"], base[f"model.{bias}"].float())
    assert torch.equal(found["language_model.model.embed_tokens.weight"], trained[EMBEDDINGS])
    assert torch.equal(found["language_model.lm_head.weight"], trained[HEAD])
    assert not torch.equal(trained[HEAD], trained[EMBEDDINGS])
    tower = {name for name in base if name.startswith("visual.")}
    assert tower and all(
        torch.equal(found[name.replace("visual.", "vision_tower.", 1)], base[name].float()) for name in tower
    )
    assert any("ties lm_head" in note for note in record.values["notes"])
    report = verify(tmp_path / "out", tiny.checkpoint, tiny.base, tiny.sam2)
    assert report.ok, report.to_text()
    composed = compose(
        tiny.checkpoint, tiny.base, tiny.sam2, sam2_config=str(tiny.sizes), device="cpu", dtype="float32"
    )
    assert composed.identity["tensors_sha256"] == record.values["tensors_sha256"]


def test_the_export_says_all_that_shapes_the_model(tmp_path, tiny):
    convert(tiny.request(tmp_path / "out"))
    config, rows = config_of(tmp_path / "out"), len(tiny.content()["state_dict"][EMBEDDINGS])
    assert config["instruction"] == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\n{input}<|im_end|>\n<|im_start|>assistant\n"
    )
    assert (config["family"], config["tie_word_embeddings"], config["stop_words"]) == ("qwen2_5_vl", False, [])
    text, flat = config["text_config"], config_of(tiny.base)
    assert (text["vocab_size"], flat["vocab_size"]) == (rows, rows + 11)  # 16 of padding, without Sa2VA's 5 tokens
    assert text["rope_scaling"] == {"rope_type": "default", "mrope_section": [2, 3, 3]}
    assert (text["eos_token_id"], config["pixel_mean"][0]) == (flat["eos_token_id"], 0.48145466)
    assert config["vision_config"]["fullatt_block_indexes"] == [2]


def test_newer_names_and_a_section_of_settings_make_the_same_model(tmp_path, tiny):
    first = convert(tiny.request(tmp_path / "one/out"))
    names = {"tower": tiny.base / "model.safetensors"}
    save_file(renamed(load_file(names["tower"]), NEWER), names["tower"], metadata={"format": "pt"})

    def nest(config):
        text = {name: value for name, value in config.items() if name != "vision_config"}
        config.update(text_config=text | {"model_type": "qwen2_5_vl_text"}, hidden_size=999, num_hidden_layers=7)

    tiny.edit_base_config(nest)
    again = convert(tiny.request(tmp_path / "two/out"))
    assert again.values["tensors_sha256"] == first.values["tensors_sha256"]
    assert config_of(tmp_path / "two/out") == config_of(tmp_path / "one/out")


def test_lora_that_lacks_the_last_layer_is_refused_by_the_flat_settings_too(tmp_path, tiny):
    def cut(content):
        state = content["state_dict"]
        for name in [name for name in state if ".layers.1." in name and "language_model" in name]:
            del state[name]

    tiny.edit_checkpoint(cut)
    refused("language layers: checkpoint 1, base 2", tiny, tmp_path / "out")


def test_a_base_of_another_size_is_refused(tmp_path, tiny):
    tiny.edit_base_config(lambda config: config.update(num_hidden_layers=5))
    refused("language layers: checkpoint 2, base 5", tiny, tmp_path / "out")


def test_a_base_without_a_tensor_is_refused(tmp_path, tiny):
    tiny.edit_base(lambda tensors: tensors.pop("visual.merger.ln_q.weight"))
    refused("target tensor without a source: .*vision_tower.merger.ln_q.weight", tiny, tmp_path / "out")


def test_names_of_both_generations_in_one_base_are_refused(tmp_path, tiny):
    norm = "visual.merger.ln_q.weight"
    tiny.edit_base(lambda tensors: tensors.update({f"model.{norm}": tensors[norm].clone()}))
    refused(f"two tensors for one: .*{norm} .*both fill vision_tower.merger.ln_q.weight", tiny, tmp_path / "out")


@pytest.fixture
def official(shared, tmp_path):
    """A copy of the official export, and its conversion's request."""
    folder = tmp_path / "official"
    shutil.copytree(shared / "golden/tiny_qwen25vl/hf_export", folder)
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)
    sizes = shared / "golden/tiny_qwen25vl/sam2_dims.json"
    return TinySources(folder, folder, folder, sizes)


@pytest.mark.model
@pytest.mark.golden
def test_an_export_of_older_names_and_flat_settings_becomes_the_same_model(shared, tmp_path, official):
    first = convert(GOLDEN_FAMILIES["qwen25vl"].request(shared, "hf_export", tmp_path / "one/out"))
    weights = official.base / "model.safetensors"
    save_file(renamed(load_file(weights), OLDER), weights, metadata={"format": "pt"})

    def flatten(config):
        config.update(config.pop("text_config"), model_type="sa2va_chat")

    official.edit_base_config(flatten)
    again = convert(official.request(tmp_path / "two/out", base=None, sam2=None))
    assert again.values["tensors_sha256"] == first.values["tensors_sha256"]
    assert config_of(tmp_path / "two/out") == config_of(tmp_path / "one/out")


@pytest.mark.golden
def test_an_export_whose_settings_and_embeddings_disagree_is_refused(tmp_path, official):
    official.edit_base_config(lambda config: config["text_config"].update(vocab_size=405))
    with pytest.raises(RefusedInput, match="says vocab_size 405, its embed_tokens has 404 rows"):
        convert(official.request(tmp_path / "out", base=None, sam2=None))
