"""The tiny checkpoint of Sa2VA on InternVL with InternLM2; SAM2's file and the pictures are those of the other one."""

import json
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, trainers
from transformers import AutoTokenizer

from helpers.checkpoints.convert import ConversionRequest, convert
from helpers.checkpoints.convert.key_map import canonical_name, places
from helpers.checkpoints.convert.tokenizer_files import write_tokenizer
from helpers.core.atomic import partial_folder
from helpers.dev.demo.tiny_files import CORPUS, DemoCheckpoint, official_tensors
from helpers.dev.demo.untrained_base import FIXTURE, build_base, official_config
from helpers.model.configuration_sa2va import SPECIAL_TOKENS
from helpers.model.modeling_sa2va import Sa2VAModel
from helpers.train.fine_tuning.checkpoint_layout import trained_tensors
from tests.support.fixture_maker.checkpoint import one_thread, write_training
from tests.support.fixture_maker.recording import record_outputs
from tests.support.fixture_maker.training import Fit, fit
from tests.support.internlm2_layout import fused, internlm2_tensors, renamed
from tests.support.sentencepiece_files import (
    BLANK,
    USER_DEFINED,
    Entry,
    model_bytes,
    ranked,
    special_pieces,
    write_folder,
)

TEMPLATE = "internlm2_chat"
SIZES = replace(FIXTURE, language=48, vision=32)
_KEY_HEADS = 2
_PIECES = 360
_CHAT_TOKENS = ("<|plugin|>", "<|interpreter|>", "<|action_end|>", "<|action_start|>", "<|im_end|>", "<|im_start|>")
_IMAGE_TOKENS = ("<img>", "</img>", "<IMG_CONTEXT>", "<quad>", "</quad>", "<ref>", "</ref>", "<box>", "</box>")
_BASE_PREFIXES = ("vision_model.", "language_model.", "mlp1.")
_TABLES = ("tok_embeddings.weight", "output.weight")
_SAVED_MODULES = ("tok_embeddings", "output")


def build_internlm2(folder: Path, other: Path, seed: int = 0) -> None:
    """Fit the model and write base, checkpoint and recorded outputs to `folder`, which must not exist.

    Args:
        other: the fixture whose SAM2 file and pictures go with it.
    """
    shared = DemoCheckpoint(other)
    with partial_folder(folder) as partial:
        files = DemoCheckpoint(partial)
        files.base.parent.mkdir()
        vocabulary = write_sentencepiece_folder(files.base, CORPUS)
        with tempfile.TemporaryDirectory() as staging:
            facts = write_tokenizer(files.base, Path(staging), SPECIAL_TOKENS)
            tokenizer = AutoTokenizer.from_pretrained(staging)
        config = _config(vocabulary)
        model = build_base(config, SIZES.sam2, facts, seed)
        take_sam2(model, shared.sam2)
        _write_base(files.base, config, model, vocabulary)
        with one_thread():
            result = fit(model, tokenizer, seed, fused_attention=True)
        write_training(partial / "ckpt", _stored(model, result), result, TEMPLATE, _SAVED_MODULES)
        with tempfile.TemporaryDirectory() as scratch:
            model_folder = Path(scratch) / "model"
            sources = (files.checkpoint, model_folder, files.base, shared.sam2, str(shared.sam2_sizes))
            convert(ConversionRequest(*sources, dtype="float32"))
            record_outputs(model_folder, shared.folder / "images", partial)


def write_sentencepiece_folder(folder: Path, texts: Iterable[str]) -> int:
    """Write the tokenizer of InternLM2 in small; returns its number of ids, those of chat and image tokens included."""
    entries = special_pieces() + _trained_pieces(texts)
    placeholders = [f"[UNUSED_TOKEN_{140 + number}]" for number in range(len(_CHAT_TOKENS))]
    added = {len(entries) + number: token for number, token in enumerate((*_CHAT_TOKENS, *_IMAGE_TOKENS))}
    entries += [(text, 0.0, USER_DEFINED) for text in placeholders]
    write_folder(folder, model_bytes(entries), added, model_max_length=8192, clean_up_tokenization_spaces=False)
    return len(entries) + len(_IMAGE_TOKENS)


def _trained_pieces(texts: Iterable[str]) -> list[Entry]:
    """Pieces of BPE on these texts with the scores that sentencepiece gives them: merges first, then characters."""
    tokenizer = Tokenizer(models.BPE())
    trainer = trainers.BpeTrainer(vocab_size=_PIECES - len(special_pieces()), show_progress=False)
    words = (BLANK + word if at else word for text in texts for at, word in enumerate(text.split(" ")) if word)
    tokenizer.train_from_iterator(words, trainer)
    by_id = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    pieces = [text for text, _ in by_id if text != "\n"]
    return ranked(sorted(pieces, key=lambda text: len(text) == 1) + ["\n"])


def _config(vocabulary: int) -> dict:
    """config.json of the base, in the fields of the official InternVL2.5."""
    config = official_config(SIZES, vocabulary, 2, 2)
    text = config["llm_config"]
    for name in ("attention_dropout", "max_window_layers", "sliding_window", "use_sliding_window"):
        del text[name]
    text |= {"architectures": ["InternLM2ForCausalLM"], "model_type": "internlm2", "bias": False, "bos_token_id": 1,
             "rms_norm_eps": 1e-05, "num_key_value_heads": _KEY_HEADS, "attn_implementation": "eager",
             "rope_scaling": {"factor": 2.0, "type": "dynamic"}}  # fmt: skip
    return config


@torch.no_grad()
def take_sam2(model: Sa2VAModel, file: Path) -> None:
    """Put the other fixture's SAM2 into the model."""
    state = model.state_dict()
    for name, tensor in torch.load(file, weights_only=True)["model"].items():
        for place in places(canonical_name(name)):
            state[place.target].chunk(place.positions)[place.position].copy_(tensor.chunk(place.parts)[place.part])


def _write_base(folder: Path, config: dict, model: Sa2VAModel, vocabulary: int) -> None:
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    tensors = {
        name: (tensor[:vocabulary] if name.endswith(_TABLES) else tensor).bfloat16().contiguous()
        for name, tensor in internlm2_tensors(official_tensors(model.state_dict()), _KEY_HEADS).items()
        if name.startswith(_BASE_PREFIXES)
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _stored(model: Sa2VAModel, result: Fit) -> dict[str, torch.Tensor]:
    """What the checkpoint holds: LoRA on the fused attention weight, whose factor A the three layers share."""
    llama = trained_tensors(model, result.adapters)
    stored = {}
    for name, tensor in llama.items():
        if "language_model" not in name:
            stored[name] = tensor
        elif "self_attn.q_proj.lora_A" in name:
            stored[name.replace("self_attn.q_proj", "attention.wqkv")] = tensor
        elif "self_attn.q_proj.lora_B" in name:
            key, value = (llama[name.replace("q_proj", f"{part}_proj")] for part in "kv")
            stored[name.replace("self_attn.q_proj", "attention.wqkv")] = fused(tensor, key, value, _KEY_HEADS)
        elif "self_attn.k_proj" not in name and "self_attn.v_proj" not in name:
            stored[renamed(name)] = tensor
    return stored
