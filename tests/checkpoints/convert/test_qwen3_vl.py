"""Sa2VA on Qwen3-VL: from its training checkpoint and its base, and where the conversion stops."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from helpers.checkpoints.convert import convert
from helpers.checkpoints.convert.key_map import LoraName, canonical_name, places
from helpers.checkpoints.read.weight_source import CheckpointKind, open_source
from helpers.checkpoints.verify import verify
from helpers.core.errors import UsageProblem
from helpers.core.shown_text import counted
from helpers.prediction.engine.composition import compose
from tests.support.exports import refused
from tests.support.tiny_sources import TinySources, copy_qwen_vl, fixture_sources

WRAPPED = "mllm.model.base_model.model."
EMBEDDINGS = WRAPPED + "model.language_model.embed_tokens.modules_to_save.default.weight"
HEAD = WRAPPED + "lm_head.modules_to_save.default.weight"


@pytest.fixture
def tiny(tmp_path) -> TinySources:
    (tmp_path / "sources").mkdir()
    return copy_qwen_vl("qwen3vl", tmp_path / "sources")


def edit_tokenizer_config(tiny, change):
    path = tiny.base / "tokenizer_config.json"
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("stored", "common"),
    [
        (WRAPPED + "model.language_model.layers.3.mlp.up_proj.lora_A.default.weight",
         LoraName("language_model.model.layers.3.mlp.up_proj.weight", "A")),
        (EMBEDDINGS, "language_model.model.embed_tokens.weight"),
        (HEAD, "language_model.lm_head.weight"),
        ("model.model.visual.blocks.0.attn.qkv.weight", "visual.blocks.0.attn.qkv.weight"),
        ("model.model.language_model.norm.weight", "language_model.model.norm.weight"),
        ("model.lm_head.weight", "language_model.lm_head.weight"),
        ("model.visual.merger.norm.bias", "visual.merger.norm.bias"),
        ("model.language_model.layers.0.mlp.up_proj.weight", "language_model.model.layers.0.mlp.up_proj.weight"),
        ("lm_head.weight", "language_model.lm_head.weight"),
        # The older generation of names in files of transformers.
        ("visual.merger.mlp.0.weight", "visual.merger.mlp.0.weight"),
        ("model.layers.0.input_layernorm.weight", "language_model.model.layers.0.input_layernorm.weight"),
        ("model.model.embed_tokens.weight", "language_model.model.embed_tokens.weight"),
        # Names of InternVL stay what they are.
        ("mllm.model.language_model.model.norm.weight", "language_model.model.norm.weight"),
        ("vision_model.encoder.layers.0.norm1.weight", "vision_model.encoder.layers.0.norm1.weight"),
    ],
)  # fmt: skip
def test_names_of_checkpoints_exports_and_bases_are_made_one(stored, common):
    assert canonical_name(stored) == common


def test_common_names_have_their_places():
    assert [place.target for place in places("visual.deepstack_merger_list.0.norm.weight")] == [
        "vision_tower.deepstack_merger_list.0.norm.weight"
    ]
    assert [place.target for place in places("language_model.lm_head.weight")] == ["language_model.lm_head.weight"]


def test_lora_is_merged_and_head_and_embeddings_stay_two_with_a_row_for_each_token(tmp_path, tiny):
    record = convert(tiny.request(tmp_path / "out"))
    found, trained = load_file(tmp_path / "out/model.safetensors"), tiny.content()["state_dict"]
    base = load_file(tiny.base / "model.safetensors")
    stem = WRAPPED + "model.language_model.layers.1.mlp.down_proj.lora_"
    change = 2 * trained[f"{stem}B.default.weight"] @ trained[f"{stem}A.default.weight"]  # alpha 8, rank 4
    expected = base["model.language_model.layers.1.mlp.down_proj.weight"].float() + change
    assert torch.equal(found["language_model.model.layers.1.mlp.down_proj.weight"], expected)
    assert torch.equal(found["language_model.model.embed_tokens.weight"], trained[EMBEDDINGS])
    assert torch.equal(found["language_model.lm_head.weight"], trained[HEAD])
    assert not torch.equal(trained[HEAD], trained[EMBEDDINGS])
    assert len(trained[EMBEDDINGS]) < len(base["model.language_model.embed_tokens.weight"])
    tower = {name for name in base if name.startswith("model.visual.")}
    assert all(torch.equal(found[name.replace("model.visual.", "vision_tower.")], base[name].float()) for name in tower)
    config = json.loads((tmp_path / "out/config.json").read_text())
    assert (config["family"], config["tie_word_embeddings"], config["stop_words"]) == ("qwen3_vl", False, [])
    assert config["instruction"] == "<|im_start|>user\n{input}<|im_end|>\n<|im_start|>assistant\n"
    assert config["text_config"]["vocab_size"] == len(trained[EMBEDDINGS])
    assert any("ties lm_head" in note for note in record.values["notes"])


def test_equal_head_and_embeddings_stay_two_tensors(tmp_path, tiny):
    tiny.edit_checkpoint(
        lambda content: content["state_dict"].update({HEAD: content["state_dict"][EMBEDDINGS].clone()})
    )
    convert(tiny.request(tmp_path / "out"))
    found = load_file(tmp_path / "out/model.safetensors")
    assert torch.equal(found["language_model.lm_head.weight"], found["language_model.model.embed_tokens.weight"])
    assert json.loads((tmp_path / "out/config.json").read_text())["tie_word_embeddings"] is False


def test_a_finished_folder_is_verified_composed_and_converted_again(tmp_path, tiny):
    record = convert(tiny.request(tmp_path / "one/out"))
    report = verify(tmp_path / "one/out", tiny.checkpoint, tiny.base, tiny.sam2)
    assert report.ok, report.to_text()
    composed = compose(
        tiny.checkpoint, tiny.base, tiny.sam2, sam2_config=str(tiny.sizes), device="cpu", dtype="float32"
    )
    assert composed.identity["tensors_sha256"] == record.values["tensors_sha256"]
    again = convert(tiny.request(tmp_path / "two/out", checkpoint=tmp_path / "one/out", base=None, sam2=None))
    assert again.values["tensors_sha256"] == record.values["tensors_sha256"]
    first, second = (json.loads((tmp_path / one / "out/config.json").read_text()) for one in ("one", "two"))
    assert first == second


def test_folder_names_say_nothing(tmp_path, tiny):
    renamed = tiny.base.rename(tiny.base.parent / "internvl3-8b")
    assert open_source(renamed).kind is CheckpointKind.QWEN_VL_BASE
    tiny = TinySources(tiny.checkpoint, renamed, tiny.sam2, tiny.sizes)
    convert(tiny.request(tmp_path / "out"))
    assert json.loads((tmp_path / "out/config.json").read_text())["family"] == "qwen3_vl"


def test_an_official_export_is_known_by_its_names(tmp_path, tiny):
    names = ("model.model.visual.pos_embed.weight", "model.lm_head.weight", "grounding_encoder.sam2_model.no_mem_embed")
    save_file({name: torch.ones(1) for name in names}, tmp_path / "model.safetensors")
    assert open_source(tmp_path / "model.safetensors").kind is CheckpointKind.HF_EXPORT


def test_the_chat_template_may_lie_in_a_file_of_its_own(tmp_path, tiny):
    edit_tokenizer_config(
        tiny, lambda values: (tiny.base / "chat_template.json").write_text(
            json.dumps({"chat_template": values.pop("chat_template")})
        )
    )  # fmt: skip
    convert(tiny.request(tmp_path / "out"))
    assert "<|im_start|>user" in json.loads((tmp_path / "out/config.json").read_text())["instruction"]


@pytest.mark.parametrize("count", [1, 4])
def test_a_tokenizer_with_fewer_tokens_than_the_runs_is_refused(tmp_path, tiny, count):
    path = tiny.base / "added_tokens.json"
    added = json.loads(path.read_text())
    gone = sorted(added, key=added.get)[-count:]
    path.write_text(json.dumps({token: number for token, number in added.items() if token not in gone}))

    def shorten(values):
        for token in gone:
            del values["added_tokens_decoder"][str(added[token])]

    edit_tokenizer_config(tiny, shorten)
    refused(
        f"{counted(count, 'token')} of the run's tokenizer cannot be found, and .SEG. would take another row",
        tiny,
        tmp_path / "out",
    )


def test_a_base_without_a_chat_template_is_refused(tmp_path, tiny):
    edit_tokenizer_config(tiny, lambda values: values.pop("chat_template"))
    refused("holds no chat template, of which prompts are made; copy chat_template.json", tiny, tmp_path / "out")


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ messages[0].content[-1].text }}{% bad", "cannot be rendered"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "cannot be rendered"),
        ("{% for one in range(10 ** 9) %}{% endfor %}", "cannot be rendered"),
        ("<user>{{ messages[0].content[-1].text }}", "writes a picture and a text as '<user>{input}'"),
    ],
)
def test_a_chat_template_that_writes_otherwise_is_refused(tmp_path, tiny, template, message):
    edit_tokenizer_config(tiny, lambda values: values.update(chat_template=template))
    refused(message, tiny, tmp_path / "out")


def test_padding_rows_of_the_base_are_no_embedding_of_seg(tmp_path, tiny):
    tiny.edit_checkpoint(lambda content: content["state_dict"].pop(EMBEDDINGS))
    refused("the embedding of \\[SEG\\] is nowhere", tiny, tmp_path / "out")


def test_a_head_that_was_not_saved_is_refused(tmp_path, tiny):
    tiny.edit_checkpoint(lambda content: content["state_dict"].pop(HEAD))
    refused("holds trained embeddings but no lm_head", tiny, tmp_path / "out")


def test_lora_that_lacks_a_layer_is_refused(tmp_path, tiny):
    stem = WRAPPED + "model.language_model.layers.1.self_attn.o_proj.lora_"
    tiny.edit_checkpoint(lambda content: [content["state_dict"].pop(f"{stem}{one}.default.weight") for one in "AB"])
    refused("lacks 1 tensor that training saves, for example language_model.model.layers.1.self_attn.o_proj", tiny,
            tmp_path / "out")  # fmt: skip


def test_a_base_of_another_size_is_refused(tmp_path, tiny):
    tiny.edit_base_config(lambda config: config["text_config"].update(num_hidden_layers=5))
    refused("language layers: checkpoint 2, base 5", tiny, tmp_path / "out")


@pytest.mark.parametrize("section", ["vision_config", "text_config"])
def test_a_config_that_lacks_a_size_is_refused(tmp_path, tiny, section):
    tiny.edit_base_config(lambda config: config[section].pop("hidden_size"))
    refused(f"{section} lacks \\['hidden_size'\\]; use the Qwen3-VL folder's unchanged config", tiny, tmp_path / "out")


def test_a_tensor_without_a_place_is_refused(tmp_path, tiny):
    tiny.edit_base(lambda tensors: tensors.update({"model.visual.extra.weight": torch.ones(2)}))
    refused("base tensor with no place in the model", tiny, tmp_path / "out")


def test_an_internvl_base_is_refused(tmp_path, tiny):
    shutil.rmtree(tiny.base)
    shutil.copytree(fixture_sources().base, tiny.base)
    refused("does not fit the checkpoint|no place in the model|lacks", tiny, tmp_path / "out")


def test_a_checkpoint_alone_asks_for_its_base(tmp_path, tiny):
    refused("needs its base", tiny, tmp_path / "out", UsageProblem, base=None)
