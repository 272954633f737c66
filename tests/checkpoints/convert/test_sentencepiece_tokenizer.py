"""`tokenizer.json` from `tokenizer.model`: the ids of sentencepiece, or a stop."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from helpers.checkpoints.convert.sentencepiece_tokenizer import (
    fast_config,
    is_sentencepiece_folder,
    read_sentencepiece_tokenizer,
)
from helpers.checkpoints.convert.tokenizer_files import write_tokenizer
from helpers.core.errors import RefusedInput
from helpers.model.configuration_sa2va import SPECIAL_TOKENS
from tests.support.sentencepiece_files import (
    BLANK,
    BPE,
    CONTROL,
    FIRST_NORMAL,
    NORMAL,
    UNUSED,
    USER_DEFINED,
    bytes_field,
    merged,
    model_bytes,
    number_field,
    ranked,
    special_pieces,
    write_folder,
)

IMAGE_TOKENS = ("<img>", "</img>", "<IMG_CONTEXT>")
TRAINER = number_field(3, BPE) + number_field(35, 1)


def made(tmp_path, entries, added=None, config=None, **parts):
    folder = write_folder(tmp_path / "base", model_bytes(entries, **parts), added, **(config or {}))
    return read_sentencepiece_tokenizer(folder)


def ids(tokenizer, text):
    return tokenizer.tokenizer.encode(text, add_special_tokens=False).ids


def pieces(tokenizer, text):
    return tokenizer.tokenizer.encode(text, add_special_tokens=False).tokens


def test_the_pair_with_the_best_score_is_merged_first(tmp_path):
    # "bc" is better than "ab": a bc, and nothing makes one of both.
    found = made(tmp_path, special_pieces() + ranked(["a", "b", "c", "bc", "ab"]))
    assert pieces(found, "abc") == ["a", "bc"]
    assert ids(found, "abc") == [FIRST_NORMAL, FIRST_NORMAL + 3]


def test_a_character_without_a_piece_is_spelled_in_bytes(tmp_path):
    found = made(tmp_path, special_pieces() + ranked(["a"]))
    assert pieces(found, "a\té") == ["a", "<0x09>", "<0xC3>", "<0xA9>"]
    assert found.tokenizer.decode(ids(found, "a\té")) == "a\té"


@st.composite
def vocabularies(draw):
    """Pieces as BPE's training makes them: each joins two that were there before it."""
    alphabet = list("ab" + BLANK)
    texts = list(alphabet)
    for _ in range(draw(st.integers(0, 12))):
        joined = draw(st.sampled_from(texts)) + draw(st.sampled_from(texts))
        if joined not in texts and len(joined) < 9:
            texts.append(joined)
    return special_pieces() + ranked(texts)


@given(vocabularies(), st.lists(st.text("ab é", max_size=24), min_size=1, max_size=4))
def test_ids_are_those_of_merging_by_score(tmp_path_factory, entries, texts):
    found = made(tmp_path_factory.mktemp("model"), entries)
    for text in texts:
        assert ids(found, text) == merged(text.replace(" ", BLANK), entries)
        assert found.tokenizer.decode(ids(found, text)) == text


@given(vocabularies(), st.data(), st.lists(st.text("ab ", max_size=16), min_size=1, max_size=4))
def test_pieces_of_one_score_have_their_ids_or_are_refused(tmp_path_factory, entries, data, texts):
    ranks = st.integers(0, 3).map(float)
    entries = [(text, -data.draw(ranks) if kind == NORMAL else 0.0, kind) for text, _, kind in entries]
    try:
        found = made(tmp_path_factory.mktemp("model"), entries)
    except RefusedInput as error:
        assert "what is merged first depends on where they stand" in str(error)
        return
    for text in texts:
        assert ids(found, text) == merged(text.replace(" ", BLANK), entries)


def test_a_dummy_prefix_stands_before_each_text_and_goes_from_the_answer(tmp_path):
    entries = special_pieces() + ranked([BLANK, "a", BLANK + "a"])
    found = made(tmp_path, entries, {FIRST_NORMAL + 3: "[SEG]"}, normalizer=number_field(4, 0))
    assert pieces(found, "a[SEG]a a") == [BLANK + "a", "[SEG]", BLANK + "a", BLANK + "a"]
    assert pieces(found, "") == []
    assert found.tokenizer.decode(ids(found, "a a")) == "a a"


@pytest.mark.parametrize(("text", "expected"), [("  a  a ", ["a", BLANK, "a"]), (" \n ", ["<0x0A>"]), ("   ", [])])
def test_extra_blanks_go(tmp_path, text, expected):
    found = made(tmp_path, special_pieces() + ranked([BLANK, "a"]), normalizer=number_field(3, 0))
    assert pieces(found, text) == expected


