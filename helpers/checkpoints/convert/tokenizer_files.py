"""The tokenizer files of an export: the base's, with Sa2VA's special tokens added in order; and its chat template.

The files are written for both major versions of transformers: `tokenizer.json`, which both read, and the vocabulary,
merges and added-token files that version 4 needs for its slow tokenizer and version 5 no longer writes. The slow
tokenizer of InternLM2 is remote code: a `tokenizer.json` is made of its `tokenizer.model`, and stands alone.
"""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from transformers import AutoTokenizer

from helpers.checkpoints.convert.families import FAMILIES, FamilyFacts
from helpers.checkpoints.convert.sentencepiece_tokenizer import (
    FAST_CLASS,
    MODEL_FILE,
    TOKENIZER_CLASSES,
    SentencePieceTokenizer,
    fast_config,
    is_sentencepiece_folder,
    read_sentencepiece_tokenizer,
)
from helpers.checkpoints.read.weight_folder import read_json_object
from helpers.core.errors import RefusedInput
from helpers.model.configuration_sa2va import Family

_COPIED = (
    "vocab.json",
    "merges.txt",
    MODEL_FILE,
    "special_tokens_map.json",
    "chat_template.jinja",
    "chat_template.json",
    "tokenizer.json",
    "added_tokens.json",
    "tokenizer_config.json",
)
_UNREADABLE = (OSError, ValueError, TypeError, KeyError, AttributeError)

_CHAT_TEMPLATE = "chat_template.json"


@dataclass(frozen=True)
class TokenizerFacts:
    """What the rest of a conversion needs to know of a tokenizer.

    Attributes:
        length: one more than the largest id; the embeddings must have at least as many rows.
        ids: id of every token that the forward path looks for.
        added: the special tokens that the base did not have.
        eos, pad: ids, None where the tokenizer has none.
        pieces: number of ids that sentencepiece knows, where the tokenizer was made from its file.
        notes: what a reader of the record should know.
        instruction: the chat template's text around one user turn, with `{input}`; None where it was not asked for.
    """

    length: int
    ids: Mapping[str, int]
    added: tuple[str, ...]
    eos: int | None
    pad: int | None
    pieces: int | None = None
    notes: tuple[str, ...] = ()
    instruction: str | None = None


def write_tokenizer(
    source: Path, target: Path, special_tokens: Sequence[str], family: FamilyFacts = FAMILIES[Family.INTERNVL]
) -> TokenizerFacts:
    """Write `source`'s tokenizer with `special_tokens` to the folder `target`.

    Args:
        source: a folder with tokenizer files; any code beside them is left alone.
        target: an existing folder.
        special_tokens: those that the source lacks are added in this order; those that it has keep their ids.
    Raises:
        RefusedInput: where the source has no tokenizer files, lacks the family's picture tokens or chat template, or
            states ids that its added tokens do not get.
    """
    present = [path.name for path in tokenizer_files(source)]
    if not has_tokenizer(source):
        raise RefusedInput(
            f"{source}: expected tokenizer files (tokenizer.json, or vocab.json and merges.txt), found "
            f"{present or 'none'}; --base must name the {family.title} folder the run started from"
        )
    for name in present:
        if name.endswith(".json"):
            read_json_object(source / name)
    _require_reader(source, present)
    with tempfile.TemporaryDirectory() as folder:
        # Without config.json, so that no code named there is looked for.
        staging = Path(folder)
        for name in present:
            shutil.copyfile(source / name, staging / name)
        try:
            made = read_sentencepiece_tokenizer(source) if is_sentencepiece_folder(source) else None
            if made is not None:
                _replace_sentencepiece(staging, made)
            _drop_remote_code(staging / "tokenizer_config.json")
            tokenizer = AutoTokenizer.from_pretrained(staging, local_files_only=True, trust_remote_code=False)
        except Exception as error:
            # The tokenizers library raises the plain class, as for merges of pieces that the vocabulary lacks.
            if type(error) is not Exception and not isinstance(error, _UNREADABLE):
                raise
            raise RefusedInput(
                f"{source}: its tokenizer files {present} cannot be read ({type(error).__name__}: {error}); copy or "
                "download them again"
            ) from error
        known = tokenizer.get_vocab()
        missing = [token for token in family.picture_tokens if token not in known]
        if missing:
            raise RefusedInput(f"{source}: the tokenizer lacks {missing}; expected that of a model of {family.title}")
        _require_stated_ids(source, staging, known)
        instruction = user_turn(source, tokenizer, family) if family.asks_chat_template else None
        for path in tokenizer_files(staging):
            shutil.copyfile(path, target / path.name)
    added = tuple(token for token in special_tokens if token not in known)
    tokenizer.add_tokens(list(added), special_tokens=True)
    vocabulary = tokenizer.get_vocab()
    # Not by its own `save`, whose errors of the disk are of no kind that can be told from others.
    (target / "tokenizer.json").write_text(tokenizer.backend_tokenizer.to_str(pretty=True), encoding="utf-8")
    _write_slow_files(target)
    ids = {token: vocabulary[token] for token in (*special_tokens, *family.picture_tokens)}
    length = max(len(tokenizer), max(vocabulary.values()) + 1)  # ids may leave gaps
    facts = TokenizerFacts(length, ids, added, tokenizer.eos_token_id, tokenizer.pad_token_id, instruction=instruction)
    return facts if made is None else replace(facts, pieces=made.pieces, notes=made.notes)


