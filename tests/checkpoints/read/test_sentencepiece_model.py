"""Reading `tokenizer.model`: bytes that a person can check, and everything that is not known is refused."""

import pytest

from helpers.checkpoints.read import sentencepiece_model
from helpers.checkpoints.read.sentencepiece_model import (
    Algorithm,
    Piece,
    PieceKind,
    SelfTest,
    read_sentencepiece_model,
)
from helpers.core.errors import RefusedInput
from tests.support.sentencepiece_files import (
    bytes_field,
    float_field,
    model_bytes,
    number_field,
    piece,
    ranked,
    varint,
)


def read(tmp_path, content: bytes):
    path = tmp_path / "tokenizer.model"
    path.write_bytes(content)
    return read_sentencepiece_model(path)


def test_the_bytes_of_a_file_one_by_one(tmp_path):
    found = read(
        tmp_path,
        b"\x0a\x0a"  # field 1, 10 bytes: a piece
        b"\x0a\x01a"  # its field 1, 1 byte: the text
        b"\x15\x00\x00\x80\xbf"  # its field 2, 4 bytes: the score -1
        b"\x18\x04"  # its field 3: user-defined
        b"\x12\x05"  # field 2, 5 bytes: trainer_spec
        b"\x18\x02"  # its field 3: BPE
        b"\x98\x02\x01"  # its field 35: byte fallback; 35 << 3 takes two bytes
        b"\x1a\x02"  # field 3, 2 bytes: normalizer_spec
        b"\x18\x00",  # its field 3: no dummy prefix
    )
    assert found.pieces == (Piece("a", -1.0, PieceKind.USER_DEFINED),)
    assert found.algorithm is Algorithm.BPE and found.byte_fallback
    assert not found.add_dummy_prefix


def test_what_a_file_leaves_out_has_the_default_of_its_format(tmp_path):
    found = read(tmp_path, model_bytes(ranked("a"), trainer=b"", normalizer=b""))
    assert found.pieces == (Piece("a", 0.0, PieceKind.NORMAL),)
    assert found.algorithm is Algorithm.UNIGRAM and not found.byte_fallback
    assert (found.add_dummy_prefix, found.remove_extra_whitespaces, found.escape_whitespaces) == (True, True, True)
    assert found.charsmap == b"" and found.self_tests == ()


def test_settings_of_training_are_passed_over(tmp_path):
    trainer = number_field(3, 2) + bytes_field(1, b"corpus.txt") * 2 + float_field(10, 0.9995) + number_field(4, 1)
    trainer += number_field(43, (1 << 64) - 1)  # the id of a pad token: -1, none
    assert read(tmp_path, model_bytes(ranked("a"), trainer=trainer)).algorithm is Algorithm.BPE


# Numbers of sentencepiece_model.proto's TrainerSpec by how their values are written.
TEXTS = {1, 2, 5, 7, 30, 31, 36, 44, 45, 46, 47, 48, 53, 54}
FLOATS = {10, 15, 51}
NUMBERS = {3, 4, 6, *range(11, 15), *range(16, 27), *range(32, 36), *range(40, 44), 49, 50, 52}


def test_every_setting_of_training_is_known_once_and_no_other(tmp_path):
    texts = b"".join(bytes_field(number, b"x") for number in TEXTS)
    floats = b"".join(float_field(number, 0.5) for number in FLOATS)
    numbers = b"".join(number_field(number, 2 if number == 3 else 1) for number in NUMBERS)
    assert read(tmp_path, model_bytes(ranked("a"), trainer=texts + floats + numbers)).algorithm is Algorithm.BPE
    for number in range(1, 60):
        as_text, as_number = bytes_field(number, b"x"), number_field(number, 2)
        for trainer, known in ((as_text, number in TEXTS), (as_number, number in NUMBERS)):
            content = model_bytes(ranked("a"), trainer=trainer)
            if known:
                read(tmp_path, content)
            else:
                with pytest.raises(RefusedInput, match="trainer_spec"):
                    read(tmp_path, content)


def test_every_setting_of_the_normalizer_is_known_once_and_no_other(tmp_path):
    texts, numbers = {1, 2}, {3, 4, 5}
    for number in range(1, 9):
        for content, known in (
            (bytes_field(number, b"x"), number in texts), (number_field(number, 1), number in numbers)
        ):  # fmt: skip
            content = model_bytes(ranked("a"), normalizer=content)
            if known:
                read(tmp_path, content)
            else:
                with pytest.raises(RefusedInput, match="normalizer_spec"):
                    read(tmp_path, content)


