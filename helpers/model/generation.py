"""Greedy answers of the language model, with the hidden states of their `[SEG]` tokens.

Shapes: B prompts, N rows of a prompt, H language width, S number of `[SEG]`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers.cache_utils import DynamicCache

from .configuration_sa2va import Sa2VAConfig


@dataclass
class GeneratedText:
    """A greedy answer.

    Attributes:
        token_ids: the new tokens, the end token included.
        seg_states: (S, H) last hidden states at the answer's `[SEG]` tokens.
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
    """

    language_model: Any  # transformers makes its class, which has no type
    seg_id: int
    ends: Callable[[list[int]], bool]
    token_limit: int

    def answers(self, prompts: list[torch.Tensor], drafts: list[list[int]] | None = None) -> list[GeneratedText]:
        """Greedy answers to prompts of any lengths, (N, H) each, computed together.

        Shorter prompts are padded in front; the padding is masked and positions do not count it. A prompt whose answer
        has ended leaves the batch. A `[SEG]` counts by the hidden state at its own position, so one that the limit
        cuts off right behind has none and gives no mask, as in the official code.

        Args:
            drafts: token ids of an expected answer for each prompt, the end token included; may be empty. What is
                greedy of a draft costs no step of its own: one pass reads it behind the prompt. The tokens are those
                without drafts. The states are then always those of one pass over the batch's prompts and answers, so
                that not even their last bits depend on the drafts.
        """
        expected = [[] for _ in prompts] if drafts is None else drafts
        # The last token of an answer is never read: nothing comes behind it.
        read = [draft[: self.token_limit][:-1] for draft in expected]
        token_ids, states, seg_states = self._greedy(prompts, read)
        if drafts is not None:
            answered = [ids[:-1] for ids in token_ids]
            places = [self._seg_places(ids) for ids in answered]
            if answered != read and any(places):
                states, _, _ = self._read(prompts, answered)
            seg_states = [states[row, [place + 1 for place in found]] for row, found in enumerate(places)]
        return [
            GeneratedText(ids, found, truncated=not self.ends(ids), drafted=ids == draft)
            for ids, found, draft in zip(token_ids, seg_states, expected, strict=True)
        ]

    def _read(
        self, prompts: list[torch.Tensor], tokens: list[list[int]]
    ) -> tuple[torch.Tensor, DynamicCache, torch.Tensor]:
        """One pass over prompts with tokens behind each.

        Returns:
            States (B, 1 + M, H) at the end of each prompt and at its tokens, M the most that a prompt has; the cache
            of all columns; their mask. What fills up a row of fewer tokens counts as a token: none looks ahead to it.
        """
        embeddings, mask = _pad_in_front(prompts)
        most = max(len(row) for row in tokens)
        if most:
            filled = torch.tensor([row + [0] * (most - len(row)) for row in tokens], device=embeddings.device)
            behind = self.language_model.get_input_embeddings()(filled)
            embeddings = torch.cat([embeddings, behind.to(embeddings)], dim=1)
            mask = torch.cat([mask, mask.new_ones(filled.shape)], dim=1)
        cache = DynamicCache()
        states = self.language_model.model(
            inputs_embeds=embeddings, past_key_values=cache, use_cache=True, **_padding_arguments(mask, len(mask[0]))
        ).last_hidden_state
        return states[:, -1 - most :], cache, mask

    def _greedy(
        self, prompts: list[torch.Tensor], read: list[list[int]]
    ) -> tuple[list[list[int]], torch.Tensor, list[torch.Tensor]]:
        """Greedy answers that begin with one pass over the tokens to `read` behind each prompt.

        Returns:
            Token ids of each answer; the states of that pass, as from `_read`; the states (S, H) at `[SEG]` that were
            computed step by step, token after token.
        """
        decoder, head = self.language_model.model, self.language_model.lm_head
        first_states, cache, mask = self._read(prompts, read)
        token_ids: list[list[int]] = []
        for row, guesses in zip(read, head(first_states).argmax(-1).tolist(), strict=True):
            ids: list[int] = []
            for place, token in enumerate(guesses):
                ids.append(token)
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
                running = [running[place] for place in kept]
            newest = torch.tensor([[token_ids[index][-1]] for index in running], device=mask.device)
            mask = torch.cat([mask, mask.new_ones((len(mask), 1))], dim=1)
            states = decoder(
                inputs_embeds=self.language_model.get_input_embeddings()(newest),
                past_key_values=cache,
                use_cache=True,
                **_padding_arguments(mask, 1),
            ).last_hidden_state[:, -1]
            for place, (index, token) in enumerate(zip(running, head(states).argmax(-1).tolist(), strict=True)):
                if token_ids[index][-1] == self.seg_id:
                    seg_states[index].append(states[place])
                token_ids[index].append(token)
        none = first_states.new_zeros((0, first_states.shape[-1]))
        return token_ids, first_states, [torch.stack(found) if found else none for found in seg_states]

    def _seg_places(self, token_ids: list[int]) -> list[int]:
        return [place for place, token in enumerate(token_ids) if token == self.seg_id]

    def _goes_on(self, token_ids: list[int]) -> bool:
        return len(token_ids) < self.token_limit and not self.ends(token_ids)


def _pad_in_front(prompts: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings (B, N, H) of B prompts of at most N rows, zeros in front of the shorter, and their mask (B, N)."""
    longest = max(len(prompt) for prompt in prompts)
    padded = [nn.functional.pad(prompt, (0, 0, longest - len(prompt), 0)) for prompt in prompts]
    mask = torch.ones((len(prompts), longest), dtype=torch.long, device=prompts[0].device)
    for row, prompt in zip(mask, prompts, strict=True):
        row[: longest - len(prompt)] = 0
    return torch.stack(padded), mask


def _padding_arguments(mask: torch.Tensor, newest: int) -> dict[str, torch.Tensor]:
    """What the language model must be told for its `newest` columns of a (B, N) mask; nothing without padding."""
    if bool(mask.all()):
        return {}
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    return {"attention_mask": mask, "position_ids": positions[:, -newest:]}


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
            f"tokenizer: its ids {strays} differ from the model's {config.token_ids}; use the folder's own"
        )
    limit = config.answer_token_limit if token_limit is None else token_limit
    if limit < 1:
        raise ValueError(f"max_new_tokens: expected at least 1, got {limit}")
    return limit