def tokenizer_files(folder: Path) -> tuple[Path, ...]:
    """The tokenizer files of a folder, as far as they are there."""
    return tuple(folder / name for name in _COPIED if (folder / name).is_file())


def has_tokenizer(folder: Path) -> bool:
    """Whether a folder holds enough files to make a tokenizer."""
    names = {path.name for path in tokenizer_files(folder)}
    return bool(names & {"tokenizer.json", MODEL_FILE}) or {"vocab.json", "merges.txt"} <= names


def _require_reader(source: Path, present: Sequence[str]) -> None:
    """Refuse a sentencepiece file alone that is not InternLM2's, or does not say so."""
    if MODEL_FILE not in present or {"tokenizer.json", "vocab.json"} & set(present) or is_sentencepiece_folder(source):
        return
    config = source / "tokenizer_config.json"
    got = repr(read_json_object(config).get("tokenizer_class")) if config.is_file() else f"no {config.name}"
    raise RefusedInput(
        f"{source}: holds {MODEL_FILE} without tokenizer.json; it is read where tokenizer_config.json beside it names "
        f"the class {' or '.join(TOKENIZER_CLASSES)} and the added tokens, got {got}. Copy tokenizer_config.json, or "
        "tokenizer.json where there is one, from the folder that the run started from"
    )


def _require_stated_ids(source: Path, folder: Path, ids: Mapping[str, int]) -> None:
    """Refuse added tokens whose id is another once they are loaded: they would get the embedding of another token.

    The tokenizers library passes stated ids over and counts from the end of the vocabulary, which is the same only
    where no token is missing in between.
    """
    for name, stated in _stated_ids(folder):
        for token, number in stated.items():
            if ids.get(token) != number:
                raise RefusedInput(
                    f"{source / name}: states the id {number} for {token!r}, which is loaded as {ids.get(token)}: "
                    "added tokens are missing, or the files contradict each other. Take the tokenizer files of the "
                    "base that the run started from, as they were"
                )


def _stated_ids(folder: Path) -> Iterator[tuple[str, dict[str, int]]]:
    """Files of a folder that state ids of added tokens, with these."""
    read = {
        path.name: json.loads(path.read_text(encoding="utf-8"))
        for path in tokenizer_files(folder)
        if path.suffix == ".json"
    }
    yield (
        "tokenizer.json",
        {one["content"]: one["id"] for one in read.get("tokenizer.json", {}).get("added_tokens", ())},
    )
    yield "added_tokens.json", read.get("added_tokens.json", {})
    decoder = read.get("tokenizer_config.json", {}).get("added_tokens_decoder", {})
    yield "tokenizer_config.json", {one["content"]: int(number) for number, one in decoder.items()}