def test_added_tokens_take_the_places_of_placeholders_and_follow_the_pieces(tmp_path):
    entries = special_pieces() + ranked(["a", "b"]) + [("[UNUSED_0]", 0.0, USER_DEFINED)]
    found = made(tmp_path, entries, {FIRST_NORMAL + 2: "<|im_end|>", FIRST_NORMAL + 3: "[SEG]"})
    assert ids(found, "a<|im_end|>[SEG]b") == [FIRST_NORMAL + place for place in (0, 2, 3, 1)]
    assert found.pieces == FIRST_NORMAL + 3


def test_user_defined_pieces_are_taken_whole(tmp_path):
    found = made(tmp_path, special_pieces() + ranked(["a", "b", "ab"]) + [("ba", 0.0, USER_DEFINED)])
    assert pieces(found, "aba") == ["a", "ba"]


def test_pieces_with_a_character_of_no_piece_are_named(tmp_path):
    found = made(tmp_path, special_pieces() + ranked(["a", "aé"]))
    (note,) = found.notes
    assert "1 pieces hold a character that has no piece of its own, for example 'aé'" in note


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, ["<s>", "a"]),
        ({"add_bos_token": False}, ["a"]),
        ({"add_eos_token": True}, ["<s>", "a", "</s>"]),
        ({"bos_token": {"content": "</s>"}}, ["</s>", "a"]),
    ],
)
def test_the_config_says_what_stands_at_the_ends(tmp_path, config, expected):
    found = made(tmp_path, special_pieces() + ranked(["a"]), config=config)
    assert found.tokenizer.encode("a").tokens == expected


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"trainer": number_field(3, 1) + number_field(35, 1)}, "its algorithm is UNIGRAM, expected BPE"),
        ({"trainer": number_field(3, BPE)}, "no byte fallback"),
        ({"trainer": TRAINER + number_field(24, 1)}, "treat_whitespace_as_suffix"),
        ({"normalizer": number_field(5, 0)}, "escape_whitespaces is false"),
        ({"normalizer": bytes_field(2, b"\x00\x01\x02")}, "table of 3 bytes"),
        ({"entries": ranked(["a"])}, "0 unknown pieces"),
        ({"entries": special_pieces()[:-1]}, "not the 256 pieces"),
        ({"entries": special_pieces() + [("a", 0.0, UNUSED)]}, "pieces are unused, such as 'a'"),
        ({"entries": special_pieces() + [("a", 0.0, CONTROL)]}, "is one character, 'a'"),
        ({"entries": special_pieces() + ranked(["a", "a"])}, "'a' has two ids"),
        ({"entries": special_pieces() + [(BLANK * 2, 0.0, USER_DEFINED)]}, "user-defined pieces"),
        (
            {"entries": special_pieces() + [("[X]", 0.0, USER_DEFINED)], "normalizer": number_field(3, 1)},
            "user-defined pieces \\('\\[X\\]'\\)",
        ),
        (
            {"rest": bytes_field(4, bytes_field(1, bytes_field(1, b"ab") + bytes_field(2, b"ab")))},
            "it says that 'ab' has the pieces 'ab', and the tokenizer made of it gives 'a b'",
        ),
        ({"added": {FIRST_NORMAL: "[SEG]"}}, "which is the piece 'a'"),
        ({"added": {FIRST_NORMAL + 3: "[SEG]"}}, "leave a gap"),
        ({"added": {FIRST_NORMAL + 2: "a"}}, "leave a gap or are there twice"),
        ({"config": {"bos_token": None}}, "add_bos_token is True and bos_token None"),
        ({"config": {"add_bos_token": "yes"}}, "add_bos_token is 'yes'"),
        ({"config": {"added_tokens_decoder": {"x": {"content": "a"}}}}, "added_tokens_decoder: x"),
    ],
)
def test_what_a_fast_tokenizer_cannot_follow_is_refused(tmp_path, parts, said):
    with pytest.raises(RefusedInput, match=said):
        made(tmp_path, **{"entries": special_pieces() + ranked(["a", "b"]), **parts})


def test_a_self_test_of_the_file_that_holds_is_taken(tmp_path):
    sample = bytes_field(1, bytes_field(1, b"ab") + bytes_field(2, b"a b"))
    assert made(tmp_path, special_pieces() + ranked(["a", "b"]), rest=bytes_field(4, sample)).notes == ()


