"""Where each setting of a conversion comes from, and which is asked for."""

import json
import shutil

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from helpers.checkpoints.convert import convert
from helpers.core.errors import RefusedInput, UsageProblem
from tests.support.exports import refused, without_config
from tests.support.published_sa2va import edit_config


def test_alpha_that_nobody_names_is_asked_for(tmp_path, tiny):
    tiny.edit_checkpoint(without_config)
    refused("Pass --lora-alpha", tiny, tmp_path / "out", template="qwen_chat")


def test_template_that_nobody_names_is_asked_for(tmp_path, tiny):
    tiny.edit_checkpoint(without_config)
    refused("pass --template", tiny, tmp_path / "out", error=UsageProblem, lora_alpha=8)


def test_options_override_the_config_and_the_record_says_so(tmp_path, tiny):
    plain = convert(tiny.request(tmp_path / "plain"))
    record = convert(tiny.request(tmp_path / "out", lora_alpha=3.0, template="internlm2_chat"))
    alpha, template = record.values["settings"]["lora_alpha"], record.values["settings"]["template"]
    assert (alpha["value"], alpha["source"]) == (3.0, "--lora-alpha")
    assert alpha["overrides"][0]["value"] == plain.values["settings"]["lora_alpha"]["value"]
    assert (template["value"], template["overrides"][0]["value"]) == ("internlm2_chat", "qwen_chat")
    assert record.values["tensors_sha256"] != plain.values["tensors_sha256"]
    assert json.loads((tmp_path / "out/config.json").read_text())["stop_words"] == ["<|im_end|>"]


