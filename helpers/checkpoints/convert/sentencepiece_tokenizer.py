"""A fast tokenizer, `tokenizer.json`, with the ids of a sentencepiece `tokenizer.model` and the tokens added to it.

For the tokenizer of InternLM2, whose folders hold no `tokenizer.json` and whose own class is remote code. It cuts the
text at added tokens and gives each part between them to sentencepiece by itself.

In BPE, sentencepiece merges again and again the neighbours whose joined text is the piece with the highest score, the
left ones where two have it. `tokenizers` takes the pair that comes first in its list. Both give the same pieces where
each piece has a score of its own, or pairs of one score can be put in an order that holds wherever they stand.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, processors

from helpers.checkpoints.read.sentencepiece_model import (
    Algorithm,
    Piece,
    PieceKind,
    SentencePieceModel,
    read_sentencepiece_model,
)
from helpers.checkpoints.read.weight_folder import read_json_object
from helpers.core.errors import RefusedInput

MODEL_FILE = "tokenizer.model"
TOKENIZER_CLASSES = ("InternLM2Tokenizer", "InternLM2TokenizerFast")
FAST_CLASS = "PreTrainedTokenizerFast"
_BLANK = "\u2581"
_OWN_SETTINGS = ("auto_map", "add_bos_token", "add_eos_token", "sp_model_kwargs", "legacy", "use_fast")

Merge = tuple[str, str]

_NO_ORDER = "what is merged first depends on where they stand, and tokenizer.json has one order for all places"


@dataclass(frozen=True)
class SentencePieceTokenizer:
    """A tokenizer made from a `tokenizer.model`.

    Attributes:
        tokenizer: with all added tokens.
        pieces: number of ids that sentencepiece knows; later ones are added tokens.
        notes: what a reader of the record should know.
    """

    tokenizer: Tokenizer
    pieces: int
    notes: tuple[str, ...]


def is_sentencepiece_folder(folder: Path) -> bool:
    """Whether the folder's tokenizer is InternLM2's, with the `tokenizer.model` that it is made from."""
    config = folder / "tokenizer_config.json"
    if not (folder / MODEL_FILE).is_file() or not config.is_file():
        return False
    return read_json_object(config).get("tokenizer_class") in TOKENIZER_CLASSES


def read_sentencepiece_tokenizer(folder: Path) -> SentencePieceTokenizer:
    """The tokenizer of a folder with `tokenizer.model` and `tokenizer_config.json`.

    Raises:
        RefusedInput: for a file that cannot be read, and a setting that `tokenizer.json` cannot follow.
    """
    config = read_json_object(folder / "tokenizer_config.json")
    return build_tokenizer(
        read_sentencepiece_model(folder / MODEL_FILE), config, _added_tokens(folder, config), folder / MODEL_FILE
    )


def fast_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The `tokenizer_config.json` beside the `tokenizer.json`: without what only the remote class reads."""
    kept = {name: value for name, value in config.items() if name not in _OWN_SETTINGS}
    return {**kept, "tokenizer_class": FAST_CLASS}


def build_tokenizer(
    model: SentencePieceModel, config: Mapping[str, Any], added: Mapping[int, AddedToken], origin: Path
) -> SentencePieceTokenizer:
    """The fast tokenizer of a sentencepiece model.

    Args:
        config: `tokenizer_config.json`, parsed; says whether `<s>` and `</s>` are put around a text.
        added: added tokens by id. One with the id of a piece takes its place, as chat tokens take unused ones.
        origin: the file, for messages.
    Raises:
        RefusedInput: for what `tokenizer.json` cannot follow, and ids that leave gaps.
    """
    _require_understood(model, origin)
    user_defined = _user_defined(model, added, origin)
    vocabulary = _vocabulary(model, added, origin)
    merges, unreached = ordered_merges(model.pieces, origin)
    _require_placeholders(model, added, {first + second for first, second in merges}, origin)
    unknown = next(piece.text for piece in model.pieces if piece.kind is PieceKind.UNKNOWN)
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token=unknown, fuse_unk=True, byte_fallback=True))
    _set_whitespace(tokenizer, model)
    for number, token in sorted({**user_defined, **added}.items()):
        tokenizer.add_tokens([token])
        if tokenizer.token_to_id(token.content) != number:
            raise RefusedInput(
                f"{origin}: the added token {token.content!r} has the id {number}, expected "
                f"{tokenizer.token_to_id(token.content)}, the next one: the added tokens leave a gap or are there twice"
            )
    _set_ends(tokenizer, config, origin)
    _run_self_tests(tokenizer, model, origin)
    notes: tuple[str, ...] = ()
    if unreached:
        notes = (
            f"{origin.name}: {len(unreached)} pieces hold a character that has no piece of its own, for example "
            f"{unreached[0]!r}; text with them gets ids of bytes here, in sentencepiece those of the pieces",
        )
    return SentencePieceTokenizer(tokenizer, len(model.pieces), notes)


