"""A Sa2VA model whose passes are replayed as CUDA graphs.

A graph is captured for each set of shapes that comes, at the first call or once it comes again; that call is slow.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from transformers.cache_utils import DynamicCache

from .bridge import bridge_of
from .components import MaskLogits, Sam2Features
from .generation import GeneratedText
from .language_pass import LanguagePass, greedy_tokens
from .prompt import Prompt, as_prompt, on_device
from .replay import GraphPool, SideStream, Tensors, Wrap
from .tracking import Tracker, TrackingPasses


class GraphedModel:
    """The parts of a `Sa2VAModel` that a predictor uses, replayed; all else is the model's own."""

    def __init__(self, model: Any, replayed: Wrap | None = None, beside: GraphPool | None = None):
        """Wrap a model on a GPU.

        Args:
            replayed: makes a function a replayed one; None for CUDA graphs in a new pool.
            beside: a pool of graphs for SAM2's encoder, which may then run beside all else; None where it does not.
        """
        self._model = model
        wrap = GraphPool(model.device).replayed if replayed is None else replayed
        encode_tiles, encode_pictures, encode_sam2, decode_masks, read = stages(model)
        encoding = wrap if beside is None else beside.replayed
        self.aside = None if beside is None else SideStream(model.device)
        self._encode_tiles, self._encode_pictures = wrap(encode_tiles), wrap(encode_pictures)
        self._encode_sam2 = encoding(encode_sam2)
        self._decode_masks, self._read = wrap(decode_masks), wrap(read)
        self.tracking = TrackingPasses(model.sam2, wrap, encoding)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def encode_tiles(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """As that of the model."""
        return self._encode_tiles(pixel_values)[0]

    def encode_pictures(self, pixels: torch.Tensor) -> Tensors:
        """As that of the model."""
        return self._encode_pictures(pixels)

    def encode_sam2(self, pixel_values: torch.Tensor) -> Sam2Features:
        """As that of the model."""
        embedding, first, second = self._encode_sam2(pixel_values)
        return Sam2Features(embedding, (first, second))

    def decode_masks(
        self, features: Sam2Features, seg_states: torch.Tensor, image_index: torch.Tensor | None = None
    ) -> MaskLogits:
        """As that of the model."""
        if image_index is None:
            image_index = torch.zeros(len(seg_states), dtype=torch.long, device=seg_states.device)
        return MaskLogits(*self._decode_masks(features.embedding, *features.high_resolution, seg_states, image_index))

    def tracker(self, seg_states: torch.Tensor) -> Tracker:
        """As that of the model."""
        return Tracker(self._model.sam2, self._model.seg_projection(seg_states), self.tracking)

    def answers(
        self,
        prompts: Sequence[torch.Tensor | Prompt],
        tokenizer: Any,
        token_limit: int,
        drafts: list[list[int]] | None = None,
    ) -> list[GeneratedText]:
        """As that of the model; replayed where prompts of one length answer with one draft, the usual case.

        Last bits of the states may then differ from those of a draft that was wrong.
        """
        draft = drafts[0] if drafts else []
        asked = [as_prompt(prompt) for prompt in prompts]
        alike = len({len(prompt) for prompt in asked}) == 1 and all(other == draft for other in drafts or ())
        # What a limit cut off is no whole answer: the language model goes on behind it.
        whole = 0 < len(draft) <= token_limit and bridge_of(self._model).ends(draft, tokenizer)
        if alike and whole and not any(prompt.seg_places for prompt in asked):
            rows = torch.stack([prompt.rows for prompt in asked])
            read = on_device(draft[:-1], rows.device).expand(len(asked), -1)
            guesses, states = self._read(rows, read, *_beside(asked, len(draft) - 1))
            if guesses.tolist() == drafts:
                seg = self._model.config.token_ids["[SEG]"]
                places = [place + 1 for place, token in enumerate(draft[:-1]) if token == seg]
                return [GeneratedText(list(draft), row[places], truncated=False, drafted=True) for row in states]
        return self._model.answers(prompts, tokenizer, token_limit, drafts)


def _beside(prompts: list[Any], more: int) -> Tensors:
    """What prompts of one length hold beside their rows, for so many tokens more behind each.

    Positions (3, B, N + M), then levels (B, N + M, H) each; nothing where all are rows alone.
    """
    if all(prompt.positions is None for prompt in prompts):
        return ()
    device, length = prompts[0].rows.device, len(prompts[0])
    behind = [torch.arange(length, length + more) + prompt.shift for prompt in prompts]
    positions = torch.stack(
        [torch.cat([prompt.positions, words.expand(3, -1)], 1) for prompt, words in zip(prompts, behind, strict=True)],
        1,
    )
    levels = (torch.stack(level) for level in zip(*(prompt.levels for prompt in prompts), strict=True))
    return (positions.to(device), *(nn.functional.pad(level, (0, 0, 0, more)) for level in levels))


def stages(model: Any) -> tuple[Callable[..., Tensors], ...]:
    """The model's passes as functions of tensors alone.

    They are `encode_tiles` and `encode_pictures`, of which its family uses one, `encode_sam2`, `decode_masks`
    (features, states, image of each), and a pass over prompts
    (B, N, H) with M tokens (B, M) behind each and what `_beside` gives: the greedy tokens (B, 1 + M) at the end of the
    prompt and at each token, and the states (B, 1 + M, H) that count at a `[SEG]`.
    """
    # The model's own, so that the states are those that its code takes; folders older than bridges have an InternVL.
    language_pass = getattr(model, "language_pass", lambda: LanguagePass(model.language_model.model))()

    def encode_tiles(pixels: torch.Tensor) -> Tensors:
        return (model.encode_tiles(pixels),)

    def encode_pictures(pixels: torch.Tensor) -> Tensors:
        return model.encode_pictures(pixels)

    def encode_sam2(pixels: torch.Tensor) -> Tensors:
        features = model.encode_sam2(pixels)
        return (features.embedding, *features.high_resolution)

    def decode_masks(
        embedding: torch.Tensor, first: torch.Tensor, second: torch.Tensor, *which: torch.Tensor
    ) -> Tensors:
        found = model.decode_masks(Sam2Features(embedding, (first, second)), *which)
        return found.low_resolution, found.predicted_iou, found.object_score

    def read(prompts: torch.Tensor, tokens: torch.Tensor, *beside: torch.Tensor) -> Tensors:
        language = model.language_model
        embeddings = torch.cat([prompts, language.get_input_embeddings()(tokens).to(prompts)], 1)
        passed = language_pass(embeddings, DynamicCache(), positions=beside[0] if beside else None, levels=beside[1:])
        end = slice(-1 - tokens.shape[1], None)
        return greedy_tokens(language.lm_head, passed.states[:, end]), passed.seg_states[:, end]

    return encode_tiles, encode_pictures, encode_sam2, decode_masks, read
