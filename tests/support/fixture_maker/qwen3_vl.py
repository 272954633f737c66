"""The tiny checkpoint of Sa2VA on Qwen3-VL; SAM2's file and the pictures are those of the other one."""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer

from helpers.checkpoints.convert import ConversionRequest, convert
from helpers.checkpoints.convert.families import FAMILIES
from helpers.checkpoints.convert.tokenizer_files import TokenizerFacts, write_tokenizer
from helpers.core.atomic import partial_folder
from helpers.dev.demo.tiny_files import CORPUS, DemoCheckpoint, write_tokenizer_folder
from helpers.dev.demo.untrained_base import FIXTURE, build_base
from helpers.model.configuration_sa2va import SPECIAL_TOKENS, Family
from helpers.model.modeling_sa2va import Sa2VAModel
from helpers.train.fine_tuning.checkpoint_layout import trained_tensors
from tests.support.fixture_maker.checkpoint import one_thread, write_training
from tests.support.fixture_maker.internlm2 import take_sam2
from tests.support.fixture_maker.recording import record_outputs
from tests.support.fixture_maker.training import fit

BASE_NAME = "qwen3vl_base"
_WIDTH, _LAYERS, _VISION, _DEPTH = 48, 2, 24, 3
_PADDING_ROWS = 16  # more than the tokenizer has ids, as in the published bases
_MLLM = "projects.sa2va.models.mllm.qwen3vl.Qwen3VL"
_INNER = "mllm.model.language_model.base_model.model."
_WRAPPED = "mllm.model.base_model.model."
# A turn is written as the published template writes it, without tools and system turns.
_CHAT_TEMPLATE = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' }}"
    "{%- if message.content is string %}{{- message.content }}{%- else %}{%- for part in message.content %}"
    "{%- if part.type == 'image' %}{{- '<|vision_start|><|image_pad|><|vision_end|>' }}{%- else %}{{- part.text }}"
    "{%- endif %}{%- endfor %}{%- endif %}{{- '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)


@dataclass(frozen=True)
class Qwen3VLCheckpoint(DemoCheckpoint):
    """Where the parts of a built checkpoint are; SAM2's file is another fixture's."""

    @property
    def base(self) -> Path:
        return self.folder / "base" / BASE_NAME


def build_qwen3_vl(folder: Path, other: Path, seed: int = 0) -> None:
    """Fit the model and write base, checkpoint and recorded outputs to `folder`, which must not exist.

    Args:
        other: the fixture whose SAM2 file and pictures go with it.
    """
    shared = DemoCheckpoint(other)
    with partial_folder(folder) as partial:
        files = Qwen3VLCheckpoint(partial)
        files.base.mkdir(parents=True)
        vocabulary = write_tokenizer_folder(files.base, CORPUS)
        _add_chat_template(files.base)
        with tempfile.TemporaryDirectory() as staging:
            facts = write_tokenizer(files.base, Path(staging), SPECIAL_TOKENS, FAMILIES[Family.QWEN3_VL])
            tokenizer = AutoTokenizer.from_pretrained(staging)
        config = _config(vocabulary + _PADDING_ROWS, facts)
        model = build_base(config, FIXTURE.sam2, facts, seed)
        take_sam2(model, shared.sam2)
        with torch.no_grad():  # the base ties its head
            model.get_output_embeddings().weight.copy_(model.get_input_embeddings().weight)
        _write_base(files.base, config, model, vocabulary)
        with one_thread():
            result = fit(model, tokenizer, seed)
        tensors = _stored(trained_tensors(model, result.adapters))
        write_training(partial / "ckpt", tensors, result, base=BASE_NAME, mllm=_MLLM)
        with tempfile.TemporaryDirectory() as scratch:
            model_folder = Path(scratch) / "model"
            sources = (files.checkpoint, model_folder, files.base, shared.sam2, str(shared.sam2_sizes))
            convert(ConversionRequest(*sources, dtype="float32"))
            record_outputs(model_folder, shared.folder / "images", partial)


def _add_chat_template(folder: Path) -> None:
    file = folder / "tokenizer_config.json"
    values = json.loads(file.read_text(encoding="utf-8")) | {"chat_template": _CHAT_TEMPLATE}
    file.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def _config(rows: int, tokenizer: TokenizerFacts) -> dict:
    """config.json of the base, in the fields of the published Qwen3-VL-4B."""
    return {
        "architectures": ["Qwen3VLForConditionalGeneration"],
        "dtype": "bfloat16",
        "model_type": "qwen3_vl",
        "text_config": {
            "attention_bias": False,
            "attention_dropout": 0.0,
            "eos_token_id": tokenizer.eos,
            "head_dim": 16,
            "hidden_act": "silu",
            "hidden_size": _WIDTH,
            "initializer_range": 0.02,
            "intermediate_size": 2 * _WIDTH,
            "max_position_embeddings": 262144,
            "model_type": "qwen3_vl_text",
            "num_attention_heads": 4,
            "num_hidden_layers": _LAYERS,
            "num_key_value_heads": 2,
            "rms_norm_eps": 1e-06,
            "rope_scaling": {"mrope_interleaved": True, "mrope_section": [4, 2, 2], "rope_type": "default"},
            "rope_theta": 5000000,
            "use_cache": True,
            "vocab_size": rows,
        },
        "tie_word_embeddings": True,
        "vision_config": {
            "deepstack_visual_indexes": [0, 1],
            "depth": _DEPTH,
            "hidden_act": "gelu_pytorch_tanh",
            "hidden_size": _VISION,
            "in_channels": 3,
            "initializer_range": 0.02,
            "intermediate_size": 2 * _VISION,
            "model_type": "qwen3_vl",
            "num_heads": 2,
            "num_position_embeddings": 64,
            "out_hidden_size": _WIDTH,
            "patch_size": 16,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
    }


def _write_base(folder: Path, config: dict, model: Sa2VAModel, vocabulary: int) -> None:
    """The base's files: no head, and rows beyond its tokenizer."""
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    tensors = {}
    for name, tensor in model.state_dict().items():
        if name.startswith("vision_tower."):
            tensors["model.visual." + name.removeprefix("vision_tower.")] = tensor
        elif name.startswith("language_model.model."):
            tensors["model.language_model." + name.removeprefix("language_model.model.")] = tensor
    embeddings = tensors["model.language_model.embed_tokens.weight"][:vocabulary]
    padding = embeddings.new_zeros((_PADDING_ROWS, embeddings.shape[1]))
    tensors["model.language_model.embed_tokens.weight"] = torch.cat([embeddings, padding])
    stored = {name: tensor.bfloat16().contiguous() for name, tensor in tensors.items()}
    save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})


def _stored(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """By the names of a run whose LoRA wraps the whole vision-language model."""
    stored = {}
    for name, tensor in tensors.items():
        inner = name.removeprefix(_INNER)
        if inner == name:
            stored[name] = tensor
        elif inner.startswith("model."):
            stored[f"{_WRAPPED}model.language_model.{inner.removeprefix('model.')}"] = tensor
        else:
            stored[_WRAPPED + inner] = tensor
    return stored