def _require_understood(model: SentencePieceModel, origin: Path) -> None:
    """Stop at what `tokenizer.json` cannot say, or what is not known to be the same there."""
    problems = []
    if model.algorithm is not Algorithm.BPE:
        problems.append(f"its algorithm is {model.algorithm.name}, expected BPE")
    if not model.byte_fallback:
        problems.append("it has no byte fallback, which InternLM2 has")
    if model.suffix_whitespace:
        problems.append("a blank belongs to the word before it (treat_whitespace_as_suffix)")
    if not model.escape_whitespaces:
        problems.append("blanks stay blanks (escape_whitespaces is false)")
    if model.charsmap:
        problems.append(f"it replaces characters by a table of {len(model.charsmap)} bytes (precompiled_charsmap)")
    kinds = {kind: [piece.text for piece in model.pieces if piece.kind is kind] for kind in PieceKind}
    if len(kinds[PieceKind.UNKNOWN]) != 1:
        problems.append(f"it has {len(kinds[PieceKind.UNKNOWN])} unknown pieces, expected one")
    if kinds[PieceKind.UNUSED]:
        problems.append(f"pieces are unused, such as {kinds[PieceKind.UNUSED][0]!r}")
    if sorted(kinds[PieceKind.BYTE]) != [f"<0x{value:02X}>" for value in range(256)]:
        problems.append("its bytes are not the 256 pieces <0x00> to <0xFF>")
    alone = [piece.text for piece in model.pieces if _stands_for_no_text(piece) and len(piece.text) == 1]
    if alone:
        problems.append(f"a piece that stands for no text is one character, {alone[0]!r}")
    if problems:
        raise RefusedInput(
            f"{origin}: {'; '.join(problems)}. A tokenizer.json with the same ids cannot be written; use the "
            f"{MODEL_FILE} that came with the base, unchanged"
        )


def _stands_for_no_text(piece: Piece) -> bool:
    return piece.kind in (PieceKind.UNKNOWN, PieceKind.CONTROL)


def _user_defined(model: SentencePieceModel, added: Mapping[int, AddedToken], origin: Path) -> dict[int, AddedToken]:
    """The pieces that sentencepiece takes whole wherever they stand, by id, as tokens of no special meaning."""
    found = {
        number: AddedToken(piece.text, normalized=False, special=False)
        for number, piece in enumerate(model.pieces)
        if piece.kind is PieceKind.USER_DEFINED and number not in added
    }
    blank = [token.content for token in found.values() if _BLANK in token.content or " " in token.content]
    cuts = model.add_dummy_prefix or model.remove_extra_whitespaces
    if blank or (found and cuts):
        raise RefusedInput(
            f"{origin}: it has user-defined pieces ({(blank or [next(iter(found.values())).content])[0]!r}) and treats "
            "blanks around them, which tokenizer.json would do otherwise"
        )
    return found


def _vocabulary(model: SentencePieceModel, added: Mapping[int, AddedToken], origin: Path) -> dict[str, int]:
    """Ids by text: the pieces, but for those whose place an added token takes."""
    texts = [added[number].content if number in added else piece.text for number, piece in enumerate(model.pieces)]
    vocabulary = {text: number for number, text in enumerate(texts)}
    if len(vocabulary) < len(texts):
        twice = next(text for number, text in enumerate(texts) if vocabulary[text] != number)
        raise RefusedInput(f"{origin}: {twice!r} has two ids, as a piece or as an added token; the files do not agree")
    return vocabulary


