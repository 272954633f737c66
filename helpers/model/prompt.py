"""A prompt as the language model reads it: embedded words, pictures in their places, positions.

Shapes: N rows of a prompt, M visual tokens, H language width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch


@dataclass(frozen=True)
class VisualTokens:
    """What an image, or the frames of a sequence, become for the language model.

    Attributes:
        rows: (M, H), those of all pictures in order.
        grids: rows and columns of each picture's tokens; empty where the language model does not ask for them.
        levels: (M, H) each, added to the hidden states at the pictures' places behind the first, second, ... layer.
    """

    rows: torch.Tensor
    grids: tuple[tuple[int, int], ...] = ()
    levels: tuple[torch.Tensor, ...] = ()


@dataclass(frozen=True)
class Prompt:
    """Where a language model needs more than the rows of a prompt, they come in this; else as a plain (N, H) tensor.

    Attributes:
        rows: (N, H), words embedded and pictures in their places.
        positions: int64 (3, N) on the CPU: in time, of rows and of columns; None where rows are counted.
        levels: (N, H) each, added to the hidden states behind the first, second, ... layer; zeros at words.
        seg_places: of the `[SEG]` in the prompt whose states count beside those of the answer.
    """

    rows: torch.Tensor
    positions: torch.Tensor | None = None
    levels: tuple[torch.Tensor, ...] = ()
    seg_places: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shift(self) -> int:
        """What the positions behind the prompt are ahead of the number of rows; negative behind a picture."""
        return 0 if self.positions is None else int(self.positions.max()) + 1 - len(self)


def as_prompt(given: Any) -> Any:
    """Make a prompt of (N, H) rows, or return the prompt that was given."""
    return Prompt(given) if isinstance(given, torch.Tensor) else given


@dataclass(frozen=True)
class EmbeddedWords:
    """The words of a prompt, embedded, with gaps for its pictures; made without asking the device.

    Attributes:
        token_ids: of the whole prompt, the pictures' placeholders included.
        pieces: (n, H) each: the words before the first gap, between gaps, and behind the last.
        gaps: number of placeholders in each gap, one fewer than pieces.
    """

    token_ids: Sequence[int]
    pieces: tuple[torch.Tensor, ...]
    gaps: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.token_ids)

    def with_visual(self, visual: torch.Tensor) -> torch.Tensor:
        """The rows (N, H) of the prompt with visual tokens (M, H), one for each placeholder, in the gaps."""
        rows = [self.pieces[0]]
        for part, piece in zip(visual.to(self.pieces[0]).split(list(self.gaps)), self.pieces[1:], strict=True):
            rows += [part, piece]
        return torch.cat(rows)

    def without_words(self) -> "EmbeddedWords":
        """The same gaps between zeros."""
        return EmbeddedWords(self.token_ids, tuple(map(torch.zeros_like, self.pieces)), self.gaps)


def embed_words(model: Any, token_ids: Sequence[int], placeholder: int) -> EmbeddedWords:
    """Embed a prompt's words and leave gaps where its placeholders stand."""
    lengths, gaps, words = [0], [], []
    for is_gap, run in groupby(token_ids, lambda token: token == placeholder):
        ids = list(run)
        if is_gap:
            gaps.append(len(ids))
            lengths.append(0)
        else:
            words += ids
            lengths[-1] = len(ids)
    embedded = model.get_input_embeddings()(on_device(words, model.device))
    return EmbeddedWords(token_ids, embedded.split(lengths), tuple(gaps))


def on_device(token_ids: Sequence[int], device: torch.device) -> torch.Tensor:
    """Token ids int64 (n,) on a device, without waiting for what it computes."""
    ids = torch.tensor(token_ids, dtype=torch.long)
    return ids.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else ids.to(device)
