"""A small byte-level BPE of the demo's own, as a Qwen2 tokenizer folder in the file layout of transformers 4."""

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from helpers.sa2va.processing_sa2va import IMAGE_CONTEXT, IMAGE_END, IMAGE_START

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
    _write_json(folder / "vocab.json", words)
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8")
    _write_json(folder / "added_tokens.json", special)
    _write_json(
        folder / "special_tokens_map.json",
        {
            "additional_special_tokens": further,
            "eos_token": _token(TURN_END, special=None),
            "pad_token": _token(END_OF_TEXT, special=None),
        },
    )
    _write_json(
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


def _write_json(path: Path, value) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
