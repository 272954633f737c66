"""InternVL's vision tower, projector and language model within Sa2VA.

Shapes: T tiles, K tokens a tile, N rows of a prompt, M visual tokens, H language width.
"""

from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import nn
from transformers import AutoModel, AutoModelForCausalLM
from transformers.models.internvl.modeling_internvl import InternVLMultiModalProjector

from .answer_text import plain_text, spaced_text
from .components import pixel_shuffle, set_query_key_epsilon
from .configuration_sa2va import Sa2VAConfig
from .language_pass import SegState
from .processing_sa2va import (
    IMAGE_CONTEXT,
    IMAGE_PLACEHOLDER,
    build_prompt,
    cut_tiles,
    image_bytes,
    image_text,
    normalise_tiles,
    region_cells,
    region_text,
)
from .prompt import EmbeddedWords, VisualTokens, embed_words

# What goes through the vision tower at once. Larger batches gain nothing there and cost memory.
TILES_AT_ONCE = 32


def encode_tiles(model: Any, pixel_values: torch.Tensor) -> torch.Tensor:
    """Image tokens of normalised tiles: (T, 3, 448, 448) -> (T, K, H)."""
    states = model.vision_tower(pixel_values=pixel_values).last_hidden_state[:, 1:]  # without the class token
    side = int(states.shape[1] ** 0.5)
    grid = pixel_shuffle(states.reshape(len(states), side, side, -1), model.config.downsample_ratio)
    return model.multi_modal_projector(grid.flatten(1, 2))


class InternVLBridge:
    """What `Bridge` asks, of InternVL with Qwen2, Qwen3 or Llama."""

    seg_state = SegState.AFTER_NORM

    def __init__(self, config: Sa2VAConfig):
        """Take the settings of a configuration."""
        self._config = config

    def modules(self) -> dict[str, nn.Module]:
        config = self._config
        tower = AutoModel.from_config(config.vision_config)
        set_query_key_epsilon(tower, config.vision_config.layer_norm_eps)
        projector: Any = InternVLMultiModalProjector(config)  # type: ignore[arg-type] # has its fields
        language: Any = AutoModelForCausalLM.from_config(config.text_config)
        return {"vision_tower": tower, "multi_modal_projector": projector, "language_model": language}

    def image_bytes(self, image: Image.Image) -> torch.Tensor:
        """Tiles (T, 3, side, side), the thumbnail last."""
        config = self._config
        return image_bytes(cut_tiles(image, config.min_tiles, config.max_tiles, config.tile_size, config.use_thumbnail))

    def picture_sizes(self, height: int, width: int) -> None:
        """Tiles are cut."""

    def frame_bytes(self, frames: Sequence[Image.Image]) -> torch.Tensor:
        """Each frame stretched to one tile."""
        side = self._config.tile_size
        return image_bytes([frame.resize((side, side), Image.Resampling.BICUBIC) for frame in frames])

    def image_tokens(self, pixels: torch.Tensor) -> tuple[int, ...]:
        """All tiles are one picture."""
        return (len(pixels) * self._config.tokens_per_tile,)

    def frame_tokens(self, pixels: torch.Tensor) -> tuple[int, ...]:
        return (self._config.tokens_per_tile,) * len(pixels)

    def encode(self, model: Any, images: Sequence[torch.Tensor]) -> list[VisualTokens]:
        tiles = torch.cat(list(images))
        encoded = [
            model.encode_tiles(normalise_tiles(part.to(model.device)).to(model.dtype))
            for part in tiles.split(TILES_AT_ONCE)
        ]
        tokens = torch.cat(encoded).split([len(image) for image in images])
        return [VisualTokens(part.flatten(0, 1)) for part in tokens]

    def prompt_ids(self, tokenizer: Any, text: str, past_text: str, pictures: Sequence[int] | None) -> list[int]:
        return self._ids(tokenizer, text, past_text, pictures, "")

    def _ids(
        self, tokenizer: Any, text: str, past_text: str, pictures: Sequence[int] | None, region_tokens: str
    ) -> list[int]:
        if IMAGE_CONTEXT in text:
            raise ValueError(
                f"text: {IMAGE_CONTEXT} stands for a part of an image. Take it out: {IMAGE_PLACEHOLDER} names an image"
            )
        named = next((sign for sign in (IMAGE_PLACEHOLDER, IMAGE_CONTEXT) if sign in past_text), None)
        if pictures is None and named is not None:
            raise ValueError(f"past_text holds an image ({named}), but no image is given. Give the same image again")
        images = None if pictures is None else "\n".join(image_text(1, count) for count in pictures)
        return tokenizer.encode(build_prompt(text, past_text, self._config.instruction, images, region_tokens))

    def words(self, model: Any, token_ids: list[int], pictures: Sequence[int]) -> EmbeddedWords:
        words = embed_words(model, token_ids, self._config.token_ids[IMAGE_CONTEXT])
        if words.gaps != tuple(pictures):
            raise ValueError(f"prompt: {IMAGE_CONTEXT} stands for a part of an image. Take it out")
        return words

    def prompt(self, model: Any, words: EmbeddedWords, visual: VisualTokens) -> torch.Tensor:
        return words.with_visual(visual.rows)

    def question(
        self,
        model: Any,
        tokenizer: Any,
        text: str,
        past_text: str,
        pixels: torch.Tensor | None = None,
        pictures: Sequence[int] = (),
        mask_prompts: Any = None,
    ) -> torch.Tensor:
        """The rows (N, H). `past_text` holds the pictures where there is any; regions stand behind them."""
        if pixels is None:
            if mask_prompts is not None:
                raise ValueError("mask_prompts: expected an image that the regions lie in, got None. Give the image")
            ids = self.prompt_ids(tokenizer, text, past_text, None)
            return model.embed_prompt(torch.tensor(ids, device=model.device), None)[0]
        if mask_prompts is None and not past_text:  # words first: afterwards the device is not asked for anything
            words = self.words(model, self.prompt_ids(tokenizer, text, past_text, pictures), pictures)
            return self.prompt(model, words, self.encode(model, [pixels])[0])
        (visual,) = self.encode(model, [pixels])
        rows, region_tokens = visual.rows, ""
        if mask_prompts is not None:
            cells = region_cells(mask_prompts, int(self._config.tokens_per_tile**0.5))
            region_tokens = region_text(cells)
            last_tile = rows[-self._config.tokens_per_tile :]  # the thumbnail, or the only tile
            rows = torch.cat([rows, *(last_tile[region.flatten().to(rows.device)] for region in cells)])
        ids = self._ids(tokenizer, text, past_text, pictures, region_tokens)
        return model.embed_prompt(torch.tensor(ids, device=model.device), rows)[0]

    def ends(self, token_ids: list[int], tokenizer: Any) -> bool:
        """At the tokenizer's end token, or at one of the template's words as text."""
        if token_ids[-1] == tokenizer.eos_token_id:
            return True
        text = tokenizer.decode(token_ids).replace("\r", "").replace("\n", "")
        return any(text.endswith(word) for word in self._config.stop_words)

    def answer_text(self, token_ids: list[int], tokenizer: Any) -> str:
        """Plain, but of InternLM2, whose own tokenizer puts blanks beside special tokens."""
        # A folder of format version 1 has code of its own, whose configuration lacks the number.
        count = getattr(self._config, "sentencepiece_ids", None)
        return plain_text(tokenizer, token_ids) if count is None else spaced_text(tokenizer, token_ids, count)
