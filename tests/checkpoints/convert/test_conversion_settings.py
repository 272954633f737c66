"""Where each setting of a conversion comes from, and which is asked for."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from helpers.checkpoints.convert import convert
from helpers.checkpoints.convert.conversion_settings import (
    Candidate,
    Setting,
    TrainingRunConfig,
    check_template,
    read_sam2_sizes,
    resolve_setting,
    settle_sam2_sizes,
)
from helpers.checkpoints.read.adapters import AdapterPart, AdapterSettings
from helpers.checkpoints.read.weight_source import CheckpointKind
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.model.sam2_sizes import PRESETS
from tests.support.exports import refused, without_config
from tests.support.listed_sources import listed, run_config
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
    refused("pass --base with that folder", tiny, tmp_path / "out", error=UsageProblem, base=None)


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


def said(value, source="the config", explicit=False):
    return Candidate(value, source, explicit)


def test_the_first_word_counts_and_silence_is_none():
    assert resolve_setting("x", [], "--x") == resolve_setting("x", [said(None)], "--x") == Setting("x", None, None)
    assert resolve_setting("x", [said(None), said(2), said(2, "b")], "--x") == Setting("x", 2, "the config")


def test_an_explicit_word_overrides_and_the_others_are_kept(caplog):
    others = [said(1, "a"), said(3, "b"), said(2, "c")]
    found = resolve_setting(
        "x", [*others, said(2, "--x", True), said(4, "--y", True)], "--x", [said(5, "old"), said(None)]
    )
    kept = (said(1, "a"), said(3, "b"), said(4, "--y", True), said(5, "old"))
    assert found == Setting("x", 2, "--x", kept)
    assert caplog.messages[0] == "x: 2 from --x overrides 1 from a" and len(caplog.messages) == 4
    assert found.to_dict()["overrides"][3] == {"value": 5, "source": "old"}


def test_two_words_that_nobody_chose_are_refused_with_both():
    with pytest.raises(RefusedInput, match=r"x: the sources disagree \(a says 1; b says 2\). Decide with --x"):
        resolve_setting("x", [said(1, "a"), said(None, "n"), said(2, "b")], "--x")
    assert resolve_setting("x", [said(1, "a")], "--x", [said(2, "old")]).overrides == (said(2, "old"),)


def test_templates_with_a_text_are_taken_and_others_told_by_their_source():
    assert check_template(Setting("template", "phi3_chat", "the config")) == "phi3_chat"
    with pytest.raises(UsageProblem, match="no training config and no export names the chat template; pass --template"):
        check_template(Setting("template", None, None))
    with pytest.raises(UsageProblem, match="--template vicuna: expected one of"):
        check_template(Setting("template", "vicuna", "--template"))
    with pytest.raises(RefusedInput, match="template: the config names 'vicuna', and this version has the texts of"):
        check_template(Setting("template", "vicuna", "the config"))


PATCH = "grounding_encoder.sam2_model.image_encoder.trunk.patch_embed.proj.weight"
BLOCK = "grounding_encoder.sam2_model.image_encoder.trunk.blocks.{}.norm1.weight"
TRUNKS = {"hiera_t": (96, 12), "hiera_s": (96, 16), "hiera_b+": (112, 24), "hiera_l": (144, 48)}


def trunk(width, blocks, kind=CheckpointKind.SAM2, **more):
    shapes = {PATCH: (width, 3, 7, 7), **{BLOCK.format(block): (width,) for block in range(blocks)}}
    return listed(
        kind, {name.removeprefix("grounding_encoder.sam2_model."): shapes[name] for name in shapes}, "s.pt", **more
    )


@pytest.mark.parametrize("preset", TRUNKS)
def test_a_preset_is_told_by_the_width_and_the_blocks_of_its_image_encoder(preset):
    bare = listed(CheckpointKind.MMENGINE, ["a.lora_A.default.weight"], "iter_9.pth")
    sizes, setting = settle_sam2_sizes(None, [bare, trunk(*TRUNKS[preset])])
    assert sizes == PRESETS[preset] and setting == Setting("sam2_config", preset, "tensor shapes of s.pt")


def test_sizes_of_no_preset_are_asked_for_with_what_they_are():
    with pytest.raises(UsageProblem, match="s.pt: SAM2 with width 96 and 13 blocks is none of .*pass --sam2-config"):
        settle_sam2_sizes(None, [trunk(96, 13)])
    with pytest.raises(UsageProblem, match="no source holds its image encoder; pass --sam2"):
        settle_sam2_sizes(None, [listed(CheckpointKind.MMENGINE, ["a"], "iter_9.pth")])


def test_a_folder_of_the_kit_says_its_sizes_and_the_option_overrides_them():
    stored = PRESETS["hiera_s"].to_dict()
    native = trunk(96, 12, CheckpointKind.NATIVE, required_config={"sam2_config": stored})
    sizes, setting = settle_sam2_sizes(None, [native])
    assert sizes == PRESETS["hiera_s"] and setting == Setting("sam2_config", "as stored", "config.json of s.pt")
    sizes, setting = settle_sam2_sizes("hiera_t", [native])
    stated = (Candidate(stored, "config.json of s.pt"),)
    assert sizes == PRESETS["hiera_t"] and setting == Setting("sam2_config", "hiera_t", "--sam2-config", stated)
    assert settle_sam2_sizes("hiera_s", [native])[1].overrides == ()


def test_sizes_from_a_file(tmp_path):
    path = tmp_path / "sizes.json"
    path.write_text(json.dumps(PRESETS["hiera_t"].to_dict() | {"d_model": 32}))
    assert read_sam2_sizes(str(path)).d_model == 32 and read_sam2_sizes("hiera_l") == PRESETS["hiera_l"]
    path.write_text("[")
    with pytest.raises(UsageProblem, match="--sam2-config .*sizes.json: "):
        read_sam2_sizes(str(path))
    with pytest.raises(UsageProblem, match="--sam2-config nothing: expected one of .* no such file exists"):
        read_sam2_sizes("nothing")


def test_whose_config_counts_and_what_it_is_called():
    config = run_config(template="a").governing
    run = TrainingRunConfig(config, replace(config, origin="the text", template="b"), explicit=True)
    assert run.origin == "--train-config the config" and replace(run, explicit=False).origin == "the config"
    assert TrainingRunConfig().origin == "no training config" and TrainingRunConfig().candidates("template") == []
    assert run.candidates("template") == [Candidate("a", "the config", True)]
    assert run.overridden("template") == [Candidate("b", "the text")] and TrainingRunConfig().overridden("x") == []
    assert type(run.problem("a")) is UsageProblem and type(TrainingRunConfig().problem("a")) is RefusedInput
    adapter = replace(config, adapters={AdapterPart.LANGUAGE: AdapterSettings(3.0)})
    beside = replace(run, adapter_file=adapter)
    assert beside.lora.governing is adapter and run.lora is run
    assert beside.adapter(AdapterPart.LANGUAGE).alpha == 3 and beside.adapter(AdapterPart.VISION) is None
    assert "adapter_config.json" in beside.lora.written_out and "--train-config" in beside.written_out
    assert TrainingRunConfig().adapter(AdapterPart.LANGUAGE) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("f()", r"f\(\) is not a plain value and is not computed; do it"),
        ("contradiction between a and b", "contradiction between a and b; do it"),
    ],
)
def test_what_was_not_read_stops_with_its_text(text, why):
    run = run_config(unread=(f"template: {text}",))
    with pytest.raises(RefusedInput, match=f"the config: template: {why}"):
        run.require_read("template", "do it")
    run.require_read("special_tokens", "do it")
    TrainingRunConfig().require_read("template", "do it")
