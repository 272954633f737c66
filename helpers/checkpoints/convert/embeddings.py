"""Rows of the embeddings against the ids of the tokenizer, and whether the output head shares them."""

from collections.abc import Mapping
from typing import Any

from helpers.checkpoints.convert.common_names import internlm2_module, is_internlm2
from helpers.checkpoints.convert.families import facts_of, language_config
from helpers.checkpoints.convert.key_map import canonical_name
from helpers.checkpoints.convert.plan import EMBEDDINGS, LM_HEAD, SourceRole
from helpers.checkpoints.convert.request import Sources
from helpers.checkpoints.convert.tokenizer_files import TokenizerFacts
from helpers.checkpoints.convert.weights import Weights
from helpers.checkpoints.read.adapters import AdapterPart
from helpers.checkpoints.read.weight_source import CheckpointKind
from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted

Stored = tuple[SourceRole, str]
# Tokens of InternVL's own tokenizers, which a run may name among its special tokens without adding them.
_OF_INTERNVL = ("<img>", "</img>", "<IMG_CONTEXT>", "<quad>", "</quad>", "<ref>", "</ref>", "<box>", "</box>")


def require_embeddings(
    sources: Sources, stored: Mapping[str, Stored], tokenizer: TokenizerFacts
) -> tuple[int, list[str]]:
    """Stop where a token of the tokenizer has no trained row.

    Args:
        stored: role and stored name of the embeddings that count.
    Returns:
        Rows of the embeddings, and notes for the record.
    Raises:
        RefusedInput: where rows are missing, or a folder's config and tokenizer disagree.
    """
    _require_config_ids(sources, tokenizer)
    _require_order(sources, tokenizer)
    if EMBEDDINGS not in stored:
        return tokenizer.length, []
    role, name = stored[EMBEDDINGS]
    source = sources.opened[role]
    rows = source.tensors[name].shape[0]
    checkpoint = sources.opened[SourceRole.CHECKPOINT]
    if role is SourceRole.BASE and tokenizer.added and (source.kind.is_base or rows < tokenizer.length):
        raise RefusedInput(
            f"{checkpoint.path.name} holds no {saved_names(sources)[0]}, and the base {source.path.name} has no rows "
            f"for {' '.join(tokenizer.added)}; the embedding of [SEG] is nowhere. {_where_to_get_it(sources)}"
        )
    if rows < tokenizer.length:
        raise RefusedInput(
            f"{source.path.name}: embed_tokens has {counted(rows, 'row')}, and the tokenizer of "
            f"{sources.tokenizer_folder.name} with {' '.join(sources.special_tokens)} has "
            f"{counted(tokenizer.length, 'id')}; {tokenizer.length - rows} of them have no row. That tokenizer is not "
            "the one the run used: pass as --base the folder that the run started from"
        )
    config: Mapping[str, Any] = source.config or {}
    vocabulary = language_config(config).get("vocab_size")
    if source.kind is CheckpointKind.HF_EXPORT and vocabulary not in (None, rows):
        raise RefusedInput(
            f"{source.path.name}: its config.json says vocab_size {vocabulary}, its embed_tokens has "
            f"{counted(rows, 'row')}; the two are of different exports. Copy or download the folder again"
        )
    if rows == tokenizer.length:
        return rows, []
    if source.kind is CheckpointKind.MMENGINE and facts_of(sources.official).rows_are_ids:
        raise RefusedInput(
            f"{source.path.name}: embed_tokens has {counted(rows, 'row')}, and the tokenizer of "
            f"{sources.tokenizer_folder.name} with {' '.join(sources.special_tokens)} has "
            f"{counted(tokenizer.length, 'id')}. Training of this family makes one row for each id, so "
            f"{counted(rows - tokenizer.length, 'token')} of the run's tokenizer cannot be found, and [SEG] would take "
            "another row: pass as --base the folder that the run started from, with its own tokenizer files"
        )
    return rows, [
        f"embed_tokens has {counted(rows, 'row')}, {rows - tokenizer.length} more than the tokenizer has ids; they are "
        f"kept, and [SEG] is {tokenizer.ids['[SEG]']}, as the tokenizer has it"
    ]


def _where_to_get_it(sources: Sources) -> str:
    config = sources.run.governing
    if config is not None and config.pretrained_pth is not None:
        return f"The training config loaded {config.pretrained_pth}, which may hold it: pass that as --pretrained"
    adapter = sources.run.adapter(AdapterPart.LANGUAGE)
    saved = () if adapter is None else adapter.saved_modules
    embeddings, head = saved_names(sources)
    if embeddings in saved:
        return "The run saved it: the file is incomplete, use the checkpoint as training wrote it"
    advice = f"Train with modules_to_save=[{embeddings!r}, {head!r}]"
    if not saved:
        return advice
    return (
        f"Its config has modules_to_save={list(saved)}, which does not name the embeddings: in this language model "
        f"they are {embeddings}. Training made the row, left it as it was and did not save it. {advice}"
    )


