"""The LoRA of each part is merged by its own settings; what was not read, or is of another run, stops."""

import pytest
import torch

from helpers.checkpoints.convert import convert
from helpers.core.errors import RefusedInput, UsageProblem
from tests.support.exports import refused, without_config
from tests.support.published_sa2va import base_state, edit_config, exported, fine_tuned

VISION_KEY = "mllm.model.vision_model.base_model.model.encoder.layers.{}.{}.lora_{}.default.weight"
MODULES = {"attn.qkv": (192, 64), "attn.proj": (64, 64), "mlp.fc1": (128, 64), "mlp.fc2": (64, 128)}
VISION = "visual_encoder_lora=dict(type='peft.LoraConfig', r=2, lora_alpha=6{})"


def add_vision_lora(tiny, settings="", before=True, layers=(0, 1)):
    """LoRA of rank 2 on the vision tower, in tensors and config."""

    def change(content):
        random = torch.Generator().manual_seed(1)
        for layer in layers:
            for module, (rows, columns) in MODULES.items():
                for factor, shape in (("A", (2, columns)), ("B", (rows, 2))):
                    name = VISION_KEY.format(layer, module, factor)
                    content["state_dict"][name] = 0.1 * torch.randn(shape, generator=random)
        adapter = VISION.format(settings)
        there, text = ("llm_lora=dict(" if before else "model_path=path,"), content["meta"]["cfg"]
        assert there in text
        content["meta"]["cfg"] = text.replace(there, f"{adapter},\n        {there}")

    tiny.edit_checkpoint(change)


def merged_by_hand(tiny, vision_scale, language_scale=2.0):
    state = fine_tuned(tiny, base_state(tiny), alpha=4 * language_scale)
    tensors = tiny.content()["state_dict"]
    base = base_state(tiny)
    for layer in (0, 1):
        for module in MODULES:
            a, b = (tensors[VISION_KEY.format(layer, module, factor)] for factor in "AB")
            name = f"vision_model.encoder.layers.{layer}.{module}.weight"
            state[name] = base[name] + vision_scale * (b @ a)
    return state


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(("settings", "scale"), [("", 3.0), (", use_rslora=True", 6 / 2**0.5)])
def test_two_adapters_are_merged_each_by_its_own(tmp_path, tiny, before, settings, scale):
    add_vision_lora(tiny, settings, before)
    record = convert(tiny.request(tmp_path / "out"))
    found, expected = exported(tmp_path / "out"), merged_by_hand(tiny, scale)
    assert all(torch.allclose(found[name], expected[name], atol=1e-6) for name in expected)
    values = {name: setting["value"] for name, setting in record.values["settings"].items()}
    assert (values["lora_alpha"], values["rank_stabilised"]) == (8.0, None)
    assert (values["vision_lora_alpha"], values["vision_rank_stabilised"]) == (6.0, True if settings else None)
    scales = {target["lora"]["scale"] for target in record.values["targets"] if "lora" in target}
    assert scales == {2.0, scale}
    assert "vision_lora_alpha: 6.0" in record.summary()


def test_the_option_is_of_the_language_model_alone(tmp_path, tiny):
    add_vision_lora(tiny)
    convert(tiny.request(tmp_path / "out", lora_alpha=4.0))
    found, expected = exported(tmp_path / "out"), merged_by_hand(tiny, 3.0, language_scale=1.0)
    assert all(torch.allclose(found[name], expected[name], atol=1e-6) for name in expected)


def test_a_vision_adapter_that_no_config_speaks_of_stops(tmp_path, tiny):
    add_vision_lora(tiny)
    edit_config(tiny, lambda text: text.replace("visual_encoder_lora", "another_lora"))
    refused("LoRA alpha of visual_encoder_lora is unknown", tiny, tmp_path / "out", lora_alpha=8.0)


def test_lora_on_some_layers_of_the_vision_tower_is_a_note(tmp_path, tiny):
    add_vision_lora(tiny, layers=(1,))
    notes = convert(tiny.request(tmp_path / "out")).values["notes"]
    assert any("some layers of the vision tower" in note for note in notes)


def test_lora_of_neither_part_stops(tmp_path, tiny):
    def add(content):
        for factor, shape in (("A", (2, 64)), ("B", (64, 2))):
            content["state_dict"][f"mllm.model.mlp1.3.lora_{factor}.default.weight"] = torch.ones(shape)

    tiny.edit_checkpoint(add)
    refused("LoRA of mlp1.3.weight: belongs to neither llm_lora nor visual_encoder_lora", tiny, tmp_path / "out")


@pytest.mark.parametrize(
    ("setting", "written"),
    [("lora_alpha", "lora_alpha=8"), ("r", "            r=4"), ("bias", "bias='none'"),
     *((name, None) for name in ("use_rslora", "use_dora", "alpha_pattern", "rank_pattern"))],
)  # fmt: skip
@pytest.mark.parametrize("value", ["flag()", "os.getenv('A', 8)"])
def test_a_setting_that_was_not_read_stops(tmp_path, tiny, setting, written, value):
    def change(text):
        if written is None:
            return text.replace("llm_lora=dict(", f"llm_lora=dict({setting}={value}, ")
        return text.replace(written, f"{setting}={value}")

    edit_config(tiny, change)
    name = {"lora_alpha": "lora_alpha", "r": "lora_rank"}.get(setting, f"llm_lora.{setting}")
    refused(f"{name}: .* is not a plain value and is not computed; pass .*--train-config", tiny, tmp_path / "out")


