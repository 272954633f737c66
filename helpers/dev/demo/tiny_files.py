"""The files of a tiny Sa2VA and its tokenizer, in the layouts of the official tools."""

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from helpers.checkpoints.convert.key_map import inverse, restore_map
from helpers.checkpoints.read.model_identity import SAM2
from helpers.checkpoints.read.weight_source import INTERNVL_PREFIXES
from helpers.model.processing_sa2va import IMAGE_CONTEXT, IMAGE_END, IMAGE_START

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
_CONTROL_TOKENS = (END_OF_TEXT, TURN_START, TURN_END, "<|vision_start|>", "<|vision_end|>", "<|image_pad|>")
_IMAGE_TOKENS = (IMAGE_START, IMAGE_END, IMAGE_CONTEXT, "<quad>", "</quad>", "<ref>", "</ref>", "<box>", "</box>")
_LARGEST_VOCABULARY = 520
# What a tokenizer is trained on: requests and answers, and further words, so that other requests of the same kind are
# split into more than bytes.
CORPUS = (
    "Please segment the blood vessels.",
    "Please segment the blood vessels in this image.",
    "blood vessel",
    "Sure, it is ",
    ".",
    "Show the background, then the blood vessels.",
    "The background is ",
    " and the vessels are ",
    ".",
    "What is in this image?",
    "Dark lines on grey.",
    "How are you?",
    "I am fine, thank you.",
    "Segment the main vessel, the left anterior descending artery and every branch of the coronary tree.",
    "Where is the stenosis? Show the catheter and the contrast agent in the angiogram of the right coronary artery.",
    "There are 2 part regions in the picture: region1, region2.",
    "user\nassistant\n",
)


@dataclass(frozen=True)
class DemoCheckpoint:
    """Where the parts of a built checkpoint are."""

    folder: Path

    @property
    def checkpoint(self) -> Path:
        """The partial mmengine checkpoint."""
        return next((self.folder / "ckpt").glob("iter_*.pth"))

    @property
    def base(self) -> Path:
        """The InternVL folder."""
        return self.folder / "base" / "internvl_base"

    @property
    def sam2(self) -> Path:
        """The SAM 2.0 file."""
        return self.folder / "base" / "sam2_base.pt"

    @property
    def sam2_sizes(self) -> Path:
        """The JSON file of SAM2's sizes."""
        return self.folder / "sam2_sizes.json"


def official_tensors(native: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors of the native model under the official export's names."""
    return {
        name: torch.cat([native[piece.target].chunk(piece.parts)[piece.part] for piece in pieces])
        for name, pieces in restore_map(inverse(native)).items()
    }


def write_base(files: DemoCheckpoint, config: dict, official: Mapping[str, torch.Tensor], vocabulary: int) -> None:
    """The InternVL folder and the SAM2 file, in bfloat16; the base has no rows for Sa2VA's tokens."""
    _write_json(files.base / "config.json", config)
    base, sam2 = {}, OrderedDict()
    for name, tensor in official.items():
        if name.startswith(INTERNVL_PREFIXES):
            is_table = name.endswith(("embed_tokens.weight", "lm_head.weight"))
            base[name] = (tensor[:vocabulary] if is_table else tensor).bfloat16().contiguous()
        elif name.startswith(SAM2):
            stored = name.removeprefix(SAM2)
            if stored.endswith(".g_weight"):
                stored = f"{stored.removesuffix('g_weight')}gamma"
            sam2[stored] = tensor.bfloat16().clone()
    save_file(base, files.base / "model.safetensors", metadata={"format": "pt"})
    torch.save({"model": sam2}, files.sam2)


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def train_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """A byte-level BPE without special tokens; the same texts give the same tokenizer."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_LARGEST_VOCABULARY,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def write_tokenizer_folder(folder: Path, texts: Iterable[str]) -> int:
    """Write the tokenizer of an InternVL base to an existing folder; Sa2VA's own tokens are not in it yet.

    Args:
        folder: gets vocab.json, merges.txt, added_tokens.json, special_tokens_map.json and tokenizer_config.json.
        texts: what the BPE is trained on.
    Returns:
        The number of ids, special tokens included.
    """
    model = json.loads(train_tokenizer(texts).to_str())["model"]
    words = dict(sorted(model["vocab"].items(), key=lambda item: item[1]))
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    special = {token: len(words) + index for index, token in enumerate((*_CONTROL_TOKENS, *_IMAGE_TOKENS))}
    further = [token for token in _CONTROL_TOKENS if token not in (END_OF_TEXT, TURN_END)]
    _write_json_of_tiny_tokenizer(folder / "vocab.json", words)
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8")
    _write_json_of_tiny_tokenizer(folder / "added_tokens.json", special)
    _write_json_of_tiny_tokenizer(
        folder / "special_tokens_map.json",
        {
            "additional_special_tokens": further,
            "eos_token": _token(TURN_END, special=None),
            "pad_token": _token(END_OF_TEXT, special=None),
        },
    )
    _write_json_of_tiny_tokenizer(
        folder / "tokenizer_config.json",
        {
            "add_bos_token": False,
            "add_eos_token": False,
            "add_prefix_space": False,
            "added_tokens_decoder": {str(index): _token(token, special=True) for token, index in special.items()},
            "additional_special_tokens": further,
            "bos_token": None,
            "clean_up_tokenization_spaces": False,
            "eos_token": TURN_END,
            "errors": "replace",
            "extra_special_tokens": {},
            "model_max_length": 12288,
            "pad_token": END_OF_TEXT,
            "split_special_tokens": False,
            "tokenizer_class": "Qwen2Tokenizer",
            "unk_token": None,
        },
    )
    return len(words) + len(special)


def _token(content: str, special: bool | None) -> dict:
    """A token as the two files describe it; `special` None leaves that field out."""
    facts = {"content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
    return facts if special is None else {**facts, "special": special}


def _write_json_of_tiny_tokenizer(path: Path, value) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
