"""The tiny checkpoints of Sa2VA on Qwen's models; SAM2's file and the pictures are those of the one with InternVL."""

import json
import tempfile
from collections.abc import Callable, Mapping
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

_PADDING_ROWS = 16  # more than the tokenizer has ids, as in the published bases
_INNER = "mllm.model.language_model.base_model.model."
_WRAPPED = "mllm.model.base_model.model."
# A turn is written as the published templates write it, without tools.
_TURNS = (
    "{{- '<|im_start|>' + message.role + '\\n' }}"
    "{%- if message.content is string %}{{- message.content }}{%- else %}{%- for part in message.content %}"
    "{%- if part.type == 'image' %}{{- '<|vision_start|><|image_pad|><|vision_end|>' }}{%- else %}{{- part.text }}"
    "{%- endif %}{%- endfor %}{%- endif %}{{- '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
_BEGINNING = "{%- for message in messages %}"
_SYSTEM_TURN = (
    "{%- if loop.first and message.role != 'system' %}"
    "{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{%- endif %}"
)


@dataclass(frozen=True)
class QwenRecipe:
    """What differs between the families.

    Attributes:
        family: of the model.
        base_name: of the base's folder.
        mllm: class of the training config that holds the model.
        chat_template: the base's.
        prefixes: of the names of the vision tower and of the language model's layers in the base.
        config: the base's config.json, of the number of rows of its embeddings and its tokenizer.
    """

    family: Family
    base_name: str
    mllm: str
    chat_template: str
    prefixes: tuple[str, str]
    config: Callable[[int, TokenizerFacts], dict]


@dataclass(frozen=True)
class QwenCheckpoint(DemoCheckpoint):
    """Where the parts of a built checkpoint are; SAM2's file is another fixture's."""

    base_name: str

    @property
    def base(self) -> Path:
        return self.folder / "base" / self.base_name


def build_qwen_vl(recipe: QwenRecipe, folder: Path, other: Path, seed: int = 0) -> None:
    """Fit the model and write base, checkpoint and recorded outputs to `folder`, which must not exist.

    Args:
        other: the fixture whose SAM2 file and pictures go with it.
    """
    shared = DemoCheckpoint(other)
    with partial_folder(folder) as partial:
        files = QwenCheckpoint(partial, recipe.base_name)
        files.base.mkdir(parents=True)
        vocabulary = write_tokenizer_folder(files.base, CORPUS)
        _add_chat_template(files.base, recipe.chat_template)
        with tempfile.TemporaryDirectory() as staging:
            facts = write_tokenizer(files.base, Path(staging), SPECIAL_TOKENS, FAMILIES[recipe.family])
            tokenizer = AutoTokenizer.from_pretrained(staging)
        config = recipe.config(vocabulary + _PADDING_ROWS, facts)
        model = build_base(config, FIXTURE.sam2, facts, seed)
        take_sam2(model, shared.sam2)
        with torch.no_grad():  # the base ties its head
            model.get_output_embeddings().weight.copy_(model.get_input_embeddings().weight)
        _write_base(files.base, config, recipe.prefixes, model, vocabulary)
        with one_thread():
            result = fit(model, tokenizer, seed)
        tensors = _stored(trained_tensors(model, result.adapters))
        write_training(partial / "ckpt", tensors, result, base=recipe.base_name, mllm=recipe.mllm)
        with tempfile.TemporaryDirectory() as scratch:
            model_folder = Path(scratch) / "model"
            sources = (files.checkpoint, model_folder, files.base, shared.sam2, str(shared.sam2_sizes))
            convert(ConversionRequest(*sources, dtype="float32"))
            record_outputs(model_folder, shared.folder / "images", partial)


def _add_chat_template(folder: Path, template: str) -> None:
    file = folder / "tokenizer_config.json"
    values = json.loads(file.read_text(encoding="utf-8")) | {"chat_template": template}
    file.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def _qwen2_5_config(rows: int, tokenizer: TokenizerFacts) -> dict:
    """config.json of the base, flat and in the fields of the published Qwen2.5-VL-3B."""
    return {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "attention_dropout": 0.0,
        "bos_token_id": tokenizer.pad,
        "eos_token_id": tokenizer.eos,
        "hidden_act": "silu",
        "hidden_size": 32,
        "initializer_range": 0.02,
        "intermediate_size": 64,
        "max_position_embeddings": 128000,
        "max_window_layers": 2,
        "model_type": "qwen2_5_vl",
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "num_key_value_heads": 1,
        "rms_norm_eps": 1e-06,
        "rope_scaling": {"mrope_section": [2, 3, 3], "type": "mrope"},
        "rope_theta": 1000000.0,
        "sliding_window": 32768,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "use_sliding_window": False,
        "vision_config": {
            "depth": 3,
            "fullatt_block_indexes": [2],
            "hidden_act": "silu",
            "hidden_size": 16,
            "in_chans": 3,
            "intermediate_size": 32,
            "num_heads": 2,
            "out_hidden_size": 32,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "spatial_patch_size": 14,
            "temporal_patch_size": 2,
            "tokens_per_second": 2,
            "window_size": 112,
        },
        "vocab_size": rows,
    }


def _qwen3_config(rows: int, tokenizer: TokenizerFacts) -> dict:
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
            "hidden_size": 48,
            "initializer_range": 0.02,
            "intermediate_size": 96,
            "max_position_embeddings": 262144,
            "model_type": "qwen3_vl_text",
            "num_attention_heads": 4,
            "num_hidden_layers": 2,
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
            "depth": 3,
            "hidden_act": "gelu_pytorch_tanh",
            "hidden_size": 24,
            "in_channels": 3,
            "initializer_range": 0.02,
            "intermediate_size": 48,
            "model_type": "qwen3_vl",
            "num_heads": 2,
            "num_position_embeddings": 64,
            "out_hidden_size": 48,
            "patch_size": 16,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
        },
    }


def _write_base(folder: Path, config: dict, prefixes: tuple[str, str], model: Sa2VAModel, vocabulary: int) -> None:
    """The base's files: no head, and rows beyond its tokenizer."""
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    tensors = {}
    visual, language = prefixes
    for name, tensor in model.state_dict().items():
        if name.startswith("vision_tower."):
            tensors[visual + name.removeprefix("vision_tower.")] = tensor
        elif name.startswith("language_model.model."):
            tensors[language + name.removeprefix("language_model.model.")] = tensor
    embeddings = tensors[f"{language}embed_tokens.weight"][:vocabulary]
    padding = embeddings.new_zeros((_PADDING_ROWS, embeddings.shape[1]))
    tensors[f"{language}embed_tokens.weight"] = torch.cat([embeddings, padding])
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


RECIPES = {
    "qwen25vl": QwenRecipe(
        Family.QWEN2_5_VL,
        "qwen2_5vl_base",
        "projects.sa2va.models.mllm.qwenvl.Qwen2_5_VL",
        _BEGINNING + _SYSTEM_TURN + _TURNS,
        ("visual.", "model."),
        _qwen2_5_config,
    ),
    "qwen3vl": QwenRecipe(
        Family.QWEN3_VL,
        "qwen3vl_base",
        "projects.sa2va.models.mllm.qwen3vl.Qwen3VL",
        _BEGINNING + _TURNS,
        ("model.visual.", "model.language_model."),
        _qwen3_config,
    ),
}