def _require_placeholders(
    model: SentencePieceModel, added: Mapping[int, AddedToken], reached: set[str], origin: Path
) -> None:
    """Stop where an added token takes the place of a piece that a text can have."""
    for number, token in added.items():
        piece = model.pieces[number] if number < len(model.pieces) else None
        if piece is None or piece.text == token.content or piece.kind in (PieceKind.CONTROL, PieceKind.USER_DEFINED):
            continue
        if piece.kind is not PieceKind.NORMAL or len(piece.text) == 1 or piece.text in reached:
            raise RefusedInput(
                f"{origin}: the added token {token.content!r} has the id {number}, which is the piece {piece.text!r}; "
                "the tokenizer files are of different models"
            )


def _set_whitespace(tokenizer: Tokenizer, model: SentencePieceModel) -> None:
    """What is done with blanks before a text is cut, and undone when it is put together."""
    steps: list[Any] = []
    if model.remove_extra_whitespaces:
        steps += [normalizers.Replace(Regex(r"\A +| +\z"), ""), normalizers.Replace(Regex(" {2,}"), " ")]
    if model.add_dummy_prefix:
        steps.append(normalizers.Prepend(_BLANK))
    tokenizer.normalizer = normalizers.Sequence([*steps, normalizers.Replace(" ", _BLANK)])
    back: list[Any] = [decoders.Replace(_BLANK, " "), decoders.ByteFallback(), decoders.Fuse()]
    if model.add_dummy_prefix:
        back.append(decoders.Strip(" ", 1, 0))
    tokenizer.decoder = decoders.Sequence(back)


def _set_ends(tokenizer: Tokenizer, config: Mapping[str, Any], origin: Path) -> None:
    """Put the begin and end tokens around a text, where the tokenizer's config says so; InternLM2 begins by default."""
    ends: list[list[str]] = []
    for setting, name, default in (("add_bos_token", "bos_token", True), ("add_eos_token", "eos_token", False)):
        asked = config.get(setting, default)
        token = _content(config.get(name))
        if not isinstance(asked, bool) or (asked and (token is None or tokenizer.token_to_id(token) is None)):
            raise RefusedInput(f"{origin.parent}: {setting} is {asked!r} and {name} {token!r}; expected a known token")
        ends.append([token] if asked and token is not None else [])
    begin, end = ends
    tokenizer.post_processor = processors.TemplateProcessing(
        single=[*begin, "$A", *end],
        pair=[*begin, "$A", "$B", *end],
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in dict.fromkeys([*begin, *end])],
    )


def _run_self_tests(tokenizer: Tokenizer, model: SentencePieceModel, origin: Path) -> None:
    for test in model.self_tests:
        pieces = " ".join(tokenizer.encode(test.text, add_special_tokens=False).tokens)
        if pieces != test.pieces:
            raise RefusedInput(
                f"{origin}: it says that {test.text!r} has the pieces {test.pieces!r}, and the tokenizer made of it "
                f"gives {pieces!r}"
            )


def _added_tokens(folder: Path, config: Mapping[str, Any]) -> dict[int, AddedToken]:
    """Added tokens by id, from the tokenizer's config and from `added_tokens.json`, which must agree.

    Raises:
        RefusedInput: where they do not, or an entry is not understood.
    """
    found: dict[int, AddedToken] = {}
    for number, entry in dict(config.get("added_tokens_decoder") or {}).items():
        flags = {name: entry.get(name, False) for name in ("lstrip", "rstrip", "single_word", "special")}
        if not str(number).isdigit() or not _content(entry) or not all(isinstance(one, bool) for one in flags.values()):
            raise RefusedInput(f"{folder}: added_tokens_decoder: {number}: {entry!r} is not understood")
        # Always cut out of the text as it stands, as the slow tokenizer does.
        found[int(number)] = AddedToken(entry["content"], normalized=False, **flags)
    names = {token.content: number for number, token in found.items()}
    beside = folder / "added_tokens.json"
    listed: Mapping[str, Any] = read_json_object(beside) if beside.is_file() else {}
    special = _special_contents(folder, config)
    for text, number in listed.items():
        if names.get(text, number) != number or (number in found and text not in names):
            raise RefusedInput(
                f"{folder}: added_tokens.json gives {text!r} the id {number}, tokenizer_config.json otherwise; the two "
                "are of different exports. Copy or download the folder again"
            )
        if text not in names:
            found[number] = AddedToken(text, normalized=False, special=text in special)
    return found


