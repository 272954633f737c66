"""The tokenizer files of an export: ids, the files of both versions of transformers, and no code of another's."""

import json
import shutil

import pytest
from tokenizers import Tokenizer

from helpers.checkpoints.convert import tokenizer_files as tokenizer_files_module
from helpers.checkpoints.convert.tokenizer_files import has_tokenizer, tokenizer_files, write_tokenizer
from helpers.core.errors import RefusedInput
from tests.support.tiny_sources import fixture_sources

TOKENS = ("[SEG]", "<p>")
FIRST = 446  # the id after the base's last
IMAGE = ("<img>", "</img>", "<IMG_CONTEXT>")


@pytest.fixture
def base(tmp_path):
    folder = tmp_path / "base"
    shutil.copytree(fixture_sources().base, folder, ignore=shutil.ignore_patterns("*.safetensors", "config.json"))
    return folder


@pytest.fixture
def target(tmp_path):
    (tmp_path / "target").mkdir()
    return tmp_path / "target"


def read(folder, name):
    return json.loads((folder / name).read_text(encoding="utf-8"))


def edit(folder, name, change):
    values = read(folder, name)
    change(values)
    (folder / name).write_text(json.dumps(values))


def test_facts_of_a_tokenizer(base, target):
    facts = write_tokenizer(base, target, TOKENS)
    assert (facts.length, facts.added, facts.pieces, facts.notes) == (FIRST + 2, TOKENS, None, ())
    added = read(base, "added_tokens.json")
    assert facts.ids == {"[SEG]": FIRST, "<p>": FIRST + 1, **{token: added[token] for token in IMAGE}}
    assert (facts.eos, facts.pad) == (added["<|im_end|>"], added["<|endoftext|>"])
    again = write_tokenizer(base, target, ("[SEG]", "<img>"))
    assert again.added == ("[SEG]",) and again.ids["<img>"] == added["<img>"]


def test_every_file_of_the_base_is_written_and_brought_up_to_date(base, target):
    (base / "chat_template.jinja").write_text("{{ messages }}")
    (base / "tokenization_own.py").write_text("raise SystemExit")
    edit(base, "tokenizer_config.json", lambda values: values.update(auto_map={"AutoTokenizer": ["own.Own", None]}))
    write_tokenizer(base, target, TOKENS)
    assert sorted(path.name for path in target.iterdir()) == [
        "added_tokens.json", "chat_template.jinja", "merges.txt", "special_tokens_map.json", "tokenizer.json",
        "tokenizer_config.json", "vocab.json",
    ]  # fmt: skip
    for name in ("vocab.json", "merges.txt", "special_tokens_map.json", "chat_template.jinja"):
        assert (target / name).read_bytes() == (base / name).read_bytes()
    assert read(target, "added_tokens.json") == read(base, "added_tokens.json") | {"[SEG]": FIRST, "<p>": FIRST + 1}
    config = read(target, "tokenizer_config.json")
    assert "auto_map" not in config and config["added_tokens_decoder"][str(FIRST)] == {
        "content": "[SEG]", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
        "special": True,
    }  # fmt: skip
    assert Tokenizer.from_file(str(target / "tokenizer.json")).token_to_id("[SEG]") == FIRST
    assert (target / "tokenizer.json").read_text().startswith('{\n  "version"')


def test_slow_files_are_cut_out_of_a_fast_tokenizer_alone(base, target, tmp_path):
    write_tokenizer(base, target, ())
    alone = tmp_path / "alone"
    alone.mkdir()
    (tmp_path / "out").mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(target / name, alone)
    facts = write_tokenizer(alone, tmp_path / "out", TOKENS)
    assert facts.ids["[SEG]"] == FIRST
    assert read(tmp_path / "out", "vocab.json") == read(base, "vocab.json")
    lines = (base / "merges.txt").read_text(encoding="utf-8").splitlines()
    found = (tmp_path / "out/merges.txt").read_text(encoding="utf-8").splitlines()
    assert found[0] == "#version: 0.2" and found[1:] == [line for line in lines if not line.startswith("#version")]
    (alone / "tokenizer_config.json").unlink()
    write_tokenizer(alone, tmp_path / "out", TOKENS)
    assert str(FIRST) in read(tmp_path / "out", "tokenizer_config.json")["added_tokens_decoder"]


def test_ids_may_leave_gaps(base, target):
    """The embeddings need a row for the largest id, however few tokens there are."""
    edit(base, "vocab.json", lambda values: values.update(far=FIRST + 9))

    def one_later(values):
        tokens = values["added_tokens_decoder"]
        values["added_tokens_decoder"] = {str(int(number) + 1): token for number, token in tokens.items()}

    edit(base, "tokenizer_config.json", one_later)
    edit(base, "added_tokens.json", lambda values: values.update({token: one + 1 for token, one in values.items()}))
    assert write_tokenizer(base, target, ()).length == FIRST + 10


@pytest.mark.parametrize(
    ("names", "enough"),
    [
        (("tokenizer.json",), True),
        (("tokenizer.model",), True),
        (("vocab.json", "merges.txt"), True),
        (("vocab.json",), False),
        (("merges.txt", "tokenizer_config.json"), False),
        ((), False),
    ],
)
def test_which_files_make_a_tokenizer(tmp_path, names, enough):
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "model.safetensors").touch()
    assert has_tokenizer(tmp_path) is enough
    assert sorted(path.name for path in tokenizer_files(tmp_path)) == sorted(names)