def _replace_sentencepiece(folder: Path, made: SentencePieceTokenizer) -> None:
    """Put the fast tokenizer in the place of a folder's sentencepiece file."""
    config = folder / "tokenizer_config.json"
    (folder / "tokenizer.json").write_text(made.tokenizer.to_str(), encoding="utf-8")
    _write_json(config, fast_config(json.loads(config.read_text(encoding="utf-8"))))
    (folder / MODEL_FILE).unlink()


def _drop_remote_code(config: Path) -> None:
    if config.is_file():
        values = json.loads(config.read_text(encoding="utf-8"))
        values.pop("auto_map", None)
        config.write_text(json.dumps(values), encoding="utf-8")


def _write_slow_files(target: Path) -> None:
    """Bring the files beside `tokenizer.json` up to date with it.

    The vocabulary and merges of the slow tokenizer, where its class has one, are cut out of it where the base had none.
    """
    fast = json.loads((target / "tokenizer.json").read_text(encoding="utf-8"))
    model = fast["model"]
    config_file = target / "tokenizer_config.json"
    config = json.loads(config_file.read_text(encoding="utf-8")) if config_file.is_file() else {}
    alone = config.get("tokenizer_class") == FAST_CLASS
    if model.get("type") == "BPE" and not alone and not (target / MODEL_FILE).is_file():
        if not (target / "vocab.json").is_file():
            _write_json(target / "vocab.json", model["vocab"])
        if not (target / "merges.txt").is_file():
            merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
            (target / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8")
    tokens = {
        str(token["id"]): {name: value for name, value in token.items() if name != "id"}
        for token in fast["added_tokens"]
    }
    extra = {token["content"]: int(index) for index, token in tokens.items() if int(index) >= len(model["vocab"])}
    if extra:
        _write_json(target / "added_tokens.json", extra)
    config["added_tokens_decoder"] = tokens
    _write_json(config_file, config)


def _write_json(path: Path, value) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def user_turn(source: Path, tokenizer: Any, family: FamilyFacts) -> str:
    """What the chat template of a folder puts around one user turn: a text with `{input}` where the words stand.

    The template is rendered in the sandbox of transformers.

    Raises:
        RefusedInput: where the folder has no template, or one that writes words or pictures otherwise than expected.
    """
    template = tokenizer.chat_template
    beside = source / _CHAT_TEMPLATE
    if template is None and beside.is_file():
        template = read_json_object(beside).get("chat_template")
    if not isinstance(template, str):
        raise RefusedInput(
            f"{source}: holds no chat template, of which prompts are made; copy {_CHAT_TEMPLATE}, chat_template.jinja "
            f"or tokenizer_config.json of the {family.title} folder that training started from into it"
        )

    def rendered(*content: dict[str, str]) -> str:
        turns = [{"role": "user", "content": list(content)}]
        return tokenizer.apply_chat_template(turns, chat_template=template, add_generation_prompt=True, tokenize=False)

    words: dict[str, str] = {"type": "text", "text": "{input}"}
    try:
        turn, with_picture = rendered(words), rendered({"type": "image"}, words)
    except (TemplateError, TypeError, ValueError, OverflowError) as error:
        raise RefusedInput(
            f"{source}: its chat template cannot be rendered ({type(error).__name__}: {error}); copy or "
            "download it again"
        ) from error
    start, end, picture = family.picture_tokens
    if turn.count("{input}") != 1 or with_picture != turn.replace("{input}", f"{start}{picture}{end}{{input}}"):
        raise RefusedInput(
            f"{source}: its chat template writes a picture and a text as {with_picture!r}, expected the turn "
            f"{turn!r} with {start}{picture}{end} before the words; take the template of the published {family.title}"
        )
    return turn
