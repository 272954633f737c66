"""Qwen's vision-language models within Sa2VA, on transformers' own towers and layers.

Shapes: n pictures, N rows of a prompt, M visual tokens, H language width.
"""

from abc import ABC
from collections.abc import Sequence
from itertools import groupby
from typing import Any

import torch
from PIL import Image
from torch import nn
from transformers import PretrainedConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VLTextModel
from transformers.models.qwen3_vl.modeling_qwen3_vl import Qwen3VLTextModel

from .answer_text import plain_text
from .configuration_sa2va import Sa2VAConfig
from .language_pass import SegState
from .official_calls import say_once
from .processing_sa2va import IMAGE_PLACEHOLDER
from .prompt import EmbeddedWords, Prompt, VisualTokens, embed_words
from .qwen_pixels import (
    PixelSettings,
    patch_grid,
    picture_patches,
    picture_positions,
    resized_picture,
    resized_to,
)
from .qwen_towers import Qwen2_5VLTower, Qwen3VLTower

PICTURE_START, PICTURE_END, PICTURE_TOKEN = "<|vision_start|>", "<|vision_end|>", "<|image_pad|>"
VIDEO_TOKEN = "<|video_pad|>"  # these models see the frames of a video as images

# Patches that go through the vision tower at once: pictures of 24 frames at the least size.
PATCHES_AT_ONCE = 40_000


class LanguageModel(nn.Module):
    """The layers of a language model and its output head, by the names that language models have in transformers."""

    def __init__(self, layers: nn.Module, config: PretrainedConfig):
        """Put a new head, never tied to the embeddings, beside the layers."""
        super().__init__()
        self.config = config
        self.model = layers
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    def get_input_embeddings(self) -> Any:
        return self.model.embed_tokens

    def set_input_embeddings(self, value: Any) -> None:
        self.model.embed_tokens = value

    def get_output_embeddings(self) -> Any:
        return self.lm_head

    def set_output_embeddings(self, value: Any) -> None:
        self.lm_head = value


def pixel_settings(config: Sa2VAConfig) -> PixelSettings:
    """How the family of a configuration makes patches of pixels."""
    vision = config.vision_config
    return PixelSettings(
        vision.patch_size,
        vision.spatial_merge_size,
        vision.temporal_patch_size,
        config.least_pixels,
        config.most_pixels,
        tuple(config.pixel_mean),
        tuple(config.pixel_std),
    )


