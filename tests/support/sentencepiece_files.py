"""Small sentencepiece files written by hand, and the merging of sentencepiece in its plainest form."""

import json
import struct
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
BPE = 2
BLANK = "\u2581"
FIRST_NORMAL = 3 + 256  # behind <unk>, <s>, </s> and the bytes

Entry = tuple[str, float, int]


def varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; the high bit says that another byte follows."""
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def number_field(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def bytes_field(field: int, content: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(content)) + content


def float_field(field: int, value: float) -> bytes:
    return varint(field << 3 | 5) + struct.pack("<f", value)


def piece(text: str, score: float = 0.0, kind: int = NORMAL) -> bytes:
    """One piece of a file; what is the default is left out, as sentencepiece does."""
    content = bytes_field(1, text.encode()) + float_field(2, score)
    return bytes_field(1, content + (b"" if kind == NORMAL else number_field(3, kind)))


def special_pieces() -> list[Entry]:
    """<unk>, <s>, </s>, and one piece for each byte."""
    return [
        ("<unk>", 0.0, UNKNOWN),
        ("<s>", 0.0, CONTROL),
        ("</s>", 0.0, CONTROL),
        *((f"<0x{value:02X}>", 0.0, BYTE) for value in range(256)),
    ]


def ranked(texts: Iterable[str]) -> list[Entry]:
    """Normal pieces with the scores that training gives: each lower than the one before."""
    return [(text, -float(rank), NORMAL) for rank, text in enumerate(texts)]


def model_bytes(
    entries: Sequence[Entry],
    trainer: bytes = number_field(3, BPE) + number_field(35, 1),
    normalizer: bytes = number_field(3, 0) + number_field(4, 0),
    rest: bytes = b"",
) -> bytes:
    """A whole file; unless changed BPE with byte fallback, which leaves blanks as they are and adds none."""
    pieces = b"".join(piece(*entry) for entry in entries)
    return pieces + bytes_field(2, trainer) + bytes_field(3, normalizer) + rest


def write_folder(folder: Path, content: bytes, added: dict[int, str] | None = None, **config: object) -> Path:
    """A folder with `tokenizer.model` and the config of InternLM2's tokenizer; `added` are special tokens by id."""
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.model").write_bytes(content)
    decoder = {
        str(number): {"content": text, "lstrip": False, "rstrip": False, "single_word": False, "normalized": False,
                      "special": True}
        for number, text in {0: "<unk>", 1: "<s>", 2: "</s>", **(added or {})}.items()
    }  # fmt: skip
    values = {"tokenizer_class": "InternLM2Tokenizer", "added_tokens_decoder": decoder, "bos_token": "<s>",
              "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "</s>", **config}  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(values))
    return folder


def merged(text: str, entries: Sequence[Entry]) -> list[int]:
    """Ids of a text without blanks, as sentencepiece's BPE gives them: the best pair is merged, again and again.

    Of pairs with one score the leftmost is merged. A character without a piece is spelled in bytes.
    """
    scores = {text: score for text, score, kind in entries if kind == NORMAL}
    ids = {text: number for number, (text, _, _) in enumerate(entries)}
    parts = list(text)
    while True:
        pairs = [(scores[a + b], -place) for place, (a, b) in enumerate(pairwise(parts)) if a + b in scores]
        if not pairs:
            break
        place = -max(pairs)[1]
        parts[place : place + 2] = [parts[place] + parts[place + 1]]
    return [
        number
        for part in parts
        for number in ([ids[part]] if part in scores else [ids[f"<0x{byte:02X}>"] for byte in part.encode()])
    ]