def test_phi3_chat_is_converted_as_it_is_named(tmp_path, tiny):
    edit_config(tiny, lambda text: text.replace("template = 'qwen_chat'", "template = PROMPT_TEMPLATE.phi3_chat"))
    record = convert(tiny.request(tmp_path / "out"))
    assert record.values["settings"]["template"]["value"] == "phi3_chat"
    config = json.loads((tmp_path / "out/config.json").read_text())
    assert (config["template"], config["stop_words"]) == ("phi3_chat", ["<|end|>"])
    assert config["instruction"] == "<|user|>\n{input}<|end|>\n<|assistant|>\n"
    model = AutoModel.from_pretrained(tmp_path / "out", trust_remote_code=True, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out", trust_remote_code=True)
    said = tokenizer.encode("Sure, it is [SEG].<|end|>", add_special_tokens=False)
    # The word is several tokens here, and ends an answer all the same.
    assert model.bridge.ends(said, tokenizer)
    assert not any(model.bridge.ends(said[:end], tokenizer) for end in range(1, len(said)))


def test_two_templates_in_one_config_are_told_and_decided_by_the_option(tmp_path, tiny):
    edit_config(tiny, lambda text: text + "prompt_template = 'xtuner.utils.PROMPT_TEMPLATE.phi3_chat'\n")
    said = "template: contradiction between qwen_chat and phi3_chat; pass --template"
    refused(said, tiny, tmp_path / "out")
    assert (
        convert(tiny.request(tmp_path / "out", template="phi3_chat")).values["settings"]["template"]["overrides"] == []
    )


@pytest.mark.parametrize("name", ["vicuna", "mistral", "qwen_chat2", "PHI3_CHAT"])
def test_a_template_without_a_text_is_refused_without_another_in_its_place(tmp_path, tiny, name):
    edit_config(tiny, lambda text: text.replace("template = 'qwen_chat'", f"template = '{name}'"))
    with pytest.raises(RefusedInput, match=f"names '{name}', and this version has the texts of") as raised:
        convert(tiny.request(tmp_path / "out"))
    assert "--template" not in str(raised.value) and "ecide" not in str(raised.value)


def test_a_template_that_a_folder_contradicts_is_not_the_way_out_of_an_unknown_one(tmp_path, tiny, finished):
    edit_config(tiny, lambda text: text.replace("template = 'qwen_chat'", "template = 'vicuna'"))
    refused("names 'vicuna', and this version", tiny, tmp_path / "out", base=finished[1])
    refused("--template vicuna: expected one of", tiny, tmp_path / "out", error=UsageProblem, template="vicuna")


def test_a_config_file_overrides_the_text_in_the_checkpoint(tmp_path, tiny):
    config = tmp_path / "train.py"
    config.write_text(tiny.content()["meta"]["cfg"].replace("lora_alpha=8", "lora_alpha=5"))
    record = convert(tiny.request(tmp_path / "out", train_config=config))
    alpha = record.values["settings"]["lora_alpha"]
    assert alpha["value"] == 5
    assert [other["value"] for other in alpha["overrides"]] == [8]


def test_a_template_that_two_stored_sources_contradict_is_refused(tmp_path, tiny, finished):
    _, folder, _ = finished
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    config = json.loads((copy / "config.json").read_text())
    config["template"] = "llama3_chat"
    (copy / "config.json").write_text(json.dumps(config))
    refused(r"template: the sources disagree .*Decide with --template", tiny, tmp_path / "out", base=copy)


def test_config_text_with_a_payload_is_not_run(tmp_path, tiny):
    trap = tmp_path / "trap"

    def plant(content):
        content["meta"]["cfg"] += f"\nx = __import__('os').system('touch {trap}')\n"

    tiny.edit_checkpoint(plant)
    convert(tiny.request(tmp_path / "out"))
    assert not trap.exists()


def test_config_file_with_a_payload_is_not_run(tmp_path, tiny):
    trap, config = tmp_path / "trap", tmp_path / "train.py"
    payload = f"__import__('os').system('touch {trap}')"
    config.write_text(f"{payload}\nlora_alpha = {payload}\n" + tiny.content()["meta"]["cfg"])
    convert(tiny.request(tmp_path / "out", train_config=config))
    assert not trap.exists()


def test_base_named_in_the_config_is_used_where_it_exists(tmp_path, tiny):
    named = tiny.checkpoint.parent / "pretrained/internvl_base"
    named.parent.mkdir()
    tiny.base.rename(named)
    record = convert(tiny.request(tmp_path / "out", base=None))
    assert record.values["settings"]["base"]["source"].startswith("the config text in")


def test_base_that_is_not_here_is_asked_for(tmp_path, tiny):
    refused("pass --base with that InternVL folder", tiny, tmp_path / "out", error=UsageProblem, base=None)


def test_sam2_that_is_not_given_is_asked_for(tmp_path, tiny):
    refused("pass --sam2 with the SAM 2.0 file", tiny, tmp_path / "out", error=UsageProblem, sam2=None,
            sam2_config=None)  # fmt: skip


def test_sam2_of_unknown_size_asks_for_its_sizes(tmp_path, tiny):
    refused("pass --sam2-config with a JSON file", tiny, tmp_path / "out", error=UsageProblem, sam2_config=None)


def test_wrong_preset_is_a_shape_mismatch(tmp_path, tiny):
    refused("shape mismatch|target tensor without a source", tiny, tmp_path / "out", sam2_config="hiera_t")


@pytest.mark.parametrize("setting", ["use_dora=True", "init_lora_weights='pissa'", "alpha_pattern=dict(q_proj=64)"])
def test_stops_on_lora_variants_with_another_merge(tmp_path, tiny, setting):
    def plant(content):
        content["meta"]["cfg"] = content["meta"]["cfg"].replace("lora_alpha=8", f"lora_alpha=8, {setting}")

    tiny.edit_checkpoint(plant)
    refused("cannot be merged onto the plain base", tiny, tmp_path / "out")


def test_rank_stabilised_lora_is_a_recorded_setting(tmp_path, tiny):
    def plant(content):
        content["meta"]["cfg"] = content["meta"]["cfg"].replace("lora_alpha=8", "lora_alpha=8, use_rslora=True")

    tiny.edit_checkpoint(plant)
    record = convert(tiny.request(tmp_path / "out"))
    assert record.values["settings"]["rank_stabilised"]["value"] is True
    assert {target["lora"]["scale"] for target in record.values["targets"] if "lora" in target} == {8 / 4**0.5}


def test_a_file_of_another_kind_for_sam2_is_named(tmp_path, tiny):
    refused("--sam2 iter_.*: expected a SAM 2.0 file", tiny, tmp_path / "out", sam2=tiny.checkpoint)


def test_a_config_file_that_hides_alpha_asks_for_the_option(tmp_path, tiny):
    config = tmp_path / "train.py"
    config.write_text(tiny.content()["meta"]["cfg"].replace("lora_alpha=8", "lora_alpha=4 * rank_of()"))
    refused("--train-config .*: lora_alpha: .* pass --lora-alpha", tiny, tmp_path / "out", error=UsageProblem,
            train_config=config)  # fmt: skip
    assert convert(tiny.request(tmp_path / "out", train_config=config, lora_alpha=8.0)).values["targets"]


def test_the_name_of_another_base_is_recorded(finished):
    _, _, record = finished
    assert record.values["settings"]["base"]["value"] == "internvl_base"


@pytest.mark.parametrize("written", [r"D:\\runs\\internvl_base", "/elsewhere/internvl_base/", "pretrained/other"])
def test_a_base_is_known_by_its_name_wherever_the_run_was(tmp_path, tiny, written):
    def rename(content):
        content["meta"]["cfg"] = content["meta"]["cfg"].replace("'pretrained/internvl_base'", f"'{written}'")

    tiny.edit_checkpoint(rename)
    base = convert(tiny.request(tmp_path / "out")).values["settings"]["base"]
    assert base["value"] == "internvl_base" and bool(base["overrides"]) is written.endswith("other")
