"""Answers with drafts of any quality against those without: the same tokens, the same states, fewer passes."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers import AutoModel, AutoTokenizer

from helpers.checkpoints.convert import convert
from helpers.model.processing_sa2va import build_prompt, cut_tiles, image_text, tile_pixels
from helpers.prediction.sa2va_predictor import Sa2VAPredictor
from tests.support.fixture_maker.conversation import QUESTION, SEGMENT, SEGMENT_PARTS
from tests.support.tiny_sources import FIXTURES, fixture_sources

LIMIT = 24
TOLERANCE = 1e-5
REQUESTS = (SEGMENT.prompts[0], SEGMENT_PARTS.prompts[0], QUESTION.prompts[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fixture") / "model"
    convert(fixture_sources().request(folder))
    return folder


def load(folder, dtype):
    model = AutoModel.from_pretrained(folder, trust_remote_code=True, dtype=dtype).eval()
    return model, AutoTokenizer.from_pretrained(folder, trust_remote_code=True)


@pytest.fixture(scope="module")
def loaded(folder):
    return load(folder, torch.float32)


@pytest.fixture(scope="module")
def narrow(folder):
    return load(folder, torch.bfloat16)


@pytest.fixture(scope="module")
def images():
    return [Image.open(FIXTURES / f"images/image_0{index}.png").convert("RGB").resize((128, 128)) for index in (1, 3)]


@pytest.fixture(scope="module")
def prompts(loaded, images):
    """Embeddings of an image of one tile with three requests, and of the second one of three tiles with the first."""
    model, tokenizer = loaded
    config = model.config
    found = []
    for image, request in [
        *((images[0], request) for request in REQUESTS),
        (images[1].resize((640, 320)), REQUESTS[0]),
    ]:
        tiles = cut_tiles(image, config.min_tiles, config.max_tiles, config.tile_size, config.use_thumbnail)
        words = build_prompt(request, "", config.instruction, image_text(len(tiles), config.tokens_per_tile))
        with torch.inference_mode():
            visual = model.encode_tiles(tile_pixels(tiles)).flatten(0, 1)
            found.append(model.embed_prompt(torch.tensor(tokenizer.encode(words)), visual)[0])
    assert len({len(prompt) for prompt in found}) >= 3
    return found


@pytest.fixture(scope="module")
def plain(loaded, prompts):
    """Each prompt's answer alone, without a draft."""
    with torch.inference_mode():
        answers = [loaded[0].answers([prompt], loaded[1], LIMIT)[0] for prompt in prompts]
    assert {len(answer.seg_states) for answer in answers} >= {0, 1, 2}
    assert not any(answer.truncated or answer.drafted for answer in answers)
    return answers


@pytest.fixture
def passes(loaded, narrow):
    """Tokens of each row in each pass of the language models."""
    seen = []

    def note(_module, _arguments, options, _output):
        seen.append(options["inputs_embeds"].shape[1])

    handles = [
        model.language_model.model.register_forward_hook(note, with_kwargs=True) for model, _ in (loaded, narrow)
    ]
    yield seen
    for handle in handles:
        handle.remove()


def ask(loaded, prompts, drafts, limit=LIMIT):
    with torch.inference_mode():
        return loaded[0].answers(prompts, loaded[1], limit, drafts)


def same(answers, expected):
    for answer, other in zip(answers, expected, strict=True):
        assert answer.token_ids == other.token_ids
        assert answer.truncated == other.truncated
        assert answer.seg_states.shape == other.seg_states.shape
        assert torch.allclose(answer.seg_states, other.seg_states, atol=TOLERANCE, rtol=0)


def spoilt(ids, place):
    """The draft `ids` with another token at a place."""
    return [*ids[:place], (ids[place] + 1) % 200, *ids[place + 1 :]]


def variants(ids):
    return {
        "right": ids,
        "wrong first": spoilt(ids, 0),
        "wrong middle": spoilt(ids, len(ids) // 2),
        "wrong last": spoilt(ids, len(ids) - 1),
        "too long": [*ids, ids[0], ids[-1]],
        "too short": ids[:-2],
        "longer than the limit": [*spoilt(ids, len(ids) - 1), *[5] * LIMIT],
        "empty": [],
    }


VARIANTS = list(variants([1, 2, 3]))


@pytest.mark.parametrize("name", VARIANTS)
def test_a_draft_changes_no_answer(loaded, prompts, plain, name):
    for prompt, expected in zip(prompts, plain, strict=True):
        answers = ask(loaded, [prompt], [variants(expected.token_ids)[name]])
        same(answers, [expected])
        assert answers[0].drafted == (name == "right")


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(VARIANTS)), min_size=1, max_size=5))
def test_mixed_batches_answer_as_each_alone(loaded, prompts, plain, rows):
    drafts = [variants(plain[index].token_ids)[name] for index, name in rows]
    asked = [prompts[index] for index, _ in rows]
    answers = ask(loaded, asked, drafts)
    same(answers, [plain[index] for index, _ in rows])
    assert [answer.drafted for answer in answers] == [name == "right" for _, name in rows]
    undrafted = ask(loaded, asked, [[] for _ in rows])
    for answer, other in zip(answers, undrafted, strict=True):
        assert torch.equal(answer.seg_states, other.seg_states)  # a resumed run is equal byte for byte


