"""A sentencepiece `tokenizer.model`: its pieces, and how it prepares text.

The file is one message in protocol buffers' wire format (`sentencepiece_model.proto`). The reader refuses a
file with a field that it does not know: an ignored field may change the ids of a text.
"""

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any

from helpers.core.errors import RefusedInput

_MAX_BYTES = 256 << 20
_MAX_VARINT_BITS = 64


class PieceKind(IntEnum):
    """What a piece is, numbered as in the file.

    CONTROL pieces stand for no text, USER_DEFINED ones are never merged or split, BYTE ones spell what has no piece.
    """

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


class Algorithm(IntEnum):
    """How text is cut into pieces, numbered as in the file."""

    UNIGRAM = 1
    BPE = 2
    WORD = 3
    CHAR = 4


@dataclass(frozen=True)
class Piece:
    """One entry of the vocabulary; its place is its id. Of two merges the one with the higher score comes first."""

    text: str
    score: float
    kind: PieceKind


@dataclass(frozen=True)
class SelfTest:
    """A text, and the pieces that the file says it has, joined by blanks."""

    text: str
    pieces: str


@dataclass(frozen=True)
class SentencePieceModel:
    """The content of a `tokenizer.model`, as far as it decides the ids of a text.

    Attributes:
        pieces: by id.
        algorithm: how text is cut.
        byte_fallback: a character without a piece is spelled in bytes; else it becomes the unknown piece.
        suffix_whitespace: a blank belongs to the word before it.
        add_dummy_prefix: a blank is put in front of the text.
        remove_extra_whitespaces: blanks at both ends go, and runs of blanks become one.
        escape_whitespaces: blanks become U+2581.
        charsmap: bytes of a table that replaces characters; empty for none.
        self_tests: texts with their pieces, which the file was saved with.
    """

    pieces: tuple[Piece, ...]
    algorithm: Algorithm
    byte_fallback: bool
    suffix_whitespace: bool
    add_dummy_prefix: bool
    remove_extra_whitespaces: bool
    escape_whitespaces: bool
    charsmap: bytes
    self_tests: tuple[SelfTest, ...] = ()


class _Wire(Enum):
    """How a field's value is written; the number is protocol buffers' wire type."""

    VARINT = 0
    BYTES = 2
    FLOAT = 5


@dataclass(frozen=True)
class _Field:
    """A known field: its name, how it is written, and whether it may stand more than once."""

    name: str
    wire: _Wire
    repeated: bool = False


_Message = Mapping[int, _Field]


def _fields(wire: _Wire, **numbers: int) -> dict[int, _Field]:
    return {number: _Field(name, wire) for name, number in numbers.items()}


_MODEL: _Message = {
    1: _Field("pieces", _Wire.BYTES, repeated=True),
    **_fields(_Wire.BYTES, trainer_spec=2, normalizer_spec=3, self_test_data=4, denormalizer_spec=5),
}
_PIECE: _Message = {1: _Field("piece", _Wire.BYTES), 2: _Field("score", _Wire.FLOAT), 3: _Field("type", _Wire.VARINT)}
_NORMALIZER: _Message = {
    **_fields(_Wire.BYTES, name=1, precompiled_charsmap=2, normalization_rule_tsv=6),
    **_fields(_Wire.VARINT, add_dummy_prefix=3, remove_extra_whitespaces=4, escape_whitespaces=5),
}
_SELF_TESTS: _Message = {1: _Field("samples", _Wire.BYTES, repeated=True)}
_SAMPLE: _Message = _fields(_Wire.BYTES, input=1, expected=2)
# These settings steered the training of the pieces. The reader ignores them, since cutting a text does not need them.
_TRAINER: _Message = {
    **_fields(_Wire.BYTES, model_prefix=2, input_format=7, required_chars=36, unk_surface=44, unk_piece=45,
              bos_piece=46, eos_piece=47, pad_piece=48, pretokenization_delimiter=53, seed_sentencepieces_file=54),
    **_fields(_Wire.VARINT, model_type=3, vocab_size=4, self_test_sample_size=6, input_sentence_size=11,
              mining_sentence_size=12, training_sentence_size=13, seed_sentencepiece_size=14, num_threads=16,
              num_sub_iterations=17, max_sentence_length=18, shuffle_input_sentence=19, max_sentencepiece_length=20,
              split_by_unicode_script=21, split_by_whitespace=22, split_by_number=23, treat_whitespace_as_suffix=24,
              split_digits=25, allow_whitespace_only_pieces=26, vocabulary_output_piece_score=32, hard_vocab_limit=33,
              use_all_vocab=34, byte_fallback=35, unk_id=40, bos_id=41, eos_id=42, pad_id=43,
              train_extremely_large_corpus=49, enable_differential_privacy=50,
              differential_privacy_clipping_threshold=52),
    **_fields(_Wire.FLOAT, character_coverage=10, shrinking_factor=15, differential_privacy_noise_level=51),
    1: _Field("input", _Wire.BYTES, repeated=True),
    5: _Field("accept_language", _Wire.BYTES, repeated=True),
    30: _Field("control_symbols", _Wire.BYTES, repeated=True),
    31: _Field("user_defined_symbols", _Wire.BYTES, repeated=True),
}  # fmt: skip