def test_tokens_of_an_older_folder_stand_in_a_file_of_their_own(tmp_path):
    folder = write_folder(tmp_path / "base", model_bytes(special_pieces() + ranked(["a"])))
    (folder / "added_tokens.json").write_text(json.dumps({"<img>": FIRST_NORMAL + 1}))
    assert ids(read_sentencepiece_tokenizer(folder), "<img>") == [FIRST_NORMAL + 1]
    (folder / "added_tokens.json").write_text(json.dumps({"<s>": FIRST_NORMAL + 1}))
    with pytest.raises(RefusedInput, match="added_tokens.json gives '<s>' the id 260, tokenizer_config.json otherwise"):
        read_sentencepiece_tokenizer(folder)


@pytest.mark.parametrize("file", ["tokenizer_config.json", "special_tokens_map.json"])
@pytest.mark.parametrize("field", ["additional_special_tokens", "eos_token"])
def test_tokens_of_an_older_folder_are_special_where_a_file_says_so(tmp_path, file, field):
    folder = write_folder(tmp_path / "base", model_bytes(special_pieces() + ranked(["a"])))
    (folder / "added_tokens.json").write_text(json.dumps({"<img>": FIRST_NORMAL + 1, "<x>": FIRST_NORMAL + 2}))
    path = folder / file
    values = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps({**values, field: ["<img>"] if field.endswith("s") else "<img>"}))
    added = read_sentencepiece_tokenizer(folder).tokenizer.get_added_tokens_decoder()
    assert added[FIRST_NORMAL + 1].special and not added[FIRST_NORMAL + 2].special


def test_only_the_tokenizer_of_internlm2_is_made_anew(tmp_path):
    folder = write_folder(tmp_path / "base", model_bytes(special_pieces()))
    assert is_sentencepiece_folder(folder)
    assert not is_sentencepiece_folder(write_folder(folder, b"", tokenizer_class="LlamaTokenizer"))
    (folder / "tokenizer.model").unlink()
    assert not is_sentencepiece_folder(folder)


@pytest.mark.parametrize("config, got", [(None, "got no tokenizer_config.json"), ("LlamaTokenizer", "got 'LlamaTok")])
def test_a_sentencepiece_file_that_nothing_says_how_to_read_is_refused(tmp_path, config, got):
    folder = write_folder(tmp_path / "base", model_bytes(special_pieces()), tokenizer_class=config)
    if config is None:
        (folder / "tokenizer_config.json").unlink()
    said = "base: holds tokenizer.model without tokenizer.json; .* the class InternLM2Tokenizer or .*"
    with pytest.raises(RefusedInput, match=said + got):
        write_tokenizer(folder, tmp_path, SPECIAL_TOKENS)


def test_the_written_config_names_no_remote_code():
    config = {"tokenizer_class": "InternLM2Tokenizer", "auto_map": {}, "add_bos_token": True, "eos_token": "</s>"}
    assert fast_config(config) == {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "</s>"}


def test_an_export_holds_the_fast_tokenizer_alone(tmp_path):
    added = {FIRST_NORMAL + 1 + place: token for place, token in enumerate(IMAGE_TOKENS)}
    folder = write_folder(tmp_path / "base", model_bytes(special_pieces() + ranked(["a"])), added)
    (tmp_path / "export").mkdir()
    facts = write_tokenizer(folder, tmp_path / "export", SPECIAL_TOKENS)
    assert facts.ids["[SEG]"] == FIRST_NORMAL + 4 and facts.added == SPECIAL_TOKENS
    assert (facts.length, facts.pieces, facts.eos, facts.pad) == (FIRST_NORMAL + 9, FIRST_NORMAL + 1, 2, 2)
    names = {path.name for path in (tmp_path / "export").iterdir()}
    assert names == {"tokenizer.json", "tokenizer_config.json", "added_tokens.json"}
    assert (folder / "tokenizer.model").is_file()


@pytest.mark.golden
@pytest.mark.parametrize("source", ["base/internvl_base", "hf_export"])
def test_ids_are_those_of_the_official_tokenizer(shared, tmp_path, source):
    golden = shared / "golden/tiny_internlm2"
    write_tokenizer(golden / source, tmp_path, SPECIAL_TOKENS)
    examples = json.loads((golden / "manifest.json").read_text())["tokenizer_examples"]
    for tokenizer in (AutoTokenizer.from_pretrained(tmp_path), PreTrainedTokenizerFast.from_pretrained(tmp_path)):
        for text, official in examples.items():
            assert tokenizer.encode(text) == official["ids"]
            assert tokenizer.convert_ids_to_tokens(official["ids"]) == official["tokens"]