def test_a_folder_without_a_tokenizer_is_refused_with_what_it_has(base, target):
    (base / "merges.txt").unlink()
    said = r"base: expected tokenizer files .*found \['vocab.json', .*'tokenizer_config.json'\]; --base must name"
    with pytest.raises(RefusedInput, match=said):
        write_tokenizer(base, target, TOKENS)
    for path in base.iterdir():
        path.unlink()
    with pytest.raises(RefusedInput, match="found none; --base must name"):
        write_tokenizer(base, target, TOKENS)


def test_a_tokenizer_without_image_tokens_is_refused(base, target):
    def drop(values):
        values["added_tokens_decoder"] = {
            number: token for number, token in values["added_tokens_decoder"].items() if token["content"] != "</img>"
        }

    edit(base, "tokenizer_config.json", drop)
    edit(base, "added_tokens.json", lambda values: values.pop("</img>"))
    edit(base, "special_tokens_map.json", lambda values: values.pop("additional_special_tokens", None))
    edit(base, "tokenizer_config.json", lambda values: values.pop("additional_special_tokens", None))
    with pytest.raises(
        RefusedInput, match=r"base: the tokenizer lacks \['</img>'\]; expected that of a model of InternVL"
    ):
        write_tokenizer(base, target, TOKENS)


def test_files_that_cannot_be_read_are_refused_by_name(base, target):
    (base / "vocab.json").write_text('{"a": 0}')
    with pytest.raises(RefusedInput, match=r"base: its tokenizer files \[.*'vocab.json'.*\] cannot be read \("):
        write_tokenizer(base, target, TOKENS)
    (base / "special_tokens_map.json").write_text("[")
    with pytest.raises(RefusedInput, match="special_tokens_map.json cannot be read as JSON"):
        write_tokenizer(base, target, TOKENS)


def test_a_vocabulary_that_the_base_has_is_left_as_it_is(base, target):
    (base / "vocab.json").write_text(json.dumps(read(base, "vocab.json"), indent=7))
    write_tokenizer(base, target, ())
    assert (target / "vocab.json").read_bytes() == (base / "vocab.json").read_bytes()


def test_an_added_token_keeps_the_id_that_its_file_states_or_is_refused(base, target):
    write_tokenizer(base, base, ())
    for name in ("added_tokens.json", "tokenizer_config.json"):
        (base / name).unlink()
    write_tokenizer(base, target, TOKENS)
    edit(base, "tokenizer.json", lambda values: values["added_tokens"].pop(0))
    with pytest.raises(RefusedInput, match=r"tokenizer\.json: states the id \d+ for .*, which is loaded as \d+"):
        write_tokenizer(base, target, TOKENS)


@pytest.mark.parametrize("name", ["added_tokens.json", "tokenizer_config.json"])
def test_files_that_state_other_ids_are_refused(base, target, name):
    def one_more(values):
        if name == "added_tokens.json":
            values["<img>"] += 1
        else:
            entries = values["added_tokens_decoder"]
            number, entry = next((number, one) for number, one in entries.items() if one["content"] == "<img>")
            entries[str(FIRST + 7)] = entries.pop(number) | entry

    edit(base, name, one_more)
    if name == "tokenizer_config.json":
        (base / "added_tokens.json").unlink()
    with pytest.raises(RefusedInput, match=rf"base/{name}: states the id \d+ for '</?img>'"):
        write_tokenizer(base, target, TOKENS)


def test_the_files_of_a_tokenizer(tmp_path):
    names = ("vocab.json", "merges.txt", "tokenizer.model", "special_tokens_map.json", "chat_template.jinja",
             "chat_template.json", "tokenizer.json", "added_tokens.json", "tokenizer_config.json")  # fmt: skip
    for name in (*names, "config.json", "tokenization_own.py"):
        (tmp_path / name).touch()
    assert [path.name for path in tokenizer_files(tmp_path)] == list(names)


def test_words_are_written_as_they_are(base, target):
    write_tokenizer(base, target, ("[SEG]", "Gefäß"))
    for name in ("added_tokens.json", "tokenizer_config.json"):
        text = (target / name).read_text("utf-8")
        assert '"Gefäß"' in text and text.startswith('{\n  "') and text.endswith("}\n")


@pytest.mark.parametrize(
    ("error", "told"),
    [(ValueError, True), (OSError, True), (KeyError, True), (Exception, True), (ZeroDivisionError, False)],
)
def test_what_the_library_says_of_files_is_told_and_a_fault_of_its_own_is_not(base, target, monkeypatch, error, told):
    asked = {}

    def failing(folder, **settings):
        asked.update(settings)
        raise error("why")

    monkeypatch.setattr(tokenizer_files_module.AutoTokenizer, "from_pretrained", failing)
    with pytest.raises(RefusedInput if told else error, match="why"):
        write_tokenizer(base, target, TOKENS)
    assert asked == {"local_files_only": True, "trust_remote_code": False} and not list(target.iterdir())
