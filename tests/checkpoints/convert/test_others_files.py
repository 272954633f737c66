"""Checkpoints as other tools leave them: right, or told what they are in one message."""

import json
import shutil

import pytest
import torch
from safetensors.torch import save_file

from helpers.checkpoints.convert import convert
from helpers.checkpoints.convert.key_map import LoraName, canonical_name
from helpers.checkpoints.verify import verify
from helpers.core.errors import RefusedInput, UsageProblem
from tests.support.exports import refused
from tests.support.published_sa2va import fine_tuned, publish, require_equal

SETTINGS = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "use_rslora": False, "use_dora": False, "bias": "none",
            "alpha_pattern": {}, "rank_pattern": {}, "init_lora_weights": True, "layer_replication": None,
            "modules_to_save": None, "base_model_name_or_path": "ByteDance/Sa2VA-tiny"}  # fmt: skip


def write_adapter(tiny, folder, whole=False, embeddings=False, **settings):
    """The LoRA of the checkpoint as peft saves it, of the language model or of the whole one."""
    folder.mkdir()
    prefix = "base_model.model." + ("language_model." if whole else "")
    tensors = {}
    for name, tensor in tiny.content()["state_dict"].items():
        found = canonical_name(name)
        if isinstance(found, LoraName):
            weight = found.weight.removeprefix("language_model.").removesuffix(".weight")
            tensors[f"{prefix}{weight}.lora_{found.factor}.weight"] = tensor
        elif embeddings and str(found).startswith("language_model."):
            tensors[prefix + found.removeprefix("language_model.")] = tensor
    save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps(SETTINGS | settings))
    return folder


def only_lora(tiny, embeddings=False):
    """Let the checkpoint hold nothing else, so that what is expected can be computed from it."""

    def edit(content):
        state = content["state_dict"]
        for name in [name for name in state if ".lora_" not in name and not (embeddings and "modules_to_save" in name)]:
            del state[name]

    tiny.edit_checkpoint(edit)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("embeddings", [False, True])
def test_a_peft_adapter_is_merged_onto_its_sa2va(tmp_path, tiny, whole, embeddings):
    published = publish(tiny, tmp_path)
    saved = ["embed_tokens", "lm_head"] if embeddings else None
    folder = write_adapter(tiny, tmp_path / "adapter", whole, embeddings, modules_to_save=saved)
    request = tiny.request(tmp_path / "out", checkpoint=folder, base=published.folder, sam2=None)
    record = convert(request)
    only_lora(tiny, embeddings)
    require_equal(tmp_path / "out", fine_tuned(tiny, published.tensors))
    assert record.values["settings"]["lora_alpha"]["source"] == "the adapter_config.json of adapter"
    assert verify(tmp_path / "out", folder, published.folder).ok
    (folder / "adapter_config.json").write_text(json.dumps(SETTINGS | {"lora_alpha": 4, "modules_to_save": saved}))
    assert "the adapter_config given" in verify(tmp_path / "out", folder, published.folder).to_text()


def test_its_own_settings_count_whatever_a_train_config_says(tmp_path, tiny):
    published = publish(tiny, tmp_path)
    config = tmp_path / "train.py"
    config.write_text(tiny.content()["meta"]["cfg"].replace("lora_alpha=8", "lora_alpha=99").replace("r=4", "r=64"))
    folder = write_adapter(tiny, tmp_path / "adapter", use_rslora=True)
    record = convert(tiny.request(tmp_path / "out", checkpoint=folder, pretrained=published.file, train_config=config))
    only_lora(tiny)
    require_equal(tmp_path / "out", fine_tuned(tiny, published.tensors, alpha=8.0 * 2))  # 8 / sqrt(4) for 8 / 4
    assert record.values["settings"]["lora_alpha"]["value"] == 8


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"peft_type": "IA3"}, "peft_type 'IA3' cannot be merged"),
        ({"use_dora": True}, "use_dora cannot be merged"),
        ({"alpha_pattern": {"q_proj": 3}}, "alpha_pattern=.* cannot be merged"),
        ({"r": 16}, "says LoRA rank 16 for llm_lora, the tensors of adapter have 4.*as peft saved it"),
        ({"lora_alpha": None}, "Pass --lora-alpha"),
        ({"lora_alpha": "8"}, "lora_alpha: '8' .*a copy of that folder with the value written out"),
        ({"use_rslora": "yes"}, "use_rslora: 'yes'"),
        ({"bias": "all"}, "lacks 6 tensors"),
        ({"modules_to_save": ["lm_head"]}, "lacks 1 tensor "),
    ],
)
def test_settings_of_an_adapter_are_read_as_strictly(tmp_path, tiny, settings, said):
    published = publish(tiny, tmp_path)
    folder = write_adapter(tiny, tmp_path / "adapter", **settings)
    refused(said, tiny, tmp_path / "out", checkpoint=folder, base=published.folder)


