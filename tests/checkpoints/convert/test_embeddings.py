"""Rows of the embeddings against the ids of the tokenizer, and the tie of the head, on names and shapes alone."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from helpers.checkpoints.convert.conversion_settings import TrainingRunConfig
from helpers.checkpoints.convert.embeddings import decide_tie, find_stored, require_embeddings
from helpers.checkpoints.convert.plan import EMBEDDINGS, LM_HEAD, SourceRole
from helpers.checkpoints.convert.tokenizer_files import TokenizerFacts
from helpers.checkpoints.read.adapters import AdapterPart, AdapterSettings
from helpers.checkpoints.read.weight_source import CheckpointKind
from helpers.core.errors import RefusedInput
from tests.support.listed_sources import listed, run_config, sources_of

OF_INTERNVL = ("<img>", "</img>", "<IMG_CONTEXT>", "<quad>", "</quad>", "<ref>", "</ref>", "<box>", "</box>")
CHECKPOINT_EMBED = "mllm.model.language_model.base_model.model.model.embed_tokens.modules_to_save.default.weight"
CHECKPOINT_HEAD = "mllm.model.language_model.base_model.model.lm_head.modules_to_save.default.weight"
TRAINED, OF_BASE = (SourceRole.CHECKPOINT, CHECKPOINT_EMBED), (SourceRole.BASE, EMBEDDINGS)
HEAD_TRAINED, HEAD_OF_BASE = (SourceRole.CHECKPOINT, CHECKPOINT_HEAD), (SourceRole.BASE, LM_HEAD)
FACTS = TokenizerFacts(length=9, ids={"[SEG]": 7, "<p>": 8, "<box>": 2}, added=("[SEG]", "<p>"), eos=1, pad=0)


def listed_sources(checkpoint, base, kind=CheckpointKind.INTERNVL_BASE, config=None, official=None, run=None, **more):
    opened = {
        SourceRole.CHECKPOINT: listed(CheckpointKind.MMENGINE, checkpoint, "iter_9.pth"),
        SourceRole.BASE: listed(kind, base, "models/Base", config),
    }
    opened |= {SourceRole(role): source for role, source in more.items()}
    run = run or run_config()
    return sources_of(opened, official, run=run, special_tokens=("[SEG]", "<p>"))


def test_the_first_source_that_has_embeddings_and_head_counts():
    base = {EMBEDDINGS: (9, 2), LM_HEAD: (9, 2)}
    assert find_stored(listed_sources([CHECKPOINT_EMBED], base)) == {EMBEDDINGS: TRAINED, LM_HEAD: HEAD_OF_BASE}
    assert find_stored(listed_sources(["a"], ["b"])) == {}
    pretrained = listed(CheckpointKind.FLAT, [f"mllm.model.{LM_HEAD}"], "Sa2VA.pth")
    found = find_stored(listed_sources(["a"], base, pretrained=pretrained))
    assert found == {EMBEDDINGS: OF_BASE, LM_HEAD: (SourceRole.PRETRAINED, f"mllm.model.{LM_HEAD}")}


MORE_ROWS = "embed_tokens has 12 rows, 3 more than the tokenizer has ids; they are kept, and [SEG] is 7, as the "
MORE_ROWS += "tokenizer has it"


@pytest.mark.parametrize(("rows", "notes"), [(9, []), (12, [MORE_ROWS])])
def test_rows_for_every_id_are_enough(rows, notes):
    sources = listed_sources({CHECKPOINT_EMBED: (rows, 2)}, ["b"])
    assert require_embeddings(sources, {EMBEDDINGS: TRAINED}, FACTS) == (rows, notes)
    assert require_embeddings(sources, {}, FACTS) == (9, [])


def test_too_few_rows_are_told_with_the_tokens():
    said = r"iter_9.pth: embed_tokens has 8 rows, and the tokenizer of Base with \[SEG\] <p> has 9 ids; 1 of them"
    with pytest.raises(RefusedInput, match=said):
        require_embeddings(listed_sources({CHECKPOINT_EMBED: (8, 2)}, ["b"]), {EMBEDDINGS: TRAINED}, FACTS)


@pytest.mark.parametrize(("kind", "rows", "stops"), [
    (CheckpointKind.INTERNVL_BASE, 20, True),
    (CheckpointKind.HF_EXPORT, 8, True),
    (CheckpointKind.HF_EXPORT, 9, False),
])  # fmt: skip
def test_rows_of_a_base_are_those_of_new_tokens_in_a_sa2va_alone(kind, rows, stops):
    sources = listed_sources(["a"], {EMBEDDINGS: (rows, 2)}, kind)
    if stops:
        with pytest.raises(RefusedInput, match=r"holds no embed_tokens, and the base Base has no rows for \[SEG\] <p>"):
            require_embeddings(sources, {EMBEDDINGS: OF_BASE}, FACTS)
    else:
        assert require_embeddings(sources, {EMBEDDINGS: OF_BASE}, FACTS) == (9, [])
    known = replace(FACTS, added=())
    if rows >= 9:
        assert require_embeddings(sources, {EMBEDDINGS: OF_BASE}, known)[0] == rows


@pytest.mark.parametrize(("run", "advice"), [
    (run_config(pretrained_pth="Sa2VA.pth"), "The training config loaded Sa2VA.pth, which may hold it"),
    (run_config({AdapterPart.LANGUAGE: AdapterSettings(saved_modules=("embed_tokens",))}), "The run saved it"),
    (run_config({AdapterPart.LANGUAGE: AdapterSettings(saved_modules=("lm_head",))}), "Its config has modules_to_save"),
    (TrainingRunConfig(), "Train with modules_to_save="),
])  # fmt: skip
def test_where_the_missing_rows_may_be_is_said(run, advice):
    sources = listed_sources(["a"], {EMBEDDINGS: (20, 2)}, run=run)
    with pytest.raises(RefusedInput, match=f"the embedding of .SEG. is nowhere. {advice}"):
        require_embeddings(sources, {EMBEDDINGS: OF_BASE}, FACTS)


def test_a_native_folder_whose_ids_differ_is_refused():
    def with_ids(**ids):
        return listed_sources({CHECKPOINT_EMBED: (9, 2)}, ["b"], official={"sa2va_format_version": 1, "token_ids": ids})

    official = listed_sources({CHECKPOINT_EMBED: (9, 2)}, ["b"], official={"token_ids": {"[SEG]": 1}})
    for fine in (with_ids(**{"[SEG]": 7, "<other>": 3}), official):
        assert require_embeddings(fine, {EMBEDDINGS: TRAINED}, FACTS) == (9, [])
    with pytest.raises(RefusedInput, match=r"the id of \[SEG\] differs: tokenizer 7, config 6; .* of Base are of"):
        require_embeddings(with_ids(**{"[SEG]": 6}), {EMBEDDINGS: TRAINED}, FACTS)


@pytest.mark.parametrize(("ids", "tokens", "stops"), [
    ({"[SEG]": 7, "<p>": 8}, ("[SEG]", "<p>"), False),
    ({"[SEG]": 8, "<p>": 7}, ("[SEG]", "<p>"), True),
    ({"[SEG]": 6, "<p>": 8}, ("[SEG]", "<p>"), True),
    *(({"[SEG]": 7, "<p>": 8, token: 2}, ("[SEG]", token, "<p>"), False) for token in OF_INTERNVL),
])  # fmt: skip
def test_the_tokens_of_a_sa2va_stand_in_the_runs_order(ids, tokens, stops):
    sources = listed_sources({CHECKPOINT_EMBED: (9, 2)}, ["b"], CheckpointKind.HF_EXPORT)
    sources.special_tokens, facts = tokens, replace(FACTS, ids=ids, added=())
    if not stops:
        assert require_embeddings(sources, {EMBEDDINGS: TRAINED}, facts)[0] == 9
        sources.tokenizer_folder = Path("of/another")
        return
    with pytest.raises(RefusedInput, match="expected consecutive ids in this order"):
        require_embeddings(sources, {EMBEDDINGS: TRAINED}, facts)
    sources.tokenizer_folder = Path("of/another")
    assert require_embeddings(sources, {EMBEDDINGS: TRAINED}, facts)[0] == 9


@pytest.mark.parametrize(("config", "stops"), [
    ({"llm_config": {"vocab_size": 12}}, False), ({"llm_config": {}}, False), ({}, False),
    ({"llm_config": {"vocab_size": 11}}, True),
])  # fmt: skip
def test_an_export_says_as_many_rows_as_it_has(config, stops):
    sources = listed_sources(["a"], {EMBEDDINGS: (12, 2)}, CheckpointKind.HF_EXPORT, config)
    if stops:
        with pytest.raises(RefusedInput, match="Base: its config.json says vocab_size 11, its embed_tokens has 12"):
            require_embeddings(sources, {EMBEDDINGS: OF_BASE}, FACTS)
    else:
        assert require_embeddings(sources, {EMBEDDINGS: OF_BASE}, FACTS)[0] == 12


OF_PRETRAINED = [(SourceRole.PRETRAINED, name) for name in (EMBEDDINGS, LM_HEAD)]
FLAT_EMBED = (SourceRole.CHECKPOINT, EMBEDDINGS)


@pytest.mark.parametrize(("embeddings", "head", "equal", "tied", "note"), [
    (None, None, False, True, ""),
    (OF_BASE, None, False, True, ""),
    (FLAT_EMBED, None, False, True, ""),  # a whole fine-tune, whose head is its embeddings
    (FLAT_EMBED, HEAD_OF_BASE, False, True, ""),
    (TRAINED, HEAD_TRAINED, True, True, "the trained ones are equal: the export stays tied"),
    (TRAINED, HEAD_TRAINED, False, False, "the trained ones differ: the export is untied and keeps both"),
    (OF_BASE, HEAD_TRAINED, False, False, "the trained ones differ"),
    (TRAINED, OF_PRETRAINED[1], False, False, "the trained ones differ"),
    (*OF_PRETRAINED, True, True, "the trained ones are equal"),
])  # fmt: skip
def test_whether_head_and_embeddings_stay_one(embeddings, head, equal, tied, note):
    stored = {name: place for name, place in ((EMBEDDINGS, embeddings), (LM_HEAD, head)) if place}
    weights = SimpleNamespace(equal=lambda one, other: equal)
    found, notes = decide_tie(listed_sources(["a"], ["b"]), True, stored, weights)
    assert found is tied and len(notes) == bool(note) and note in "".join(notes)
    assert decide_tie(listed_sources(["a"], ["b"]), False, stored, weights) == (False, [])


@pytest.mark.parametrize(("embeddings", "head", "said"), [
    (TRAINED, None, "iter_9.pth: the base ties lm_head to the embeddings, and this LoRA checkpoint holds trained emb"),
    (TRAINED, HEAD_OF_BASE, "the head used in training cannot be restored"),
    (*OF_PRETRAINED, "Sa2VA.pth: the base ties .* it is unclear which of them training used"),
])  # fmt: skip
def test_a_head_that_nothing_holds_is_refused(embeddings, head, said):
    stored = {name: place for name, place in ((EMBEDDINGS, embeddings), (LM_HEAD, head)) if place}
    sources = listed_sources(["a"], ["b"], pretrained=listed(CheckpointKind.FLAT, ["c"], "Sa2VA.pth"))
    with pytest.raises(RefusedInput, match=said):
        decide_tie(sources, True, stored, SimpleNamespace(equal=lambda one, other: False))


def test_a_family_whose_exports_never_tie_keeps_both():
    different = SimpleNamespace(equal=lambda one, other: False)
    stored = {EMBEDDINGS: TRAINED, LM_HEAD: HEAD_TRAINED}
    tied, (note,) = decide_tie(listed_sources(["a"], ["b"]), True, stored, different, may_tie=False)
    assert tied is False and "does not: the export keeps both" in note
    assert decide_tie(listed_sources(["a"], ["b"]), True, {EMBEDDINGS: OF_BASE}, different, may_tie=False) == (True, [])