@pytest.mark.parametrize("limit", [1, 3, 4, 5])
def test_the_limit_cuts_as_without_a_draft(loaded, prompts, plain, limit):
    for prompt, answer in zip(prompts, plain, strict=True):
        expected = ask(loaded, [prompt], None, limit)
        for draft in variants(answer.token_ids).values():
            same(ask(loaded, [prompt], [draft], limit), expected)


def test_stop_words_end_an_answer_within_a_draft(loaded, prompts, plain, monkeypatch):
    model, tokenizer = loaded
    whole = plain[1].token_ids
    monkeypatch.setattr(model.config, "stop_words", [tokenizer.decode(whole[:3])[-2:]])
    expected = ask(loaded, [prompts[1]], None)
    assert len(expected[0].token_ids) <= 3 and not expected[0].truncated
    same(ask(loaded, [prompts[1]], [whole]), expected)


def test_a_right_draft_takes_one_pass(loaded, prompts, plain, passes):
    ids = [answer.token_ids for answer in plain]
    ask(loaded, prompts, None)
    assert len(passes) == max(map(len, ids))
    passes.clear()
    answers = ask(loaded, prompts, ids)
    assert passes == [max(map(len, prompts)) + max(map(len, ids)) - 1]
    assert all(answer.drafted for answer in answers)


def test_a_wrong_draft_goes_on_from_the_first_difference(loaded, prompts, plain, passes):
    ids = plain[0].token_ids
    assert len(plain[0].seg_states) == 1 and len(ids) >= 4
    ask(loaded, prompts[:1], [spoilt(ids, 2)])
    read = len(prompts[0]) + len(ids) - 1
    assert passes == [read, *[1] * (len(ids) - 3), read]


def rounds(loaded, images, passes, limit=LIMIT, times=3):
    """Some times the same batch with one predictor: passes, drafted answers, and the answers."""
    predictor = Sa2VAPredictor(*loaded, {}, token_limit=limit)
    prepared = [predictor.prepare(image) for image in images]
    counts, found = [], []
    for _ in range(times):
        passes.clear()
        found.append([answer for row in predictor.predict(prepared, REQUESTS) for answer in row])
        counts.append((len(passes), sum(answer.drafted for answer in found[-1])))
    for first, second in pairwise(found):
        for answer, other in zip(first, second, strict=True):
            assert answer.text == other.text and answer.logits.tobytes() == other.logits.tobytes()
    return counts, found[0]


def test_a_run_learns_its_drafts(narrow, images, passes):
    counts, _ = rounds(narrow, images[:1], passes)
    assert counts[0][0] >= 10 and counts[0][1] == 0
    assert counts[1:] == [(1, 3), (1, 3)]


def test_float32_takes_no_drafts(loaded, images, passes):
    counts, _ = rounds(loaded, images, passes, times=2)
    assert counts[0][0] >= 10 and counts == [(counts[0][0], 0)] * 2


def test_truncated_answers_are_no_drafts(narrow, images, passes):
    counts, answers = rounds(narrow, images, passes, limit=2)
    assert all(answer.truncated for answer in answers)
    assert [drafted for _, drafted in counts] == [0, 0, 0]


def test_folders_from_before_drafts_answer_without(narrow, images, passes, monkeypatch):
    model, _ = narrow
    answers = model.answers
    monkeypatch.setattr(model, "answers", lambda prompts, tokenizer, limit: answers(prompts, tokenizer, limit))
    counts, _ = rounds(narrow, images[:1], passes, times=2)
    assert counts == [(counts[0][0], 0)] * 2


def test_the_official_call_reads_its_last_answer_as_a_draft_and_results_do_not_depend_on_it(narrow, images):
    model, tokenizer = narrow
    model.drafts = type(model.drafts)()
    asked = {"image": images[0], "text": f"<image>\n{REQUESTS[0]}", "tokenizer": tokenizer, "max_new_tokens": LIMIT}
    plain = model.predict_forward(**asked, draft=False)
    assert len(model.drafts) == 0
    passes = [0]
    counting = model.language_model.model.register_forward_hook(lambda *_: passes.__setitem__(0, passes[0] + 1))
    counts, found = [], []
    for _ in range(2):
        passes[0] = 0
        found.append(model.predict_forward(**asked))
        counts.append(passes[0])
    counting.remove()
    first, second = found
    assert plain["prediction"] == first["prediction"] == second["prediction"] and len(model.drafts) == 1
    for one, other in zip(first["prediction_logits"], second["prediction_logits"], strict=True):
        assert np.array_equal(one, other), "not even the last bits depend on calls before"
    assert counts[1] == 1 < counts[0]
    model.drafts.keep(asked["text"], "", [5, 6, 7])
    spoilt = model.predict_forward(**asked)
    assert spoilt["prediction"] == plain["prediction"]
    assert np.array_equal(spoilt["prediction_logits"], first["prediction_logits"])


def test_in_float32_the_official_call_goes_token_by_token(loaded, images):
    model, tokenizer = loaded
    model.predict_forward(images[0], f"<image>\n{REQUESTS[0]}", tokenizer, max_new_tokens=LIMIT)
    assert len(model.drafts) == 0