def test_an_adapter_without_a_sa2va_is_told_what_it_is(tmp_path, tiny):
    folder = write_adapter(tiny, tmp_path / "adapter")
    for base, got in ((tiny.base, "--base internvl_base, which is none"), (None, "no --base")):
        refused(f"is a peft adapter: LoRA alone.*got {got}", tiny, tmp_path / "out", UsageProblem, checkpoint=folder,
                base=base)  # fmt: skip


def test_an_adapter_that_lacks_a_layer_is_refused(tmp_path, tiny):
    published = publish(tiny, tmp_path)

    def drop(content):
        for name in [name for name in content["state_dict"] if ".layers.0." in name and ".lora_" in name]:
            del content["state_dict"][name]

    tiny.edit_checkpoint(drop)
    folder = write_adapter(tiny, tmp_path / "adapter")
    refused(r"adapter lacks 7 tensors .*\(LoRA\)", tiny, tmp_path / "out", checkpoint=folder, base=published.folder)


def test_pefts_untrained_copies_are_dropped_with_their_fate(tmp_path, tiny):
    plain = convert(tiny.request(tmp_path / "plain"))

    def add(content):
        state = content["state_dict"]
        for name in [name for name in state if "modules_to_save" in name]:
            state[name.replace("modules_to_save.default", "original_module")] = state[name][:446] + 1

    tiny.edit_checkpoint(add)
    record = convert(tiny.request(tmp_path / "other/out"))
    assert record.values["tensors_sha256"] == plain.values["tensors_sha256"]
    fates = {name: entry["fate"] for name, entry in record.values["sources"]["checkpoint"].items()}
    assert {fate for name, fate in fates.items() if "original_module" in name} == {"original"}
    assert list(fates.values()).count("original") == 2


def test_an_untrained_copy_without_the_trained_one_is_left_over(tmp_path, tiny):
    def rename(content):
        state = content["state_dict"]
        for name in [name for name in state if "lm_head.modules_to_save" in name]:
            state[name.replace("modules_to_save.default", "original_module")] = state.pop(name)

    tiny.edit_checkpoint(rename)
    refused("lm_head", tiny, tmp_path / "out")


@pytest.mark.parametrize("where", ["some", "all", "base"])
def test_tensors_that_zero3_emptied_are_told(tmp_path, tiny, where):
    def empty(state):
        for name in list(state)[: None if where != "some" else 3]:
            state[name] = torch.zeros(0, dtype=state[name].dtype)

    if where == "base":
        tiny.edit_base(empty)
    else:
        tiny.edit_checkpoint(lambda content: empty(content["state_dict"]))
    refused(
        "without values: they were saved under DeepSpeed ZeRO-3 without gathering.*zero_to_fp32", tiny, tmp_path / "out"
    )


def test_a_cached_base_is_told_and_its_snapshot_is_read(tmp_path, tiny):
    plain = convert(tiny.request(tmp_path / "plain"))
    cached = tmp_path / "models--X--internvl_base"
    (cached / "snapshots").mkdir(parents=True)
    snapshot = cached / "snapshots/internvl_base"
    (cached / "blobs").mkdir()
    snapshot.mkdir()
    for number, path in enumerate(tiny.base.iterdir()):
        shutil.copy(path, cached / f"blobs/{number}")
        (snapshot / path.name).symlink_to(f"../../blobs/{number}")
    refused(f"belongs to HuggingFace's download cache.*Give {snapshot}", tiny, tmp_path / "out", base=cached)
    record = convert(tiny.request(tmp_path / "other/out", base=snapshot))
    assert record.values["tensors_sha256"] == plain.values["tensors_sha256"]


def sam21(tiny):
    tiny.edit_sam2(lambda state: state.update(no_obj_embed_spatial=torch.zeros(1, 16)))


def no_memory(tiny):
    tiny.edit_sam2(lambda state: [state.pop(name) for name in list(state) if name.startswith("memory_")])


def narrow(tiny):
    def cut(content):
        for name, tensor in content["state_dict"].items():
            if "sam_mask_decoder" in name:
                content["state_dict"][name] = torch.cat([tensor, tensor])

    tiny.edit_checkpoint(cut)


def strangers(tiny):
    tiny.edit_checkpoint(
        lambda content: content["state_dict"].update({f"extra.{number}.weight": torch.ones(1) for number in range(40)})
    )


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (sam21, "SAM 2.1"),
        (no_memory, "and 92 more"),
        (narrow, "shape mismatch: .*and 129 more"),
        (strangers, "and 38 more"),
    ],
)
def test_one_mistake_is_one_line(tmp_path, tiny, mistake, said):
    mistake(tiny)
    with pytest.raises(RefusedInput, match=said) as raised:
        convert(tiny.request(tmp_path / "out"))
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 700


def test_a_wrong_preset_is_a_line_for_each_kind_of_trouble(tmp_path, tiny):
    with pytest.raises(RefusedInput) as raised:
        convert(tiny.request(tmp_path / "out", sam2_config="hiera_t"))
    assert len(str(raised.value).splitlines()) <= 5