def encode_pictures(model: Any, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Image tokens of pictures of one size, uint8 (n, 3, h, w) -> (M, H), and levels of the same shape."""
    settings = pixel_settings(model.config)
    patches = picture_patches(pixels, settings).to(model.dtype)
    return model.vision_tower(patches, *patch_grid(pixels, settings))


class QwenVLBridge(ABC):
    """What the Qwen families have in common of what `Bridge` asks."""

    seg_state: SegState

    def __init__(self, config: Sa2VAConfig):
        """Take the settings of a configuration."""
        self._config = config
        self._settings = pixel_settings(config)

    def image_bytes(self, image: Image.Image) -> torch.Tensor:
        """One picture after both resizes."""
        return resized_picture(image, self._settings)[None]

    def picture_sizes(self, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]]:
        return resized_to(height, width, self._settings)

    def frame_bytes(self, frames: Sequence[Image.Image]) -> torch.Tensor:
        """Each frame as an image is seen."""
        return torch.stack([resized_picture(frame, self._settings) for frame in frames])

    def image_tokens(self, pixels: torch.Tensor) -> tuple[int, ...]:
        rows, columns = self._token_grid(pixels)
        return (rows * columns,) * len(pixels)

    def frame_tokens(self, pixels: torch.Tensor) -> tuple[int, ...]:
        return self.image_tokens(pixels)

    def _token_grid(self, pixels: torch.Tensor) -> tuple[int, int]:
        multiple = self._settings.multiple
        return pixels.shape[-2] // multiple, pixels.shape[-1] // multiple

    def encode(self, model: Any, images: Sequence[torch.Tensor]) -> list[VisualTokens]:
        """Pictures of one size go through the tower together."""
        found: dict[int, VisualTokens] = {}
        sizes: dict[tuple[int, ...], list[int]] = {}
        for place, pixels in enumerate(images):
            sizes.setdefault(tuple(pixels.shape[-2:]), []).append(place)
        for places in sizes.values():
            waiting: list[int] = []
            for place in places:
                waiting.append(place)
                patches = sum(images[one][:, 0].numel() for one in waiting) // self._settings.patch**2
                if place == places[-1] or patches >= PATCHES_AT_ONCE:
                    found |= zip(waiting, self._encoded(model, [images[one] for one in waiting]), strict=True)
                    waiting = []
        return [found[place] for place in range(len(images))]

    def _encoded(self, model: Any, images: Sequence[torch.Tensor]) -> list[VisualTokens]:
        """Visual tokens of images of one size, which go through the tower together."""
        rows, *levels = model.encode_pictures(torch.cat([pixels.to(model.device) for pixels in images]))
        lengths = [sum(self.image_tokens(pixels)) for pixels in images]
        split = [level.split(lengths) for level in levels]
        return [
            VisualTokens(part, (self._token_grid(pixels),) * len(pixels), tuple(level[at] for level in split))
            for at, (pixels, part) in enumerate(zip(images, rows.split(lengths), strict=True))
        ]

    def prompt_ids(self, tokenizer: Any, text: str, past_text: str, pictures: Sequence[int] | None) -> list[int]:
        """With pictures, these come first and `past_text` has no effect; without, it stands before the text."""
        for name, given in (("text", text), ("past_text", past_text if pictures is None else "")):
            sign = next((sign for sign in (PICTURE_TOKEN, VIDEO_TOKEN) if sign in given), None)
            if sign is not None:
                raise ValueError(f"{name}: {sign} stands for a part of an image or a video. Take it out")
        if pictures is None:
            if IMAGE_PLACEHOLDER in past_text:
                raise ValueError(
                    f"past_text holds an image ({IMAGE_PLACEHOLDER}), but no image is given. Give the same image again"
                )
            asked = past_text + text.replace(IMAGE_PLACEHOLDER, "")
        else:
            shown = (PICTURE_START + PICTURE_TOKEN * count + PICTURE_END for count in pictures)
            asked = "".join(shown) + text.replace(IMAGE_PLACEHOLDER, "")
        return tokenizer.encode(self._config.instruction.replace("{input}", asked))

    def words(self, model: Any, token_ids: list[int], pictures: Sequence[int]) -> EmbeddedWords:
        words = embed_words(model, token_ids, self._config.token_ids[PICTURE_TOKEN])
        if words.gaps != tuple(pictures):
            raise ValueError(f"text: {PICTURE_TOKEN} stands for a part of an image. Take it out")
        return words

    def prompt(self, model: Any, words: EmbeddedWords, visual: VisualTokens) -> Prompt:
        grids = iter(visual.grids)
        placeholder = self._config.token_ids[PICTURE_TOKEN]
        runs = [
            (len(list(run)), next(grids) if is_picture else None)
            for is_picture, run in groupby(words.token_ids, lambda token: token == placeholder)
        ]
        seg = self._config.token_ids["[SEG]"]
        return Prompt(
            words.with_visual(visual.rows),
            picture_positions(runs),
            tuple(words.without_words().with_visual(level) for level in visual.levels),
            tuple(place for place, token in enumerate(words.token_ids) if token == seg),
        )

    def question(
        self,
        model: Any,
        tokenizer: Any,
        text: str,
        past_text: str,
        pixels: torch.Tensor | None = None,
        pictures: Sequence[int] = (),
        mask_prompts: Any = None,
    ) -> torch.Tensor | Prompt:
        """As the official models: with pictures neither `past_text` nor regions have an effect, which is said once."""
        if mask_prompts is not None:
            say_once("mask_prompts: has no effect, since this family of models knows no regions")
        if pixels is None:
            ids = self.prompt_ids(tokenizer, text, past_text, None)
            return self.words(model, ids, ()).pieces[0]
        if past_text:
            say_once("past_text: has no effect beside an image or a video in this family of models")
        words = self.words(model, self.prompt_ids(tokenizer, text, past_text, pictures), pictures)
        (visual,) = self.encode(model, [pixels])
        return self.prompt(model, words, visual)

    def ends(self, token_ids: list[int], tokenizer: Any) -> bool:
        """At the end of a turn alone: the base's second end token does not count."""
        return token_ids[-1] == self._config.text_config.eos_token_id

    def answer_text(self, token_ids: list[int], tokenizer: Any) -> str:
        return plain_text(tokenizer, token_ids)


class Qwen2_5VLBridge(QwenVLBridge):
    """What `Bridge` asks, of Qwen2.5-VL. Its vision tower has no levels beside its tokens."""

    seg_state = SegState.AFTER_NORM

    def modules(self) -> dict[str, nn.Module]:
        tower: Any = Qwen2_5VLTower._from_config(self._config.vision_config)
        layers: Any = Qwen2_5_VLTextModel._from_config(self._config.text_config)
        return {"vision_tower": tower, "language_model": LanguageModel(layers, self._config.text_config)}


class Qwen3VLBridge(QwenVLBridge):
    """What `Bridge` asks, of Qwen3-VL.

    Its models were trained with the states of `[SEG]` before the final norm, which transformers 4.57 gives as the last
    of `hidden_states`. With those after it words stay right, and every mask is wrong.
    """

    seg_state = SegState.BEFORE_NORM

    def modules(self) -> dict[str, nn.Module]:
        tower: Any = Qwen3VLTower._from_config(self._config.vision_config)
        layers: Any = Qwen3VLTextModel._from_config(self._config.text_config)
        return {"vision_tower": tower, "language_model": LanguageModel(layers, self._config.text_config)}
