"""Passes of a language model over prompts and new tokens, alike for every family and version of transformers.

Shapes: B prompts, N columns so far, K columns of a pass, H language width.
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Any, NamedTuple

import torch
from torch import nn


class SegState(Enum):
    """Which hidden state of a token tells SAM2 what to draw: the last layer's, before or after the final norm."""

    BEFORE_NORM = "before the final norm"
    AFTER_NORM = "after the final norm"


class Passed(NamedTuple):
    """What a pass gives for its K columns.

    Attributes:
        states: (B, K, H) after the final norm, which the output head takes.
        seg_states: (B, K, H) that count at a `[SEG]`.
    """

    states: torch.Tensor
    seg_states: torch.Tensor


class LanguagePass:
    """Runs the layers of a language model."""

    def __init__(self, decoder: Any, seg_state: SegState = SegState.AFTER_NORM):
        """Wrap the layers, without the output head.

        Args:
            seg_state: which states are kept for `[SEG]`.
        Raises:
            TypeError: for what is no `SegState`. That of another copy of this code would be neither, and wrong states
                spoil masks without a word.
        """
        if not isinstance(seg_state, SegState):
            raise TypeError(f"seg_state: expected a {SegState.__module__}.SegState, got {seg_state!r}")
        self._decoder = decoder
        self._seg_state = seg_state
        self._cache_name = cache_name(decoder.forward)

    def __call__(
        self,
        embeddings: torch.Tensor,
        cache: Any,
        mask: torch.Tensor | None = None,
        positions: torch.Tensor | None = None,
        levels: Sequence[torch.Tensor] = (),
    ) -> Passed:
        """One pass over the newest K columns, (B, K, H); the cache takes them up.

        Args:
            mask: (B, N) of all columns, 0 at padding; None without padding.
            positions: (3, B, K) in time, rows and columns; None where columns are counted.
            levels: (B, K, H) each, added behind the first, second, ... layer.
        """
        newest = embeddings.shape[1]
        told: dict[str, Any] = {self._cache_name: cache, "use_cache": True}
        if mask is not None:
            told |= {"attention_mask": mask, "position_ids": counted(mask, newest)}
        if positions is not None:
            # The first row counts columns: where it were a picture's place in time, that of one column would be that
            # of the next, which some versions take for the end of a text.
            columns = counted(_or_ones(mask, cache, embeddings), newest)
            told["position_ids"] = torch.cat([columns[None], positions])
        columns = newest + cache.get_seq_length()
        with (
            _fixed_frequencies(getattr(self._decoder, "rotary_emb", None), columns),
            _added(self._decoder.layers, levels),
            _inputs_of(self._decoder.norm) as raw,
        ):
            states = self._decoder(inputs_embeds=embeddings, **told).last_hidden_state
        return Passed(states, raw[-1] if self._seg_state is SegState.BEFORE_NORM else states)


NOT_FINITE = -1  # the token in the place of one that an overflow leaves untold


def greedy_tokens(head: Callable[[torch.Tensor], torch.Tensor], states: torch.Tensor) -> torch.Tensor:
    """The likeliest tokens int64 (B, K) behind states (B, K, H); `NOT_FINITE` where values are infinite or NaN.

    The device is not asked, so that it can be part of a CUDA graph: the tokens tell.
    """
    logits = head(states)
    tokens = logits.argmax(-1)
    is_told = logits.gather(-1, tokens[..., None])[..., 0].isfinite()
    return tokens.masked_fill(~is_told, NOT_FINITE)


def told_token(token: int, dtype: torch.dtype) -> int:
    """One of `greedy_tokens`. Raises ValueError, which names the dtype, for `NOT_FINITE`: it is no end of an answer."""
    if token != NOT_FINITE:
        return token
    if dtype is torch.float16:
        why = f"it or the vision tower overflows {dtype}. Take dtype bfloat16 or float32"
    else:
        why = f"in {dtype}, so that its weights are damaged. Copy or convert the model's folder again"
    raise ValueError(f"the language model gives values that are not finite: {why}")


def cache_name(forward: Callable) -> str:
    """The argument under which a language model takes its cache.

    It is `cache` where the signature says so, from transformers 5.24 on, and `past_key_values` before: versions that do
    not know a name swallow it without a word, and decode without what came before.
    """
    return "cache" if "cache" in inspect.signature(forward).parameters else "past_key_values"


def counted(mask: torch.Tensor, newest: int) -> torch.Tensor:
    """The places (B, K) of the newest K columns of a (B, N) mask; padding in front is not counted."""
    return (mask.cumsum(-1) - 1).clamp(min=0)[:, -newest:]


def _or_ones(mask: torch.Tensor | None, cache: Any, embeddings: torch.Tensor) -> torch.Tensor:
    if mask is not None:
        return mask
    columns = cache.get_seq_length() + embeddings.shape[1]
    return torch.ones((len(embeddings), columns), dtype=torch.long, device=embeddings.device)


@contextmanager
def _fixed_frequencies(rotary: Any, columns: int) -> Iterator[None]:
    """Keep dynamic rotary embeddings from reading the length off the device, where it changes no frequency.

    Where a longer text changed them before, they must be asked, and change back.
    """
    kind = getattr(rotary, "rope_type", None)
    if kind != "dynamic" or max(columns, rotary.max_seq_len_cached) > rotary.original_max_seq_len:
        yield
        return
    rotary.rope_type = "default"
    try:
        yield
    finally:
        rotary.rope_type = kind


@contextmanager
def _added(layers: nn.ModuleList, levels: Sequence[torch.Tensor]) -> Iterator[None]:
    """Add a tensor to the output of each of the first layers within the block."""
    handles = [
        layer.register_forward_hook(lambda _module, _arguments, states, level=level: states + level)
        for layer, level in zip(layers, levels, strict=False)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _inputs_of(module: nn.Module) -> Iterator[list[torch.Tensor]]:
    """A list that takes up what a module is given within the block."""
    given: list[torch.Tensor] = []
    handle = module.register_forward_pre_hook(lambda _module, arguments: given.append(arguments[0]))
    try:
        yield given
    finally:
        handle.remove()
