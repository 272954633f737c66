"""Prompts: words around the gaps of their pictures, and positions behind them."""

import torch
from torch import nn

from helpers.model.prompt import Prompt, as_prompt, embed_words

PICTURE = 9


class Model:
    """Embeds a token as its number."""

    device = torch.device("cpu")

    def get_input_embeddings(self):
        return nn.Embedding.from_pretrained(torch.arange(10.0)[:, None])


def test_pictures_fill_their_gaps_in_order():
    words = embed_words(Model(), [1, PICTURE, PICTURE, 2, 3, PICTURE, 4], PICTURE)
    assert (words.gaps, len(words)) == ((2, 1), 7)
    rows = words.with_visual(torch.tensor([[0.5], [0.6], [0.7]]))
    assert [round(float(row), 1) for row in rows] == [1.0, 0.5, 0.6, 2.0, 3.0, 0.7, 4.0]


def test_gaps_may_stand_at_the_ends_and_side_by_side_they_are_one():
    words = embed_words(Model(), [PICTURE, 1, PICTURE], PICTURE)
    assert (words.gaps, [len(piece) for piece in words.pieces]) == ((1, 1), [0, 1, 0])
    assert embed_words(Model(), [1, 2], PICTURE).gaps == ()


def test_words_behind_a_picture_go_on_from_its_largest_place():
    positions = torch.tensor([[0, 1, 1, 1, 1, 3], [0, 1, 1, 2, 2, 3], [0, 1, 2, 1, 2, 3]])
    assert Prompt(torch.zeros(6, 2), positions).shift == -2
    assert as_prompt(torch.zeros(6, 2)).shift == 0
