"""`[SEG]` is where the tokenizer puts it, whatever the base's tokenizer has already and however many rows there are."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModel, AutoTokenizer

from helpers.checkpoints.convert import ConversionRequest, convert
from helpers.checkpoints.convert.tokenizer_files import write_tokenizer
from helpers.core.errors import RefusedInput
from helpers.model.configuration_sa2va import SPECIAL_TOKENS
from tests.support.exports import refused
from tests.support.published_sa2va import base_state, edit_config, exported, fine_tuned, publish
from tests.support.tiny_sources import fixture_sources

ROWS = 446  # of the fixture's base
OF_THE_BASE = ("<box>", "</box>", "<ref>", "</ref>", "<img>")


def add_to_base(folder: Path, tokens) -> None:
    """Give the tokenizer of a folder more tokens, in this order."""
    added = json.loads((folder / "added_tokens.json").read_text())
    config = json.loads((folder / "tokenizer_config.json").read_text())
    for token in tokens:
        added[token] = max(ROWS - 1, *added.values()) + 1
        config["added_tokens_decoder"][str(added[token])] = {
            "content": token, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
            "special": True,
        }  # fmt: skip
    (folder / "added_tokens.json").write_text(json.dumps(added))
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


def written_tokens(tokens) -> str:
    return f"special_tokens = {list(tokens)!r}"


def edit_rows(tiny, change):
    """Change the embeddings and the head of the checkpoint alike."""

    def edit(content):
        for name, tensor in content["state_dict"].items():
            if "modules_to_save" in name:
                content["state_dict"][name] = change(tensor)

    tiny.edit_checkpoint(edit)


def more(count):
    return lambda tensor: torch.cat([tensor, torch.full((count, tensor.shape[1]), 0.5)])


def pad_base(tiny, count):
    def edit(state):
        for name in ("language_model.model.embed_tokens.weight", "language_model.lm_head.weight"):
            state[name] = more(count)(state[name].float()).bfloat16()

    tiny.edit_base(edit)


@given(
    has=st.lists(st.sampled_from([*SPECIAL_TOKENS, "<other>"]), unique=True),
    asked=st.permutations([*SPECIAL_TOKENS, *OF_THE_BASE]),
    count=st.integers(1, 10),
)
@settings(max_examples=25, deadline=None)
def test_tokens_that_the_base_has_keep_their_ids_and_the_others_follow_in_order(has, asked, count):
    asked = list(dict.fromkeys([*asked[:count], "[SEG]"]))
    with tempfile.TemporaryDirectory() as place:
        base, target = Path(place) / "base", Path(place) / "target"
        shutil.copytree(fixture_sources().base, base, ignore=shutil.ignore_patterns("*.safetensors"))
        target.mkdir()
        add_to_base(base, has)
        before = AutoTokenizer.from_pretrained(base).get_vocab()
        facts = write_tokenizer(base, target, asked)
        after = AutoTokenizer.from_pretrained(target).get_vocab()
    new = [token for token in asked if token not in before]
    assert facts.added == tuple(new) and facts.length == len(before) + len(new)
    assert [after[token] for token in new] == list(range(len(before), facts.length))
    assert all(after[token] == number for token, number in before.items())
    assert {token: facts.ids[token] for token in asked} == {token: after[token] for token in asked}


@pytest.mark.parametrize(
    "tokens",
    [("<box>", *SPECIAL_TOKENS), (*SPECIAL_TOKENS, "<box>", "</ref>"), ("[SEG]", "<box>", *SPECIAL_TOKENS[1:])],
)
def test_a_token_of_the_base_beside_the_others_changes_nothing(tmp_path, tiny, tokens):
    edit_config(tiny, lambda text: text.replace(written_tokens(SPECIAL_TOKENS), written_tokens(tokens)))
    record = convert(tiny.request(tmp_path / "out"))
    ids = json.loads((tmp_path / "out/config.json").read_text())["token_ids"]
    assert [ids[token] for token in SPECIAL_TOKENS] == list(range(ROWS, ROWS + 5)) and ids["<box>"] < ROWS
    assert not [note for note in record.values["notes"] if "rows" in note]
    again = convert(ConversionRequest(tmp_path / "out", tmp_path / "elsewhere/again", dtype="float32"))
    assert again.values["tensors_sha256"] == record.values["tensors_sha256"]
    assert json.loads((tmp_path / "elsewhere/again/config.json").read_text())["special_tokens"] == list(tokens)


@pytest.mark.parametrize("has", [("[SEG]",), ("<p>", "</p>"), ("</vp>", "[SEG]", "<vp>")])
def test_some_of_the_tokens_in_the_base_already(tmp_path, tiny, has):
    add_to_base(tiny.base, has)
    pad_base(tiny, len(has))
    record = convert(tiny.request(tmp_path / "out"))
    order = dict.fromkeys([*has, *SPECIAL_TOKENS])
    expected = {token: ROWS + number for number, token in enumerate(order)}
    ids = json.loads((tmp_path / "out/config.json").read_text())["token_ids"]
    assert {token: ids[token] for token in expected} == expected
    assert {target["shape"][0] for target in record.values["targets"] if "embed_tokens" in target["name"]} == {ROWS + 5}


@pytest.mark.parametrize("count", [1, 61])
def test_more_rows_than_tokens_are_a_note_and_are_kept(tmp_path, tiny, count):
    edit_rows(tiny, more(count))
    record = convert(tiny.request(tmp_path / "out"))
    (note,) = [note for note in record.values["notes"] if "rows" in note]
    assert (
        f"has {ROWS + 5 + count} rows, {count} more than the tokenizer has ids" in note and f"[SEG] is {ROWS}" in note
    )
    config = json.loads((tmp_path / "out/config.json").read_text())
    assert config["text_config"]["vocab_size"] == ROWS + 5 + count and config["token_ids"]["[SEG]"] == ROWS
    found, expected = exported(tmp_path / "out"), fine_tuned(tiny, base_state(tiny))
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    again = convert(ConversionRequest(tmp_path / "out", tmp_path / "elsewhere/again", dtype="float32"))
    assert again.values["tensors_sha256"] == record.values["tensors_sha256"]


def test_an_export_with_more_rows_loads_whole(tmp_path, tiny):
    edit_rows(tiny, more(61))
    convert(tiny.request(tmp_path / "out"))
    model, report = AutoModel.from_pretrained(tmp_path / "out", trust_remote_code=True, output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert len(model.get_input_embeddings().weight) == 512


@pytest.mark.parametrize("count", [1, 5, 64])
def test_fewer_rows_than_tokens_are_refused_with_both_numbers(tmp_path, tiny, count):
    edit_rows(tiny, lambda tensor: tensor[:-count].clone())
    refused(f"embed_tokens has {ROWS + 5 - count} rows, .* has {ROWS + 5} ids; {count} of them", tiny, tmp_path / "out")


def test_a_head_with_other_rows_than_the_embeddings_is_a_shape_mismatch(tmp_path, tiny):
    def edit(content):
        state = content["state_dict"]
        name = next(name for name in state if "embed_tokens" in name)
        state[name] = more(3)(state[name])

    tiny.edit_checkpoint(edit)
    refused("shape mismatch: language_model.lm_head.weight", tiny, tmp_path / "out")


@pytest.mark.parametrize("count", [5, 66])
def test_rows_of_an_internvl_base_are_none_of_new_tokens(tmp_path, tiny, count):
    """A base that is padded has rows for ids that nobody trained."""
    pad_base(tiny, count)

    def drop(content):
        state = content["state_dict"]
        for name in [name for name in state if "modules_to_save" in name]:
            del state[name]
        content["meta"]["cfg"] = content["meta"]["cfg"].replace("modules_to_save=['embed_tokens', 'lm_head'],", "")

    tiny.edit_checkpoint(drop)
    refused(r"the base internvl_base has no rows for \[SEG\] .*Train with modules_to_save", tiny, tmp_path / "out")


def test_a_sa2va_as_the_base_must_have_the_runs_order(tmp_path, tiny):
    published = publish(tiny, tmp_path)
    other = [SPECIAL_TOKENS[1], SPECIAL_TOKENS[0], *SPECIAL_TOKENS[2:]]
    edit_config(tiny, lambda text: text.replace(written_tokens(SPECIAL_TOKENS), written_tokens([*other, "<box>"])))
    refused("expected consecutive ids in this order", tiny, tmp_path / "out", base=published.folder)
    right = written_tokens(["<box>", *SPECIAL_TOKENS])
    edit_config(tiny, lambda text: text.replace(written_tokens([*other, "<box>"]), right))
    assert convert(tiny.request(tmp_path / "out", base=published.folder)).values["targets"]


def test_an_export_whose_config_has_another_vocabulary_is_refused(tmp_path, tiny):
    published = publish(tiny, tmp_path)
    config = json.loads((published.folder / "config.json").read_text())
    config["llm_config"]["vocab_size"] += 1
    (published.folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(RefusedInput, match="vocab_size 452, its embed_tokens has 451 rows"):
        convert(tiny.request(tmp_path / "out", checkpoint=published.folder, base=None, sam2=None))


def test_a_pretrained_file_with_more_rows_than_the_run_stops(tmp_path, tiny):
    published = publish(tiny, tmp_path)
    edit_rows(tiny, more(13))
    refused(r"does not fit .*embed_tokens.weight \[451, 64\], in the model \[464, 64\]", tiny, tmp_path / "out",
            pretrained=published.file)  # fmt: skip