def read_sentencepiece_model(path: Path) -> SentencePieceModel:
    """Read a `tokenizer.model`.

    Raises:
        RefusedInput: naming the file and what is wrong: truncated, of another kind, a field that is not known.
    """
    size = path.stat().st_size
    if size > _MAX_BYTES:
        raise RefusedInput(f"{path} is larger than {_MAX_BYTES >> 20} MB, which no tokenizer.model is.")
    try:
        return _model(path.read_bytes())
    except _Problem as problem:
        raise RefusedInput(
            f"{path} is not read as a sentencepiece model ({problem}). Copy or download it again; a file of another "
            "kind, or of a later sentencepiece, is not read."
        ) from problem


class _Problem(ValueError):
    """What is wrong with the bytes."""


def _model(content: bytes) -> SentencePieceModel:
    model = _parsed(content, _MODEL, "the file")
    if "pieces" not in model or "trainer_spec" not in model or "normalizer_spec" not in model:
        raise _Problem("it lacks pieces, trainer_spec or normalizer_spec")
    trainer = _parsed(model["trainer_spec"], _TRAINER, "trainer_spec")
    normalizer = _parsed(model["normalizer_spec"], _NORMALIZER, "normalizer_spec")
    back = _parsed(model.get("denormalizer_spec", b""), _NORMALIZER, "denormalizer_spec")
    if back.get("precompiled_charsmap") or back.get("normalization_rule_tsv"):
        raise _Problem("its denormalizer_spec replaces characters of decoded text, which is not done here")
    if normalizer.get("normalization_rule_tsv"):
        raise _Problem("its normalizer_spec holds rules as text, which sentencepiece itself compiles first")
    tests = _parsed(model.get("self_test_data", b""), _SELF_TESTS, "self_test_data").get("samples", [])
    samples = [_parsed(one, _SAMPLE, "a sample of self_test_data") for one in tests]
    return SentencePieceModel(
        pieces=tuple(_piece(one, place) for place, one in enumerate(model["pieces"])),
        algorithm=_member(Algorithm, trainer.get("model_type", Algorithm.UNIGRAM), "model_type"),
        byte_fallback=bool(trainer.get("byte_fallback", False)),
        suffix_whitespace=bool(trainer.get("treat_whitespace_as_suffix", False)),
        add_dummy_prefix=bool(normalizer.get("add_dummy_prefix", True)),
        remove_extra_whitespaces=bool(normalizer.get("remove_extra_whitespaces", True)),
        escape_whitespaces=bool(normalizer.get("escape_whitespaces", True)),
        charsmap=normalizer.get("precompiled_charsmap", b""),
        self_tests=tuple(
            SelfTest(_text(one.get("input", b""), "a sample"), _text(one.get("expected", b""), "a sample"))
            for one in samples
        ),
    )


def _piece(content: bytes, place: int) -> Piece:
    where = f"piece {place}"
    found = _parsed(content, _PIECE, where)
    text = _text(found.get("piece", b""), where)
    if not text:
        raise _Problem(f"{where} is empty")
    score = found.get("score", 0.0)
    if not math.isfinite(score):
        raise _Problem(f"{where} has the score {score}")
    return Piece(text, score, _member(PieceKind, found.get("type", PieceKind.NORMAL), where))


def _text(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _Problem(f"{where} is not UTF-8: {content[:20]!r}") from error


def _member(kinds: type[Any], number: int, where: str) -> Any:
    if number not in [one.value for one in kinds]:
        raise _Problem(f"{where} has {kinds.__name__} {number}, which is not known")
    return kinds(number)


def _parsed(content: bytes, message: _Message, where: str) -> dict[str, Any]:
    """The fields of a message by name; repeated ones as lists.

    Raises:
        _Problem: for a field that is not known, written otherwise, or there twice.
    """
    found: dict[str, Any] = {}
    for number, wire, value in _entries(content, where):
        field = message.get(number)
        if field is None:
            raise _Problem(f"{where} has a field {number}, which is not known")
        if wire is not field.wire:
            raise _Problem(f"{where}: {field.name} is written as {wire.name}, expected {field.wire.name}")
        if field.repeated:
            found.setdefault(field.name, []).append(value)
        elif field.name in found:
            raise _Problem(f"{where} has {field.name} twice")
        else:
            found[field.name] = value
    return found


def _entries(content: bytes, where: str) -> Iterator[tuple[int, _Wire, Any]]:
    """Number, wire type and value of each field of a message, in order."""
    place = 0
    while place < len(content):
        key, place = _varint(content, place, where)
        number, kind = key >> 3, key & 7
        if kind not in [one.value for one in _Wire]:
            raise _Problem(f"{where} has a field {number} of wire type {kind}, which is not known")
        wire = _Wire(kind)
        if wire is _Wire.VARINT:
            value, place = _varint(content, place, where)
            yield number, wire, value
            continue
        length, place = (4, place) if wire is _Wire.FLOAT else _varint(content, place, where)
        if place + length > len(content):
            raise _Problem(f"{where} is cut off")
        part = content[place : place + length]
        yield number, wire, struct.unpack("<f", part)[0] if wire is _Wire.FLOAT else part
        place += length


def _varint(content: bytes, place: int, where: str) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and the place behind it."""
    value = 0
    for shift in range(0, _MAX_VARINT_BITS, 7):
        if place >= len(content):
            raise _Problem(f"{where} is cut off")
        byte = content[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise _Problem(f"{where} holds a number that does not end")