def test_alpha_that_was_not_read_can_be_given_and_nothing_else(tmp_path, tiny):
    plain = convert(tiny.request(tmp_path / "plain"))
    edit_config(tiny, lambda text: text.replace("lora_alpha=8", "lora_alpha=alpha()"))
    record = convert(tiny.request(tmp_path / "other" / "out", lora_alpha=8.0))
    assert record.values["tensors_sha256"] == plain.values["tensors_sha256"]
    edit_config(tiny, lambda text: text.replace("llm_lora=dict(", "llm_lora=make("))
    refused("llm_lora: make", tiny, tmp_path / "out", lora_alpha=8.0)


@pytest.mark.parametrize("rank", [2, 64])
def test_a_rank_that_is_not_the_tensors_stops(tmp_path, tiny, rank):
    edit_config(tiny, lambda text: text.replace("r=4", f"r={rank}"))
    refused(f"says LoRA rank {rank} for llm_lora, the tensors .* have 4", tiny, tmp_path / "out", lora_alpha=8.0)


def test_a_rank_of_the_pattern_is_a_rank(tmp_path, tiny):
    edit_config(tiny, lambda text: text.replace("r=4", "r=64, rank_pattern={'q_proj': 4, '.*': 4}"))
    record = convert(tiny.request(tmp_path / "out"))
    assert {target["lora"]["scale"] for target in record.values["targets"] if "lora" in target} == {2.0}


@pytest.mark.parametrize("setting", ["type='peft.AdaLoraConfig'", "lora_bias=True", "layer_replication=[[0, 1]]"])
def test_variants_of_one_adapter_are_told_with_its_name(tmp_path, tiny, setting):
    add_vision_lora(tiny, f", {setting}".replace(", type='peft.AdaLoraConfig'", ""))
    if setting.startswith("type"):
        edit_config(tiny, lambda text: text.replace("type='peft.LoraConfig', r=2", "type='peft.AdaLoraConfig', r=2"))
    refused("visual_encoder_lora: LoRA with .* cannot be merged", tiny, tmp_path / "out")


def test_settings_of_an_adapter_without_tensors_stop_nothing(tmp_path, tiny):
    edit_config(tiny, lambda text: text.replace("llm_lora=dict(", "visual_encoder_lora=make(), llm_lora=dict(", 1))
    assert "vision_lora_alpha" not in convert(tiny.request(tmp_path / "out")).values["settings"]


def test_biases_that_were_trained_must_be_there(tmp_path, tiny):
    edit_config(tiny, lambda text: text.replace("bias='none'", "bias='lora_only'"))
    refused("lacks 6 tensors that training saves, for example language_model.*k_proj.bias", tiny, tmp_path / "out")

    def add(content):
        for layer in (0, 1):
            for name, rows in (("q", 64), ("k", 32), ("v", 32)):
                stem = f"mllm.model.language_model.base_model.model.model.layers.{layer}.self_attn.{name}_proj"
                content["state_dict"][f"{stem}.base_layer.bias"] = torch.full((rows,), 0.25)

    tiny.edit_checkpoint(add)
    convert(tiny.request(tmp_path / "out"))
    bias = exported(tmp_path / "out")["language_model.model.layers.1.self_attn.k_proj.bias"]
    assert torch.equal(bias, torch.full((32,), 0.25))


def test_without_any_config_the_option_is_plain_lora(tmp_path, tiny):
    plain = convert(tiny.request(tmp_path / "plain"))
    tiny.edit_checkpoint(without_config)
    record = convert(tiny.request(tmp_path / "other" / "out", lora_alpha=8.0, template="qwen_chat"))
    assert record.values["tensors_sha256"] == plain.values["tensors_sha256"]


def test_a_file_stands_wholly_in_place_of_the_stored_text(tmp_path, tiny):
    good = tiny.content()["meta"]["cfg"]
    config = tmp_path / "train.py"
    config.write_text(good)
    plain = convert(tiny.request(tmp_path / "plain"))
    broken = (
        "a = (",
        good.replace("llm_lora=", "other=dict(lora_alpha=99), more="),
        good.replace("lora_alpha=8", "lora_alpha=99, use_dora=True"),
        good.replace("special_tokens = [", "special_tokens = [*other, "),
        good + "_base_ = ['other.py']\n",
    )  # fmt: skip
    for index, text in enumerate(broken):
        tiny.edit_checkpoint(lambda content, text=text: content["meta"].update(cfg=text))
        with pytest.raises((RefusedInput, UsageProblem)):
            convert(tiny.request(tmp_path / "refused"))
        record = convert(tiny.request(tmp_path / str(index) / "out", train_config=config))
        assert record.values["tensors_sha256"] == plain.values["tensors_sha256"]


def test_nothing_of_the_stored_text_fills_what_the_file_lacks(tmp_path, tiny):
    good = tiny.content()["meta"]["cfg"]
    config = tmp_path / "train.py"
    config.write_text(good.replace("template = 'qwen_chat'", ""))
    refused("pass --template", tiny, tmp_path / "out", error=UsageProblem, train_config=config)
    config.write_text(good.replace("lora_alpha=8,", ""))
    refused("Pass --lora-alpha", tiny, tmp_path / "out", train_config=config)


@pytest.mark.parametrize("text", ["_base_ = ['./other.py']\n", "with read_base():\n    from .other import *\n"])
def test_a_config_that_takes_over_another_is_refused_with_what_to_give(tmp_path, tiny, text):
    config = tmp_path / "train.py"
    config.write_text(text + tiny.content()["meta"]["cfg"])
    refused("takes over another config .*the merged one that mmengine wrote", tiny, tmp_path / "out", UsageProblem,
            train_config=config)  # fmt: skip
