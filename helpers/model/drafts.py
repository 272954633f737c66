"""Answers that are expected again: the last one to the same words, to be confirmed in one pass."""

from collections import OrderedDict
from typing import Any

import torch

_MOST = 64  # words that are remembered; those asked longest ago are forgotten first


def takes_drafts(model: Any) -> bool:
    """Whether a model reads drafts: not in float32, where answers are the same to the last bit in all calls."""
    return model.get_input_embeddings().weight.dtype != torch.float32


class Drafts:
    """The last answer to each of the words that were asked most lately.

    A draft is a guess that the model confirms or corrects, so that an old or wrong one costs time and changes nothing.
    """

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[str, str], list[int]] = OrderedDict()

    def of(self, text: str, past_text: str = "") -> list[int]:
        """Token ids of the expected answer, the end token included; [] where nothing is expected.

        Args:
            text: the user's words.
            past_text: earlier turns.
        """
        return list(self._answers.get((text, past_text), ()))

    def keep(self, text: str, past_text: str, token_ids: list[int]) -> None:
        """Keep an answer in the place of the last one to these words."""
        self._answers[text, past_text] = list(token_ids)
        self._answers.move_to_end((text, past_text))
        while len(self._answers) > _MOST:
            self._answers.popitem(last=False)

    def __len__(self) -> int:
        return len(self._answers)