def test_self_tests_are_read(tmp_path):
    sample = bytes_field(1, bytes_field(1, b"ab") + bytes_field(2, b"a b"))
    assert read(tmp_path, model_bytes(ranked("ab"), rest=bytes_field(4, sample))).self_tests == (SelfTest("ab", "a b"),)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "lacks pieces"),
        (piece("a"), "lacks pieces, trainer_spec or normalizer_spec"),
        (model_bytes(ranked("ab"))[:-1], "is cut off"),
        (b"\x0a\x05\x0a", "the file is cut off"),
        (b"\x0a", "is cut off"),
        (b"\xff" * 11, "does not end"),
        (b"<html>", "wire type"),
        (model_bytes(ranked("a"), rest=bytes_field(9, b"")), "the file has a field 9, which is not known"),
        (model_bytes(ranked("a"), trainer=number_field(99, 1)), "trainer_spec has a field 99"),
        (model_bytes(ranked("a"), normalizer=number_field(7, 1)), "normalizer_spec has a field 7"),
        (model_bytes(ranked("a"), normalizer=bytes_field(3, b"x")), "add_dummy_prefix is written as BYTES"),
        (model_bytes(ranked("a"), trainer=number_field(3, 2) * 2), "trainer_spec has model_type twice"),
        (model_bytes(ranked("a"), trainer=number_field(3, 7)), "model_type has Algorithm 7"),
        (model_bytes([("a", 0.0, 9)]), "piece 0 has PieceKind 9"),
        (model_bytes([("a", float("nan"), 1)]), "piece 0 has the score nan"),
        (model_bytes([("", 0.0, 1)]), "piece 0 is empty"),
        (bytes_field(1, bytes_field(1, b"\xff")) + model_bytes([]), "piece 0 is not UTF-8"),
        (model_bytes(ranked("a"), rest=bytes_field(5, bytes_field(2, b"x"))), "denormalizer_spec replaces"),
        (model_bytes(ranked("a"), normalizer=bytes_field(6, b"x")), "rules as text"),
    ],
)
def test_what_is_damaged_or_not_known_is_refused(tmp_path, content, said):
    with pytest.raises(RefusedInput, match=said) as error:
        read(tmp_path, content)
    assert str(tmp_path / "tokenizer.model") in str(error.value)


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, (1 << 64) - 1])
def test_numbers_of_any_length(tmp_path, number):
    read(tmp_path, model_bytes(ranked("a"), trainer=number_field(43, number)))
    assert varint(300) == b"\xac\x02"


def test_kinds_and_algorithms_have_the_numbers_of_the_format():
    kinds = {"NORMAL": 1, "UNKNOWN": 2, "CONTROL": 3, "USER_DEFINED": 4, "UNUSED": 5, "BYTE": 6}
    assert {name: kind.value for name, kind in PieceKind.__members__.items()} == kinds
    algorithms = {"UNIGRAM": 1, "BPE": 2, "WORD": 3, "CHAR": 4}
    assert {name: one.value for name, one in Algorithm.__members__.items()} == algorithms


@pytest.mark.parametrize(
    ("message", "number", "name"),
    [
        ("normalizer", 3, "add_dummy_prefix"),
        ("normalizer", 4, "remove_extra_whitespaces"),
        ("normalizer", 5, "escape_whitespaces"),
        ("trainer", 24, "suffix_whitespace"),
        ("trainer", 35, "byte_fallback"),
    ],
)
@pytest.mark.parametrize("value", [False, True])
def test_each_switch_is_read_from_its_field(tmp_path, message, number, name, value):
    found = read(tmp_path, model_bytes(ranked("a"), **{message: number_field(number, int(value))}))
    assert getattr(found, name) is value


def test_the_table_of_characters_is_taken_as_it_is(tmp_path):
    found = read(tmp_path, model_bytes(ranked("a"), normalizer=bytes_field(2, b"\x01\x00\xff")))
    assert found.charsmap == b"\x01\x00\xff"


@pytest.mark.parametrize(
    ("number", "name"), [(1, "input"), (5, "accept_language"), (30, "control_symbols"), (31, "user_defined_symbols")]
)
def test_lists_of_the_trainer_may_have_many_entries(tmp_path, number, name):
    read(tmp_path, model_bytes(ranked("a"), trainer=bytes_field(number, b"x") * 3))
    with pytest.raises(RefusedInput, match=f"trainer_spec: {name} is written as VARINT, expected BYTES"):
        read(tmp_path, model_bytes(ranked("a"), trainer=number_field(number, 1)))


@pytest.mark.parametrize("samples", [1, 3])
def test_samples_of_the_self_test_may_leave_out_their_texts(tmp_path, samples):
    content = bytes_field(4, bytes_field(1, b"") * samples)
    found = read(tmp_path, model_bytes(ranked("a"), rest=content))
    assert found.self_tests == (SelfTest("", ""),) * samples


def test_a_denormalizer_that_replaces_nothing_is_read_and_one_with_rules_is_not(tmp_path):
    content = model_bytes(ranked("a"), rest=bytes_field(5, bytes_field(1, b"name") + number_field(3, 1)))
    assert not read(tmp_path, content).add_dummy_prefix  # which the normalizer decides
    with pytest.raises(RefusedInput, match="denormalizer_spec replaces"):
        read(tmp_path, model_bytes(ranked("a"), rest=bytes_field(5, bytes_field(6, b"rules"))))


def test_a_file_may_have_256_megabytes(tmp_path):
    path = tmp_path / "tokenizer.model"
    with path.open("wb") as stream:
        stream.truncate((256 << 20) + 1)
    with pytest.raises(RefusedInput, match="tokenizer.model is larger than 256 MB"):
        read_sentencepiece_model(path)


def test_a_file_of_the_largest_size_is_read(tmp_path, monkeypatch):
    content = model_bytes(ranked("a"))
    monkeypatch.setattr(sentencepiece_model, "_MAX_BYTES", len(content))
    assert len(read(tmp_path, content).pieces) == 1


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_number_of_four_bytes_that_is_cut_is_told(tmp_path, cut):
    content = bytes_field(1, (bytes_field(1, b"a") + float_field(2, 1.0))[:-cut])
    with pytest.raises(RefusedInput, match="piece 0 is cut off"):
        read(tmp_path, content + model_bytes([]))
