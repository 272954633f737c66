"""Greedy answers on states made by hand: what an overflow becomes, step by step, in a batch and behind drafts."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from helpers.model.generation import GreedyDecoding
from helpers.model.language_pass import Passed

SEG, END = 1, 2
ANSWER = [0, SEG, END]


def decoding(dtype, breaks_at=None):
    """A language model whose state tells the next token of ANSWER, infinite from a place of the answer on.

    An embedding's second channel is the token's place behind the prompt, whose rows hold 0.
    """
    embeddings = nn.Embedding(3, 2, dtype=dtype)
    embeddings.weight.data = torch.tensor([[0, 1], [0, 2], [0, 3]], dtype=dtype)

    def head(states):
        return nn.functional.one_hot(states[..., 1].nan_to_num(0, 0, 0).long().clamp(max=2), 3).to(dtype) * (
            1 + states[..., 1:] - states[..., 1:]
        )

    def language_pass(embedded, *others):
        broken = torch.zeros_like(embedded) if breaks_at is None else torch.where(embedded >= breaks_at, torch.inf, 0.0)
        states = embedded + broken.to(dtype)
        return Passed(states, states)

    model = SimpleNamespace(lm_head=head, get_input_embeddings=lambda: embeddings)
    return GreedyDecoding(model, SEG, lambda ids: ids[-1] == END, 8, language_pass)


def prompts(dtype, count=1):
    return [torch.zeros(3, 2, dtype=dtype) - (torch.arange(2) == 0).to(dtype) for _ in range(count)]


@pytest.mark.parametrize("drafts", [None, [ANSWER], [[]]])
def test_an_answer_of_finite_numbers(drafts):
    (found,) = decoding(torch.float16).answers(prompts(torch.float16), drafts)
    assert found.token_ids == ANSWER and not found.truncated and found.seg_states.tolist() == [[0, 2]]


@pytest.mark.parametrize("breaks_at", [-1, 1, 2])  # in the prompt, at the first token, at [SEG]
@pytest.mark.parametrize(("count", "draft"), [(1, None), (3, None), (1, ANSWER), (3, ANSWER), (3, [])])
def test_an_overflow_is_an_error_that_names_the_dtype_and_no_answer_to_the_limit(breaks_at, count, draft):
    drafts = None if draft is None else [draft] * count
    with pytest.raises(ValueError, match="not finite: it or the vision tower overflows torch.float16. Take dtype bfl"):
        decoding(torch.float16, breaks_at).answers(prompts(torch.float16, count), drafts)


def test_in_a_wide_dtype_the_weights_are_named():
    with pytest.raises(ValueError, match="not finite: in torch.float32, so that its weights are damaged"):
        decoding(torch.float32, 1).answers(prompts(torch.float32))
