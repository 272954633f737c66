"""A Sa2VA model whose passes are replayed as CUDA graphs: at batch 1 the launches take longer than the computing.

A graph is captured for each set of shapes that comes, at the first call, which is therefore slow. Weights and kernels
are those of the model itself; last bits may differ from those of single launches.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers.cache_utils import DynamicCache

from helpers.model.components import MaskLogits, Sam2Features
from helpers.model.generation import GeneratedText
from helpers.model.language_pass import LanguagePass, greedy_tokens
from helpers.model.prompt import Prompt, as_prompt

Tensors = tuple[torch.Tensor, ...]

# Shapes of one function that get a graph; more would hold much memory, and capturing costs more than launching.
MOST_SHAPES = 8
_WARM_UP = 2


class Replayed:
    """A function of tensors on a GPU, replayed as one CUDA graph for each set of shapes."""

    def __init__(self, function: Callable[..., Tensors], pool: Any):
        """Wrap a function that neither reads values back nor keeps tensors.

        Args:
            pool: handle of the graphs' memory; functions that share it must not run at the same time.
        """
        self._function = function
        self._pool = pool
        self._held: dict[tuple, tuple[torch.cuda.CUDAGraph, Tensors, Tensors]] = {}

    def __call__(self, *tensors: torch.Tensor) -> Tensors:
        shapes = tuple((tensor.shape, tensor.dtype) for tensor in tensors)
        if shapes not in self._held and len(self._held) >= MOST_SHAPES:
            return self._function(*tensors)
        with torch.cuda.device(tensors[0].device):
            if shapes not in self._held:
                self._held[shapes] = self._capture(tensors)
            graph, inputs, outputs = self._held[shapes]
            for own, given in zip(inputs, tensors, strict=True):
                own.copy_(given)
            graph.replay()
            # The next replay writes to the same places.
            return tuple(output.clone() for output in outputs)

    def _capture(self, tensors: Tensors) -> tuple[torch.cuda.CUDAGraph, Tensors, Tensors]:
        inputs = tuple(tensor.clone() for tensor in tensors)
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # libraries choose their kernels and work space in the first calls
            for _ in range(_WARM_UP):
                self._function(*inputs)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        # The thread that gathers the next batch uses the device meanwhile.
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            outputs = self._function(*inputs)
        return graph, inputs, outputs


class GraphedModel:
    """The parts of a `Sa2VAModel` that a predictor uses, replayed; all else is the model's own."""

    def __init__(self, model: Any, replayed: Callable[[Callable[..., Tensors]], Callable[..., Tensors]] | None = None):
        """Wrap a model on a GPU.

        Args:
            replayed: makes a function a replayed one; None for CUDA graphs that share their memory.
        """
        self._model = model
        if replayed is None:
            with torch.cuda.device(model.device):
                pool = torch.cuda.graph_pool_handle()
            replayed = lambda function: Replayed(function, pool)  # noqa: E731
        made = map(replayed, stages(model))
        self._encode_tiles, self._encode_pictures, self._encode_sam2, self._decode_masks, self._read = made

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
        embedding, *high_resolution = self._encode_sam2(pixel_values)
        return Sam2Features(embedding, tuple(high_resolution))

    def decode_masks(self, features: Sam2Features, seg_states: torch.Tensor, image_index: torch.Tensor) -> MaskLogits:
        """As that of the model."""
        return MaskLogits(*self._decode_masks(features.embedding, *features.high_resolution, seg_states, image_index))

    def answers(
        self,
        prompts: Sequence[torch.Tensor | Prompt],
        tokenizer: Any,
        token_limit: int,
        drafts: list[list[int]] | None = None,
    ) -> list[GeneratedText]:
        """As that of the model; replayed where prompts of one length answer with one draft, the usual case."""
        draft = drafts[0] if drafts else []
        asked = [as_prompt(prompt) for prompt in prompts]
        alike = len({len(prompt) for prompt in asked}) == 1 and all(other == draft for other in drafts or ())
        if alike and 0 < len(draft) <= token_limit and not any(prompt.seg_places for prompt in asked):
            rows = torch.stack([prompt.rows for prompt in asked])
            read = torch.tensor(draft[:-1], device=rows.device).expand(len(asked), -1)
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

    def decode_masks(embedding: torch.Tensor, first: torch.Tensor, second: torch.Tensor, *which) -> Tensors:
        found = model.decode_masks(Sam2Features(embedding, (first, second)), *which)
        return found.low_resolution, found.predicted_iou, found.object_score

    def read(prompts: torch.Tensor, tokens: torch.Tensor, *beside: torch.Tensor) -> Tensors:
        language = model.language_model
        embeddings = torch.cat([prompts, language.get_input_embeddings()(tokens).to(prompts)], 1)
        with _fixed_frequencies(language.model.rotary_emb, embeddings.shape[1]):
            passed = language_pass(
                embeddings, DynamicCache(), positions=beside[0] if beside else None, levels=beside[1:]
            )
        end = slice(-1 - tokens.shape[1], None)
        return greedy_tokens(language.lm_head, passed.states[:, end]), passed.seg_states[:, end]

    return encode_tiles, encode_pictures, encode_sam2, decode_masks, read


@contextmanager
def _fixed_frequencies(rotary: nn.Module, length: int) -> Iterator[None]:
    """Keep dynamic rotary embeddings from reading the length off the device, where it changes no frequency."""
    kind = rotary.rope_type
    if kind == "dynamic" and length <= rotary.original_max_seq_len:
        rotary.rope_type = "default"
    try:
        yield
    finally:
        rotary.rope_type = kind
