"""What a model without training needs to be measured: words, weights, images of noise, and an answer that it gives."""

import io
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

from helpers.core.vocabulary import Preset, Quantization
from helpers.dev.bench.model_presets import preset_config, special_tokens
from helpers.model.configuration_sa2va import Family
from helpers.model.modeling_sa2va import Sa2VAModel
from helpers.prediction.engine.dtypes import ModelDtype
from helpers.prediction.engine.materialize import fill, without_values

# Different images among those of a folder: drawing and compressing each would take longer than predicting it.
_DIFFERENT = 64
# As many tokens as the answer of the published models, one of them `[SEG]`.
FORCED_ANSWER = "Sure, [SEG].<|im_end|>"

_WORD = re.compile(r"<[^<>\s]+>|\[SEG\]| ?\w+|\s| ?[^\w\s]")
_SPREAD = 0.02


class WordTokenizer:
    """Words and signs as tokens, numbered as they come: a prompt has about as many as with the real tokenizer."""

    def __init__(self, family: Family = Family.INTERNVL) -> None:
        self._ids = {token: index for index, token in enumerate(special_tokens(family))}
        self.eos_token_id = self._id("<|im_end|>")

    def encode(self, text: str) -> list[int]:
        return [self._id(word) for word in _WORD.findall(text)]

    def decode(self, ids: list[int], skip_special_tokens: bool = False) -> str:
        words = list(self._ids)
        return "".join(words[index] for index in ids)

    def convert_tokens_to_ids(self, token: str) -> int:
        return self._id(token)

    def _id(self, word: str) -> int:
        return self._ids.setdefault(word, len(self._ids))


class ForcedAnswer:
    """Makes an output head say the same answer each time; it computes all that it would compute otherwise."""

    def __init__(self, head: nn.Module, token_ids: list[int]):
        """Force the answer from now on.

        Args:
            head: of the language model: logits (B, P, V) after a pass over prompts, (B, V) after a single token.
            token_ids: of the answer, its end included; the last pass reads all but the last token.
        """
        weight = head.weight
        if not isinstance(weight, torch.Tensor):
            raise TypeError(f"head: expected an output head with a weight, got {type(head).__name__}")
        self._ids = torch.tensor(token_ids, device=weight.device)
        self._step = 0
        head.register_forward_hook(self._force)

    def _force(self, _head: nn.Module, _arguments: tuple, logits: torch.Tensor) -> torch.Tensor:
        if logits.ndim == 3:
            self._step = 0
            wanted = self._ids[: logits.shape[1]]
        else:
            wanted = self._ids[self._step]
        self._step += 1
        most = torch.finfo(logits.dtype).max  # an infinite one counts as an overflow
        return logits.scatter_(-1, wanted.expand(logits.shape[:-1])[..., None], most)


def stand_in(
    preset: Preset, device: torch.device, dtype: ModelDtype, quantization: Quantization | None = None
) -> tuple[Sa2VAModel, Any]:
    """A model of a preset's sizes with random weights made on the device, and its tokenizer.

    Random weights do not answer with `[SEG]`: the answer is forced to be `FORCED_ANSWER`.
    """
    config = preset_config(preset)
    tokenizer = WordTokenizer(Family(config.family))
    model = without_values(lambda: Sa2VAModel._from_config(config, dtype=dtype.main))
    fill(model, _random_tensors(model, device, dtype.main), device, dtype, quantization)
    ForcedAnswer(model.language_model.lm_head, tokenizer.encode(FORCED_ANSWER))
    return model, tokenizer


def _random_tensors(model: nn.Module, device: torch.device, dtype: torch.dtype) -> Iterator[tuple[str, torch.Tensor]]:
    """A tensor for each name: unit gain for weights, one for the scales of norms, little elsewhere."""
    random = torch.Generator(device).manual_seed(0)
    for name, empty in model.state_dict().items():
        if not empty.is_floating_point():
            yield name, empty
        elif empty.ndim == 1:
            is_scale = name.endswith("weight")
            yield name, torch.full(empty.shape, float(is_scale) or _SPREAD, device=device, dtype=dtype)
        else:
            spread = 1 / math.sqrt(math.prod(empty.shape[1:])) if name.endswith("weight") else _SPREAD
            values = torch.empty(empty.shape, device=device, dtype=dtype)
            yield name, values.normal_(0, min(spread, 1.0), generator=random)


def draw_noise(side: int, seed: int) -> Image.Image:
    """A square RGB image of grey noise."""
    grey = np.random.default_rng(seed).integers(0, 256, (side, side), dtype=np.uint8)
    return Image.fromarray(grey).convert("RGB")


def write_noise(folder: Path, side: int, count: int) -> list[Path]:
    """So many PNG files `case-00000.png`, ... of square noise in a new folder."""
    folder.mkdir(parents=True)
    drawn = [_png(draw_noise(side, seed)) for seed in range(min(count, _DIFFERENT))]
    paths = [folder / f"case-{number:05d}.png" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(drawn[number % len(drawn)])
    return paths


def _png(image: Image.Image) -> bytes:
    kept = io.BytesIO()
    image.save(kept, "PNG", compress_level=1)  # noise takes long to compress, in vain
    return kept.getvalue()
