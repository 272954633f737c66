"""Every family of vision tower and language model survives the way through the official names and a fresh load."""

import json
import shutil

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModel, AutoTokenizer

from helpers.checkpoints.convert import ConversionRequest, convert
from helpers.checkpoints.convert.key_map import inverse, restore_map
from helpers.model.configuration_sa2va import SPECIAL_TOKENS, Sa2VAConfig
from helpers.model.modeling_sa2va import Sa2VAModel
from tests.support.internlm2_layout import internlm2_tensors
from tests.support.tiny_sources import fixture_sources

pytestmark = pytest.mark.model

VISION = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
TEXT = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "intermediate_size": 24, "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 500000.0,
        "max_position_embeddings": 32768}  # fmt: skip
TOWERS = {
    "300m": {"qkv_bias": True, "qk_normalization": False, "norm_type": "layer_norm", "layer_norm_eps": 1e-6},
    "6b": {"qkv_bias": False, "qk_normalization": True, "norm_type": "rms_norm", "layer_norm_eps": 1e-5},
}
LANGUAGE = {
    "Qwen2ForCausalLM": {"rope_scaling": {"type": "dynamic", "factor": 2.0}},
    "Qwen3ForCausalLM": {"head_dim": 16},
    "InternLM2ForCausalLM": {"rope_scaling": {"type": "dynamic", "factor": 2.0}},
    "LlamaForCausalLM": {"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                                          "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}},
}  # fmt: skip

MODEL_TYPES = {"Qwen2ForCausalLM": "qwen2", "Qwen3ForCausalLM": "qwen3", "LlamaForCausalLM": "llama",
               "InternLM2ForCausalLM": "llama"}  # fmt: skip


def write_official_export(folder, tower: str, architecture: str, tied: bool):
    """An official export with random weights, and the native model that it stands for."""
    sources = fixture_sources()
    folder.mkdir()
    for path in sources.base.iterdir():
        if path.suffix != ".safetensors" and path.name != "config.json":
            shutil.copy(path, folder)
    length = len(AutoTokenizer.from_pretrained(folder)) + len(SPECIAL_TOKENS)
    sizes = json.loads(sources.sizes.read_text())
    family = TOWERS[tower]
    text = TEXT | LANGUAGE[architecture] | {"vocab_size": length}
    config = Sa2VAConfig(
        vision_config=VISION
        | {"attention_bias": family["qkv_bias"], "use_qk_norm": family["qk_normalization"],
           "norm_type": family["norm_type"], "layer_norm_eps": family["layer_norm_eps"]},
        text_config=text | {"model_type": MODEL_TYPES[architecture]},
        sam2_config=sizes,
        tie_word_embeddings=tied,
    )  # fmt: skip
    model = Sa2VAModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.2)
    native = model.state_dict()
    fourier = native["sam2.shared_image_embedding.positional_embedding"]
    native["sam2.prompt_encoder.shared_embedding.positional_embedding"].copy_(fourier)
    official = {}
    for name, pieces in restore_map(inverse(native)).items():
        parts = [native[piece.target].chunk(piece.parts)[piece.part] for piece in pieces]
        official[name] = torch.cat(parts).contiguous().clone()
    if architecture == "InternLM2ForCausalLM":
        official = internlm2_tensors(official, TEXT["num_key_value_heads"])
    save_file(official, folder / "model.safetensors", metadata={"format": "pt"})
    values = {"model_type": "sa2va_chat", "template": "qwen_chat", "ps_version": "v2", "select_layer": -1,
              "downsample_ratio": 0.5,
              "vision_config": VISION | family | {"image_size": 448, "patch_size": 14, "hidden_act": "gelu"},
              "llm_config": text | {"architectures": [architecture], "tie_word_embeddings": tied}}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(values))
    return model


@pytest.mark.parametrize("tower", TOWERS)
@pytest.mark.parametrize("architecture", LANGUAGE)
@pytest.mark.parametrize("tied", [False, True])
def test_a_family_loads_complete_and_computes_the_same(tmp_path, tower, architecture, tied):
    model = write_official_export(tmp_path / "official", tower, architecture, tied)
    sizes = str(fixture_sources().sizes)
    convert(ConversionRequest(tmp_path / "official", tmp_path / "native", sam2_config=sizes, dtype="float32"))
    loaded, report = AutoModel.from_pretrained(
        tmp_path / "native", trust_remote_code=True, dtype=torch.float32, output_loading_info=True
    )
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    head, embeddings = loaded.language_model.lm_head.weight, loaded.get_input_embeddings().weight
    assert (head.data_ptr() == embeddings.data_ptr()) is tied
    stored, expected = loaded.state_dict(), model.state_dict()
    assert set(stored) == set(expected)
    assert all(torch.equal(stored[name], tensor) for name, tensor in expected.items())
    tiles, ids = torch.randn(1, 3, 448, 448), torch.arange(20)[None]
    with torch.inference_mode():
        assert torch.equal(loaded.encode_tiles(tiles), model.encode_tiles(tiles))
        assert torch.equal(loaded.language_model(ids).logits, model.language_model(ids).logits)