def saved_names(sources: Sources) -> tuple[str, str]:
    """What the run's language model calls its embeddings and its output head, in `modules_to_save`."""
    if is_internlm2(sources.opened[SourceRole.CHECKPOINT].tensors):
        return internlm2_module(EMBEDDINGS), internlm2_module(LM_HEAD)
    return "embed_tokens", "lm_head"


def _require_config_ids(sources: Sources, tokenizer: TokenizerFacts) -> None:
    """A native folder records the ids of its tokens."""
    recorded = sources.official.get("token_ids") if "sa2va_format_version" in sources.official else None
    for token, recorded_id in (recorded or {}).items():
        if token in tokenizer.ids and tokenizer.ids[token] != recorded_id:
            raise RefusedInput(
                f"the id of {token} differs: tokenizer {tokenizer.ids[token]}, config {recorded_id}; tokenizer and "
                f"config of {sources.folder.name} are of different exports. Copy the folder again"
            )


def _require_order(sources: Sources, tokenizer: TokenizerFacts) -> None:
    """A Sa2VA that stands for the base got its tokens in an order of its own, which must be the run's."""
    base = sources.opened.get(SourceRole.BASE)
    if base is None or base.path != sources.tokenizer_folder or base.kind.is_base:
        return
    tokens = [token for token in sources.special_tokens if token not in _OF_INTERNVL]
    ids = [tokenizer.ids[token] for token in tokens]
    if ids != list(range(ids[0], ids[0] + len(ids))):
        raise RefusedInput(
            f"{base.path}: the special tokens {tokens} have ids {ids}; expected consecutive ids in this order, as "
            "training adds them. The tokenizer is not that of the run"
        )


def find_stored(sources: Sources) -> Mapping[str, Stored]:
    """Role and stored name of the embeddings and the head that count, where a source has them."""
    found: dict[str, Stored] = {}
    for role in SourceRole:
        source = sources.opened.get(role)
        for name in source.tensors if source else ():
            canonical = name if role in sources.native else canonical_name(name)
            if canonical in (EMBEDDINGS, LM_HEAD):
                found.setdefault(canonical, (role, name))
    return found


def decide_tie(
    sources: Sources, base_ties: bool, stored: Mapping[str, Stored], weights: Weights, may_tie: bool = True
) -> tuple[bool, list[str]]:
    """Whether head and embeddings are one tensor, and notes for the record.

    Where the base ties them and training changed both, loading the export tied would silently drop the trained head:
    it is then kept as a tensor of its own.

    Args:
        may_tie: whether an export of this family may tie them.
    Raises:
        RefusedInput: where a LoRA run trained only the embeddings of a tied base, so that the head that was used in
            training (the base's, with random rows for the new tokens) is nowhere; or where a pretrained file unties
            what the base ties, and the checkpoint holds neither.
    """
    if not base_ties:
        return False, []
    if not may_tie and LM_HEAD in stored:
        return False, ["the base ties lm_head to the embeddings; a Sa2VA of its family does not: the export keeps both"]
    head, embeddings = stored.get(LM_HEAD), stored.get(EMBEDDINGS)
    if embeddings is None:
        return True, []
    trained = embeddings[0] is SourceRole.CHECKPOINT
    if head is None or (trained and head[0] is not SourceRole.CHECKPOINT):
        if not (trained and ".modules_to_save." in embeddings[1]):
            return True, []
        if head is None or head[0] is not SourceRole.PRETRAINED:
            raise RefusedInput(
                f"{sources.opened[SourceRole.CHECKPOINT].path.name}: the base ties lm_head to the embeddings, and this "
                "LoRA checkpoint holds trained embeddings but no lm_head; the head used in training cannot be "
                "restored. Train with modules_to_save=['embed_tokens', 'lm_head']"
            )
    if weights.equal(head, embeddings):
        return True, ["the base ties lm_head to the embeddings and the trained ones are equal: the export stays tied"]
    if head[0] is embeddings[0] is SourceRole.PRETRAINED:
        raise RefusedInput(
            f"{sources.opened[SourceRole.PRETRAINED].path.name}: the base ties lm_head to the embeddings, these two "
            "differ, and the checkpoint holds neither; it is unclear which of them training used. Train with "
            "modules_to_save=['embed_tokens', 'lm_head']"
        )
    return False, [
        "the base ties lm_head to the embeddings but the trained ones differ: the export is untied and keeps both"
    ]
