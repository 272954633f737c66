"""Greedy answers of the language model, with the hidden states of their `[SEG]` tokens.

Shapes: B prompts, N rows of a prompt, H language width, S number of `[SEG]`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers.cache_utils import DynamicCache

from .configuration_sa2va import Sa2VAConfig
from .language_pass import LanguagePass, counted, greedy_tokens, told_token
from .prompt import Prompt, as_prompt


@dataclass
class GeneratedText:
    """A greedy answer.

    Attributes:
        token_ids: the new tokens, the end token included.
        seg_states: (S, H) last hidden states at the `[SEG]` tokens: those of the prompt that count, then the answer's.
        truncated: whether the token limit cut the answer.
        drafted: whether a draft foresaw it, token for token.
    """

    token_ids: list[int]
    seg_states: torch.Tensor
    truncated: bool
    drafted: bool = False


@dataclass
class GreedyDecoding:
    """How answers come about.

    Attributes:
        language_model: with `model`, `lm_head` and input embeddings.
        seg_id: id of `[SEG]`.
        ends: whether token ids are a whole answer.
        token_limit: most tokens of an answer, at least 1.
        language_pass: passes of its layers.
    """

    language_model: Any  # transformers makes its class, which has no type
    seg_id: int
    ends: Callable[[list[int]], bool]
    token_limit: int
    language_pass: LanguagePass

    def answers(
        self, prompts: Sequence[torch.Tensor | Prompt], drafts: list[list[int]] | None = None
    ) -> list[GeneratedText]:
        """Greedy answers to prompts of any lengths, (N, H) each or with what `Prompt` holds, computed together.

        Shorter prompts are padded in front; the padding is masked and positions do not count it. A prompt whose answer
        has ended leaves the batch. A `[SEG]` counts by the hidden state at its own position, so one that the limit
        cuts off right behind has none and gives no mask, as in the official code.

        Args:
            drafts: token ids of an expected answer for each prompt, the end token included; may be empty. What is
                greedy of a draft costs no step of its own: one pass reads it behind the prompt. The tokens are those
                without drafts. The states are then always those of one pass over the batch's prompts and answers, so
                that not even their last bits depend on the drafts.
        Raises:
            ValueError: where the numbers overflow their dtype, which is named.
        """
        asked = [as_prompt(prompt) for prompt in prompts]
        expected = [[] for _ in asked] if drafts is None else drafts
        # The last token of an answer is never read: nothing comes behind it.
        read = [draft[: self.token_limit][:-1] for draft in expected]
        token_ids, first, seg_states = self._greedy(asked, read)
        if drafts is not None:
            answered = [ids[:-1] for ids in token_ids]
            places = [self._seg_places(ids) for ids in answered]
            if answered != read and (any(places) or any(prompt.seg_places for prompt in asked)):
                first = self._read(asked, answered)
            seg_states = [first.behind[row, [place + 1 for place in found]] for row, found in enumerate(places)]
        return [
            GeneratedText(ids, torch.cat([within, found]), truncated=not self.ends(ids), drafted=ids == draft)
            for ids, within, found, draft in zip(token_ids, first.within, seg_states, expected, strict=True)
        ]

    def _read(self, prompts: list[Prompt], tokens: list[list[int]]) -> "_Reading":
        """One pass over prompts with tokens behind each.

        What fills up a row of fewer tokens counts as a token: none looks ahead to it.
        """
        batch = _pad_in_front(prompts)
        embeddings, mask = batch.rows, batch.mask
        most = max(len(row) for row in tokens)
        if most:
            filled = torch.tensor([row + [0] * (most - len(row)) for row in tokens], device=embeddings.device)
            behind = self.language_model.get_input_embeddings()(filled)
            embeddings = torch.cat([embeddings, behind.to(embeddings)], dim=1)
            mask = torch.cat([mask, mask.new_ones(filled.shape)], dim=1)
        positions = batch.positions
        if positions is not None and most:
            positions = torch.cat([positions, batch.shifted(mask, most)], dim=-1)
        cache = DynamicCache()
        levels = [_filled(level, most) for level in batch.levels]
        passed = self.language_pass(embeddings, cache, mask if batch.is_padded else None, positions, levels)
        longest = embeddings.shape[1] - most
        within = [
            row[[longest - len(prompt) + place for place in prompt.seg_places]]
            for row, prompt in zip(passed.seg_states, prompts, strict=True)
        ]
        end = slice(longest - 1, None)
        return _Reading(passed.states[:, end], passed.seg_states[:, end], within, cache, mask, batch.shifts)

    def _greedy(
        self, prompts: list[Prompt], read: list[list[int]]
    ) -> tuple[list[list[int]], "_Reading", list[torch.Tensor]]:
        """Greedy answers that begin with one pass over the tokens to `read` behind each prompt.

        Returns:
            Token ids of each answer; what that pass gave; the states (S, H) at the answer's `[SEG]` that were computed
            step by step, token after token.
        """
        head = self.language_model.lm_head
        first = self._read(prompts, read)
        cache, mask, shifts = first.cache, first.mask, first.shifts
        token_ids: list[list[int]] = []
        for row, guesses in zip(read, greedy_tokens(head, first.states).tolist(), strict=True):
            ids: list[int] = []
            for place, token in enumerate(guesses):
                ids.append(told_token(token, first.states.dtype))
                if row[place : place + 1] != [token] or not self._goes_on(ids):
                    break
            token_ids.append(ids)
        # What was read beyond the first difference is cut off, or masked where another row needs the column.
        most = max(len(row) for row in read)
        useful = max((len(ids) - 1 for ids in token_ids if self._goes_on(ids)), default=most)
        if useful < most:
            cache.crop(useful - most)
            mask = mask[:, : useful - most]
        for row, ids in zip(mask, token_ids, strict=True):
            row[len(row) - useful + len(ids) - 1 :] = 0

        seg_states: list[list[torch.Tensor]] = [[] for _ in prompts]
        running = list(range(len(prompts)))
        while kept := [place for place, index in enumerate(running) if self._goes_on(token_ids[index])]:
            if len(kept) < len(running):
                places = torch.tensor(kept, device=mask.device)
                cache.batch_select_indices(places)
                mask = mask[places]
                shifts = None if shifts is None else shifts[places]
                running = [running[place] for place in kept]
            newest = torch.tensor([[token_ids[index][-1]] for index in running], device=mask.device)
            mask = torch.cat([mask, mask.new_ones((len(mask), 1))], dim=1)
            embedded = self.language_model.get_input_embeddings()(newest)
            positions = None if shifts is None else _shifted(mask, 1, shifts)
            states, seg = (found[:, -1] for found in self.language_pass(embedded, cache, _told(mask), positions))
            for place, (index, token) in enumerate(zip(running, greedy_tokens(head, states).tolist(), strict=True)):
                if token_ids[index][-1] == self.seg_id:
                    seg_states[index].append(seg[place])
                token_ids[index].append(told_token(token, states.dtype))
        none = first.states.new_zeros((0, first.states.shape[-1]))
        return token_ids, first, [torch.stack(found) if found else none for found in seg_states]

    def _seg_places(self, token_ids: list[int]) -> list[int]:
        return [place for place, token in enumerate(token_ids) if token == self.seg_id]

    def _goes_on(self, token_ids: list[int]) -> bool:
        return len(token_ids) < self.token_limit and not self.ends(token_ids)


@dataclass
class _Reading:
    """What one pass over prompts with tokens behind each gave.

    Attributes:
        states: (B, 1 + M, H) at the end of each prompt and at its tokens, M the most that a prompt has.
        behind: of these places, what counts at a `[SEG]`.
        within: (n, H) for each prompt, at its own `[SEG]` that count.
        cache, mask: of all columns.
        shifts: (B,), see `Prompt.shift`; None where columns are counted.
    """

    states: torch.Tensor
    behind: torch.Tensor
    within: list[torch.Tensor]
    cache: DynamicCache
    mask: torch.Tensor
    shifts: torch.Tensor | None


@dataclass
class _Padded:
    """B prompts of at most N rows, padded in front.

    Attributes:
        rows: (B, N, H); mask: (B, N).
        is_padded: whether there is any padding, known without asking the device.
        positions: (3, B, N); shifts: (B,), see `Prompt`; None where columns are counted.
        levels: (B, N, H) each.
    """

    rows: torch.Tensor
    mask: torch.Tensor
    is_padded: bool
    positions: torch.Tensor | None
    shifts: torch.Tensor | None
    levels: list[torch.Tensor]

    def shifted(self, mask: torch.Tensor, newest: int) -> torch.Tensor:
        assert self.shifts is not None
        return _shifted(mask, newest, self.shifts)


def _pad_in_front(prompts: list[Prompt]) -> _Padded:
    longest = max(len(prompt) for prompt in prompts)

    def padded(parts: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.stack([nn.functional.pad(part, (0, 0, longest - len(part), 0)) for part in parts])

    device = prompts[0].rows.device
    mask = torch.ones((len(prompts), longest), dtype=torch.long, device=device)
    for row, prompt in zip(mask, prompts, strict=True):
        row[: longest - len(prompt)] = 0
    is_padded = any(len(prompt) < longest for prompt in prompts)
    rows = padded([prompt.rows for prompt in prompts])
    if all(prompt.positions is None for prompt in prompts):
        return _Padded(rows, mask, is_padded, None, None, [])
    placed = padded([_positions(prompt).T for prompt in prompts]).permute(2, 0, 1).to(device)
    shifts = torch.tensor([prompt.shift for prompt in prompts], device=device)
    count = max(len(prompt.levels) for prompt in prompts)
    levels = [
        padded([prompt.levels[at] if prompt.levels else torch.zeros_like(prompt.rows) for prompt in prompts])
        for at in range(count)
    ]
    return _Padded(rows, mask, is_padded, placed, shifts, levels)


def _positions(prompt: Prompt) -> torch.Tensor:
    return torch.arange(len(prompt)).expand(3, -1) if prompt.positions is None else prompt.positions


def _shifted(mask: torch.Tensor, newest: int, shifts: torch.Tensor) -> torch.Tensor:
    """Positions (3, B, K) of the newest columns of words behind prompts with these shifts."""
    return (counted(mask, newest) + shifts[:, None]).expand(3, -1, -1)


def _filled(level: torch.Tensor, more: int) -> torch.Tensor:
    """(B, N, H) with zeros for so many columns more."""
    return nn.functional.pad(level, (0, 0, 0, more))


def _told(mask: torch.Tensor) -> torch.Tensor | None:
    """The mask, which a language model need not be told where nothing is padded."""
    return None if bool(mask.all()) else mask


def checked_limit(config: Sa2VAConfig, tokenizer: Any, token_limit: int | None) -> int:
    """Most tokens of an answer. Raises ValueError where it is below 1 or the tokenizer is not the model's own."""
    if tokenizer is None:
        raise ValueError("tokenizer: expected AutoTokenizer.from_pretrained(<the model's folder>), got None")
    if not hasattr(tokenizer, "convert_tokens_to_ids"):
        raise ValueError(
            f"tokenizer: expected AutoTokenizer.from_pretrained(<the model's folder>), got {type(tokenizer).__name__}"
        )
    strays = {token: tokenizer.convert_tokens_to_ids(token) for token in config.token_ids}
    if strays != dict(config.token_ids):
        raise ValueError(
            f"tokenizer: its ids {strays} differ from the model's {config.token_ids}. Use the folder's own"
        )
    limit = config.answer_token_limit if token_limit is None else token_limit
    if limit < 1:
        raise ValueError(f"max_new_tokens: expected at least 1, got {limit}")
    return limit