def _special_contents(folder: Path, config: Mapping[str, Any]) -> set[str]:
    """Texts of the tokens that the tokenizer's config, or `special_tokens_map.json`, calls special."""
    beside = folder / "special_tokens_map.json"
    named = [config, read_json_object(beside) if beside.is_file() else {}]
    values = [one.get(name) for one in named for name in ("bos_token", "eos_token", "unk_token", "pad_token")]
    values += [token for one in named for token in one.get("additional_special_tokens") or ()]
    return {text for value in values if (text := _content(value)) is not None}


def _content(token: Any) -> str | None:
    """The text of a token written as text or as an object; None for anything else."""
    text = token.get("content") if isinstance(token, Mapping) else token
    return text if isinstance(text, str) and text else None


def ordered_merges(pieces: Iterable[Piece], origin: Path) -> tuple[list[Merge], list[str]]:
    """Pairs of pieces in the order of merging.

    Args:
        pieces: by id; normal ones alone are merged.
        origin: the file, for messages.
    Returns:
        The pairs, and the pieces that sentencepiece would make of characters without a piece of their own, which
        `tokenizers` spells in bytes before it merges.
    Raises:
        RefusedInput: where several pieces have one score, so that no list orders their pairs.
    """
    normal = [piece for piece in pieces if piece.kind is PieceKind.NORMAL]
    known = {piece.text for piece in normal}
    unreached: list[str] = []
    by_score: dict[float, list[Merge]] = {}
    for piece in normal:
        splits = [(piece.text[:cut], piece.text[cut:]) for cut in range(1, len(piece.text))]
        # A part of one character may be merged without having a piece.
        made = [split for split in splits if all(part in known or len(part) == 1 for part in split)]
        listed = [split for split in made if known.issuperset(split)]
        if len(listed) < len(made):
            unreached.append(piece.text)
        by_score.setdefault(piece.score, []).extend(listed)
    _require_fixed_order(by_score, {piece.text: piece.score for piece in normal}, origin)
    ordered = [_left_first(by_score[score], origin) for score in sorted(by_score, reverse=True)]
    return list(itertools.chain.from_iterable(ordered)), unreached


def _require_fixed_order(by_score: Mapping[float, list[Merge]], scores: Mapping[str, float], origin: Path) -> None:
    """Stop where one of several pieces with one score goes on to a piece that is not after them: places decide then."""
    tied = {score for score, merges in by_score.items() if len({first + second for first, second in merges}) > 1}
    for score, merges in by_score.items():
        for merge in merges:
            for part in merge:
                if len(part) > 1 and scores[part] in tied and score >= scores[part]:
                    raise RefusedInput(
                        f"{origin}: {part!r} has the score {scores[part]} of other pieces too, and {''.join(merge)!r}, "
                        f"which it is merged into, no lower one; {_NO_ORDER}"
                    )


def _left_first(tied: list[Merge], origin: Path) -> list[Merge]:
    """Pairs of one score, ordered so that of two that overlap in a text, `x y z`, the left one comes first."""
    if len(tied) < 2:
        return tied
    by_left: dict[str, list[Merge]] = {}
    for merge in tied:
        by_left.setdefault(merge[0], []).append(merge)
    before: dict[Merge, list[Merge]] = {merge: [] for merge in tied}
    for merge in tied:
        for later in by_left.get(merge[1], ()):
            if later != merge and (not _is_run(merge, later) or len(merge[0]) > len(merge[1])):
                before[later].append(merge)
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError as error:
        pairs = " and ".join(" + ".join(map(repr, pair)) for pair in error.args[1][:2])
        raise RefusedInput(f"{origin}: the pairs {pairs} have one score; {_NO_ORDER}") from error


def _is_run(merge: Merge, later: Merge) -> bool:
    """Whether both pairs cut one run, as `aa a` and `a aa` do. Paired from the left, a run ends in its shorter part."""
    return later == (merge[1], merge[0]) and merge[0] + merge[1] == later[0] + later[1]
