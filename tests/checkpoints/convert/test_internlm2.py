"""Sa2VA on InternLM2 becomes a native Llama: from its training checkpoint, from an export, and where it stops."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from helpers.checkpoints.convert import convert
from helpers.checkpoints.verify import verify
from helpers.core.errors import RefusedInput
from tests.support.exports import refused
from tests.support.internlm2_layout import fused
from tests.support.tiny_sources import TinySources, copy_internlm2

LANGUAGE = "mllm.model.language_model.base_model.model."
WQKV = "layers.1.attention.wqkv"
HEAD = LANGUAGE + "output"
NATIVE = "language_model.model.layers.1.self_attn.{}_proj.weight"
ROWS, WIDTH, RANK, KEY_HEADS = 380, 48, 4, 2
SHIPPED = "modules_to_save=['embed_tokens', 'lm_head']"
OWN = "modules_to_save=['tok_embeddings', 'output']"


@pytest.fixture
def tiny(tmp_path) -> TinySources:
    (tmp_path / "sources").mkdir()
    return copy_internlm2(tmp_path / "sources")


def edit_config(tiny, old, new):
    def edit(content):
        assert old in content["meta"]["cfg"]
        content["meta"]["cfg"] = content["meta"]["cfg"].replace(old, new)

    tiny.edit_checkpoint(edit)


def drop(content, part):
    """Take out of a checkpoint what has this in its name; returns it."""
    state = content["state_dict"]
    return {name: state.pop(name) for name in [name for name in state if part in name]}


def test_lora_on_the_fused_weight_is_merged_before_it_is_split(tmp_path, tiny):
    record = convert(tiny.request(tmp_path / "out"))
    found = load_file(tmp_path / "out/model.safetensors")
    trained = tiny.content()["state_dict"]
    stem = f"{LANGUAGE}model.{WQKV}"
    merged = load_file(tiny.base / "model.safetensors")[f"language_model.model.{WQKV}.weight"].float()
    merged = merged + 8 / RANK * trained[f"{stem}.lora_B.default.weight"] @ trained[f"{stem}.lora_A.default.weight"]
    split = [found[NATIVE.format(part)] for part in "qkv"]
    assert torch.allclose(fused(*split, KEY_HEADS), merged, atol=1e-6)
    assert record.values["sources"]["base"][f"language_model.model.{WQKV}.weight"]["fate"] == "merged"
    (query,) = (one for one in record.values["targets"] if one["name"] == NATIVE.format("q"))
    assert query["lora"]["ranges"] == [[0, 24], [48, 72]]
    assert [(part["start"], part["stop"]) for part in query["rows"]] == [(0, 24), (48, 72)]


def test_the_export_is_a_llama_with_the_settings_of_internlm2(tmp_path, tiny):
    convert(tiny.request(tmp_path / "out"))
    text = json.loads((tmp_path / "out/config.json").read_text())["text_config"]
    assert text["model_type"] == "llama"
    assert text["rope_parameters"] == {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e6}
    assert (text["rope_theta"], text["rope_scaling"]) == (1e6, {"rope_type": "dynamic", "factor": 2.0})
    assert (text["rms_norm_eps"], text["max_position_embeddings"], text["vocab_size"]) == (1e-5, 32768, ROWS)
    assert not text["attention_bias"] and not text["tie_word_embeddings"]


def test_an_export_is_verified_and_can_be_the_base_of_the_next_run(tmp_path, tiny):
    convert(tiny.request(tmp_path / "out"))
    report = verify(tmp_path / "out", tiny.checkpoint, tiny.base, tiny.sam2)
    assert report.ok, report.to_text()
    tiny.edit_checkpoint(lambda content: [tensor.mul_(2) for tensor in content["state_dict"].values()])
    edit_config(tiny, "pretrained_pth=None", "pretrained_pth='out.pth'")
    record = convert(tiny.request(tmp_path / "again", base=tmp_path / "out", sam2=None))
    merged = [target for target in record.values["targets"] if target["origin"] == "merged"]
    assert len(merged) == 14 and {part["source"] for target in merged for part in target["rows"]} == {"base"}


def test_the_shipped_names_leave_the_row_of_seg_nowhere(tmp_path, tiny):
    def train_with_the_shipped_names(content):
        drop(content, "tok_embeddings")
        drop(content, "output.modules_to_save")
        content["state_dict"][f"{HEAD}.lora_A.default.weight"] = torch.ones(RANK, WIDTH)
        content["state_dict"][f"{HEAD}.lora_B.default.weight"] = torch.ones(ROWS, RANK)

    tiny.edit_checkpoint(train_with_the_shipped_names)
    edit_config(tiny, OWN, SHIPPED)
    refused(
        r"holds no tok_embeddings, and the base internvl_base has no rows for \[SEG\] .* modules_to_save="
        r"\['embed_tokens', 'lm_head'\], which does not name the embeddings: in this language model they are "
        r"tok_embeddings\. .* Train with modules_to_save=\['tok_embeddings', 'output'\]",
        tiny,
        tmp_path / "out",
    )


def test_the_shipped_names_on_a_sa2va_leave_its_row_in_place(tmp_path, tiny):
    convert(tiny.request(tmp_path / "sa2va"))

    def train_with_the_shipped_names(content):
        drop(content, "tok_embeddings")
        (head,) = drop(content, "output.modules_to_save").values()
        content["state_dict"][f"{HEAD}.lora_A.default.weight"] = torch.full((RANK, WIDTH), 0.01)
        content["state_dict"][f"{HEAD}.lora_B.default.weight"] = torch.full((len(head), RANK), 0.01)

    tiny.edit_checkpoint(train_with_the_shipped_names)
    tiny.edit_checkpoint(lambda content: [tensor.mul_(2) for tensor in content["state_dict"].values()])
    edit_config(tiny, OWN, SHIPPED)
    edit_config(tiny, "pretrained_pth=None", "pretrained_pth='sa2va.pth'")
    convert(tiny.request(tmp_path / "out", base=tmp_path / "sa2va", sam2=None))
    before, after = (load_file(tmp_path / name / "model.safetensors") for name in ("sa2va", "out"))
    kept, changed = "language_model.model.embed_tokens.weight", "language_model.lm_head.weight"
    assert torch.equal(before[kept], after[kept])
    # 8 / 4 * sum over 4 of (2 * 0.01) ** 2
    assert torch.allclose(after[changed] - before[changed], torch.tensor(2 * 4 * 0.02**2), atol=1e-6)


def test_lora_on_a_head_that_was_saved_too_is_merged_onto_the_saved_one(tmp_path, tiny):
    """The form of runs before October 2025: the embeddings and the layer beneath LoRA are saved by name."""

    def train_as_before(content):
        state = content["state_dict"]
        (embeddings,) = drop(content, "tok_embeddings").values()
        (head,) = drop(content, "output.modules_to_save").values()
        state[f"{LANGUAGE}model.tok_embeddings.weight"] = embeddings
        state[f"{HEAD}.base_layer.weight"] = head
        state[f"{HEAD}.lora_A.default.weight"] = torch.full((RANK, WIDTH), 0.1)
        state[f"{HEAD}.lora_B.default.weight"] = torch.full((ROWS, RANK), 0.1)
        train_as_before.head, train_as_before.embeddings = head, embeddings

    tiny.edit_checkpoint(train_as_before)
    edit_config(tiny, OWN + ",", "")
    record = convert(tiny.request(tmp_path / "out"))
    found = load_file(tmp_path / "out/model.safetensors")
    assert torch.equal(found["language_model.model.embed_tokens.weight"], train_as_before.embeddings)
    change = found["language_model.lm_head.weight"] - train_as_before.head
    assert torch.allclose(change, torch.tensor(2 * 4 * 0.1**2), atol=1e-6)
    (head,) = (one for one in record.values["targets"] if one["name"] == "language_model.lm_head.weight")
    assert (head["origin"], head["rows"][0]["source"]) == ("merged", "checkpoint")


def test_a_run_that_says_what_it_saved_must_hold_it(tmp_path, tiny):
    tiny.edit_checkpoint(lambda content: drop(content, "output.modules_to_save"))
    refused(r"lacks 1 tensor that training saves, for example language_model\.lm_head\.weight", tiny, tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bias": True}, "got bias True"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, "rotary scaling of type 'dynamic' and a factor"),
        ({"rope_theta": None}, r"llm_config lacks \['rope_theta'\]"),
        ({"max_position_embeddings": None}, r"llm_config lacks \['max_position_embeddings'\]"),
        ({"num_key_value_heads": 4}, "cannot be split into equal parts|shape mismatch"),
        ({"architectures": ["Phi3ForCausalLM"]}, "does not convert: Sa2VA on Phi-3"),
    ],
)
def test_settings_that_are_not_known_to_be_those_of_llama_are_refused(tmp_path, tiny, change, said):
    tiny.edit_base_config(lambda config: config["llm_config"].update(change))
    refused(said, tiny, tmp_path / "out")


def test_without_rope_scaling_the_positions_are_plain(tmp_path, tiny):
    tiny.edit_base_config(lambda config: config["llm_config"].update(rope_scaling=None))
    convert(tiny.request(tmp_path / "out"))
    text = json.loads((tmp_path / "out/config.json").read_text())["text_config"]
    assert text["rope_scaling"] is None


def test_a_damaged_tokenizer_model_stops_before_any_weight_is_read(tmp_path, tiny):
    path = tiny.base / "tokenizer.model"
    path.write_bytes(path.read_bytes()[:-3])
    refused("tokenizer.model is not read as a sentencepiece model", tiny, tmp_path / "out")


@pytest.mark.model
@pytest.mark.golden
def test_checkpoint_and_official_export_become_the_same_model(shared, tmp_path):
    golden = shared / "golden/tiny_internlm2"
    sizes = golden / "sam2_dims.json"
    base, sam2 = golden / "base/internvl_base", shared / "golden/tiny_sam2/sam2_base.pt"
    trained = TinySources(golden / "ckpt_lora/iter_1000.pth", base, sam2, sizes)
    (tmp_path / "from_export").mkdir()
    from_checkpoint = convert(trained.request(tmp_path / "model"))
    exported = TinySources(golden / "hf_export", base, sam2, sizes)
    from_export = convert(exported.request(tmp_path / "from_export/model", base=None, sam2=None))
    assert from_checkpoint.values["tensors_sha256"] == from_export.values["tensors_sha256"]
    fates = [one["fate"] for one in from_export.values["sources"]["checkpoint"].values()]
    assert set(fates) == {"used"}
    assert {tensor.dtype for tensor in load_file(tmp_path / "from_export/model/model.safetensors").values()} == {
        torch.float32
    }


@pytest.mark.golden
def test_a_merged_model_without_its_tokenizer_is_refused(shared, tmp_path):
    folder = tmp_path / "export"
    shutil.copytree(shared / "golden/tiny_internlm2/hf_export", folder)
    (folder / "tokenizer.model").unlink()
    with pytest.raises(RefusedInput, match="expected tokenizer files"):
        convert(TinySources(folder, folder, folder, shared / "golden/tiny_internlm2/sam2_dims.json").request(
            tmp_path / "out", base=None, sam2=None))  # fmt: skip
