"""What a request is refused for before any work, and what its sources settle: no weights are read."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from helpers.checkpoints.convert.conversion_settings import Candidate, Setting
from helpers.checkpoints.convert.lora_settings import LoraScale
from helpers.checkpoints.convert.plan import SourceRole
from helpers.checkpoints.convert.request import open_sources, require_sa2va_beneath, require_values
from helpers.checkpoints.read.adapters import AdapterPart
from helpers.checkpoints.read.weight_source import CheckpointKind
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.model.configuration_sa2va import SPECIAL_TOKENS
from tests.support.exports import without_config
from tests.support.listed_sources import listed
from tests.support.published_sa2va import edit_config, publish

BASE_TOKENS = f"special_tokens = {list(SPECIAL_TOKENS)!r}"


def opened(tiny, tmp_path, **changes):
    return open_sources(tiny.request(tmp_path / "out", **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dtype": "float64"}, r"--dtype: expected one of \('bfloat16', 'float16', 'float32'\), got 'float64'"),
        ({"base": Path("nowhere")}, "--base nowhere: expected the folder of the base, found no such folder"),
        *(
            ({"lora_alpha": alpha}, f"--lora-alpha: expected a positive number, got {alpha}")
            for alpha in (0.0, -1.0, float("inf"), float("nan"))
        ),
    ],
)
def test_options_that_cannot_be_meant_are_refused_first(tiny, tmp_path, changes, message):
    tiny.checkpoint.unlink()
    with pytest.raises(UsageProblem, match=message):
        opened(tiny, tmp_path, **changes)


def test_an_output_may_be_an_empty_folder_or_none_and_nothing_else(tiny, tmp_path):
    folder, file = tmp_path / "out", tmp_path / "file"
    folder.mkdir()
    file.touch()
    open_sources(tiny.request(folder))
    open_sources(tiny.request(None))
    (folder / "mine").touch()
    for taken in (folder, file):
        with pytest.raises(UsageProblem, match=f"--output .*{taken.name}: exists already; name a new folder"):
            open_sources(tiny.request(taken))


def test_what_the_sources_settle(tiny, tmp_path):
    found = opened(tiny, tmp_path)
    assert list(found.opened) == [SourceRole.CHECKPOINT, SourceRole.BASE, SourceRole.SAM2]
    assert found.folder == found.tokenizer_folder == tiny.base
    assert found.official == json.loads((tiny.base / "config.json").read_text())
    assert found.scales == {AdapterPart.LANGUAGE: LoraScale(8.0)}
    assert (found.template, found.special_tokens) == ("qwen_chat", SPECIAL_TOKENS)
    assert found.native == frozenset() and found.sam2_sizes.embed_dim == 16
    assert found.text_files == {"sam2_config": tiny.sizes}
    names = ["template", "special_tokens", "lora_alpha", "rank_stabilised", "base", "sam2_config"]
    assert list(found.settings) == names
    assert found.settings["base"].value == "internvl_base"


def test_config_files_that_were_read_are_listed(tiny, tmp_path):
    config = tmp_path / "train.py"
    config.write_text(tiny.content()["meta"]["cfg"])
    assert opened(tiny, tmp_path, train_config=config).text_files == {"train_config": config, "sam2_config": tiny.sizes}
    assert opened(tiny, tmp_path, lora_alpha=3.0).scales == {AdapterPart.LANGUAGE: LoraScale(3.0)}


def test_a_native_folder_is_told_and_brings_its_own_words(finished, tmp_path):
    tiny, folder, _ = finished
    found = open_sources(tiny.request(tmp_path / "out", checkpoint=folder, base=None, sam2=None, sam2_config=None))
    assert found.native == {SourceRole.CHECKPOINT} and found.folder == found.tokenizer_folder == folder
    template, tokens = found.settings["template"], found.settings["special_tokens"]
    assert (template.value, template.source) == ("qwen_chat", "config.json of model")
    assert (tokens.value, tokens.source) == (SPECIAL_TOKENS, "config.json of model")


def test_tokens_that_nobody_names_are_the_official_ones(tiny, tmp_path):
    edit_config(tiny, lambda text: text.replace(BASE_TOKENS, "").replace("special_tokens=special_tokens,", ""))
    found = opened(tiny, tmp_path).settings["special_tokens"]
    assert (found.value, found.source) == (SPECIAL_TOKENS, "the official order")


@pytest.mark.parametrize("tokens", [("<p>", "</p>"), ()])
def test_tokens_without_seg_are_refused(tiny, tmp_path, tokens):
    edit_config(tiny, lambda text: text.replace(BASE_TOKENS, f"special_tokens = {list(tokens)!r}"))
    with pytest.raises(
        RefusedInput, match=r"special_tokens: the config text in .* gives \[.*\]; expected \[SEG\] among"
    ):
        opened(tiny, tmp_path)


@pytest.mark.parametrize(
    ("before", "after", "message", "option"),
    [
        (
            "template = 'qwen_chat'",
            "template = chosen()",
            "template: .*pass --template, or as --train-config a copy",
            {},
        ),
        (
            BASE_TOKENS,
            "special_tokens = chosen()",
            "special_tokens: .*pass as --train-config",
            {"template": "qwen_chat"},
        ),
    ],
)
def test_words_that_are_computed_are_asked_for(tiny, tmp_path, before, after, message, option):
    edit_config(tiny, lambda text: text.replace(before, after))
    with pytest.raises(RefusedInput, match=message):
        opened(tiny, tmp_path, **option)


def test_what_was_not_read_is_noted_and_logged(tiny, tmp_path, caplog):
    edit_config(tiny, lambda text: text + "\nif True:\n    pass\n")
    shutil.copy(tiny.base / "model.safetensors", tiny.base / "adapter.safetensors")
    notes = opened(tiny, tmp_path).notes
    assert len(notes) == 2 and set(notes) <= set(caplog.messages)
    assert notes[0].startswith("the config text in iter_") and ": not read: statement: if True:" in notes[0]
    assert notes[1].startswith("internvl_base: left aside: adapter.safetensors (")


def test_a_base_of_another_kind_is_refused_by_name(tiny, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    save_file({"text_hidden_fcs.0.bias": torch.ones(2)}, other / "model.safetensors")
    shutil.copy(tiny.base / "config.json", other)
    with pytest.raises(RefusedInput, match="--base other: expected the folder of a base .InternVL, .* kind 'flat'"):
        opened(tiny, tmp_path, base=other)


def test_adapters_beside_the_weights_of_a_base_are_refused(tiny, tmp_path):
    shutil.copy(tiny.base / "model.safetensors", tiny.base / "adapter_model.safetensors")
    with pytest.raises(RefusedInput, match="internvl_base holds adapter_model.safetensors beside its weights"):
        opened(tiny, tmp_path)


def test_a_checkpoint_without_a_config_takes_the_options(tiny, tmp_path):
    tiny.edit_checkpoint(without_config)
    found = opened(tiny, tmp_path, lora_alpha=4.0, template="phi3_chat")
    assert (found.template, found.settings["template"].source) == ("phi3_chat", "--template")
    assert found.scales[AdapterPart.LANGUAGE] == LoraScale(4.0) and found.notes == ()


def test_tensors_without_values_are_refused():
    source = listed(CheckpointKind.MMENGINE, ["a", "b"], "iter_9.pth")
    assert require_values(source) is source
    source.empty = ("b",)
    with pytest.raises(RefusedInput, match="iter_9.pth: 1 of 2 tensors without values: .*, for example b. Consolidate"):
        require_values(source)


@pytest.mark.parametrize(
    ("kind", "beneath", "got"),
    [
        (CheckpointKind.PEFT_ADAPTER, {}, "got no --base"),
        (
            CheckpointKind.PEFT_ADAPTER,
            {SourceRole.BASE: CheckpointKind.INTERNVL_BASE},
            "got --base given, which is none",
        ),
        (CheckpointKind.PEFT_ADAPTER, {SourceRole.BASE: CheckpointKind.HF_EXPORT}, None),
        (CheckpointKind.PEFT_ADAPTER, {SourceRole.BASE: CheckpointKind.NATIVE}, None),
        (CheckpointKind.PEFT_ADAPTER, {SourceRole.PRETRAINED: CheckpointKind.FLAT}, None),
        (CheckpointKind.MMENGINE, {}, None),
    ],
)
def test_an_adapter_needs_a_sa2va_beneath_it(kind, beneath, got):
    adapter = listed(kind, ["a"], "adapter")
    others = {role: listed(one, ["b"], "given") for role, one in beneath.items()}
    if got is None:
        require_sa2va_beneath(adapter, others)
        return
    with pytest.raises(UsageProblem, match=f"adapter is a peft adapter: LoRA alone, .*{got}. Pass that Sa2VA's folder"):
        require_sa2va_beneath(adapter, others)


def test_a_sa2va_that_the_run_loaded_has_another_name_than_its_base_by_right(tiny, tmp_path):
    published = publish(tiny, tmp_path)
    settings = opened(tiny, tmp_path, base=published.folder).settings
    assert settings["base"] == Setting("base", "Sa2VA-tiny", "--base")
    settings = opened(tiny, tmp_path, pretrained=published.folder).settings
    assert settings["base"] == Setting("base", "internvl_base", "--base")


def test_what_a_given_config_stands_in_place_of_is_recorded(tiny, tmp_path):
    text, tokens = tiny.content()["meta"]["cfg"], ("[SEG]", "<p>")
    config = tmp_path / "train.py"
    config.write_text(text.replace(BASE_TOKENS, f"special_tokens = {list(tokens)!r}").replace("qwen_chat", "phi3_chat"))
    stored = f"the config text in {tiny.checkpoint.name}"
    settings = opened(tiny, tmp_path, train_config=config).settings
    said = {"template": ("phi3_chat", "qwen_chat"), "special_tokens": (tokens, SPECIAL_TOKENS)}
    for name, (value, before) in said.items():
        assert settings[name] == Setting(name, value, str(config), (Candidate(before, stored),))


def test_a_preset_is_no_file_that_was_read(tiny, tmp_path):
    assert opened(tiny, tmp_path, sam2_config="hiera_t").text_files == {}


def test_the_tokenizer_of_the_base_stands_in_for_one_that_is_missing_and_a_loaded_sa2vas_does_not(
    tiny, tmp_path, finished
):
    _, folder, _ = finished
    shutil.copytree(folder, tmp_path / "own", ignore=shutil.ignore_patterns("*token*", "vocab.json", "merges.txt"))
    published = publish(tiny, tmp_path)
    found = opened(tiny, tmp_path, checkpoint=tmp_path / "own", pretrained=published.folder)
    assert found.folder == tmp_path / "own" and found.tokenizer_folder == tiny.base


def test_a_relative_of_sa2va_is_told_by_the_runs_config(tiny, tmp_path):
    edit_config(tiny, lambda text: text + "model = dict(type='projects.samtok.SAMTokModel')\n")
    with pytest.raises(RefusedInput, match="SAMTok"):
        opened(tiny, tmp_path, template="qwen_chat", lora_alpha=8.0)


def test_other_weights_in_the_file_are_noted(tiny, tmp_path):
    tiny.edit_checkpoint(lambda content: content.update({"ema_state_dict": {"steps": torch.ones(1)}, "emails": {}}))
    (note,) = [one for one in opened(tiny, tmp_path).notes if "another set" in one]
    assert "holds ema_state_dict beside the weights that are read" in note
