"""What Sa2VA asks of the vision-language model within it, and which answers for a configuration.

Four questions are here: the inputs of an image, the prompt, the state of `[SEG]`, and the end of an answer. The fifth,
names of tensors, belongs to the conversion. No other module asks of which family a model is.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from PIL import Image
from torch import nn

from .bridge_internvl import InternVLBridge
from .bridge_qwen_vl import Qwen2_5VLBridge, Qwen3VLBridge
from .configuration_sa2va import Family, Sa2VAConfig
from .language_pass import SegState
from .prompt import EmbeddedWords, Prompt, VisualTokens


class Bridge(Protocol):
    """A family's answers. Shapes: n pictures or tiles, N rows of a prompt, H language width.

    Attributes:
        seg_state: which hidden state counts at a `[SEG]`.
    """

    seg_state: SegState

    def modules(self) -> dict[str, nn.Module]:
        """The modules of the vision-language model by name, without values: `vision_tower`, `language_model`, ..."""

    def image_bytes(self, image: Image.Image) -> torch.Tensor:
        """An RGB image as the language model sees it, uint8 (n, 3, h, w)."""

    def picture_sizes(self, height: int, width: int) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """How `image_bytes` resizes an image, so that a device can do it.

        Returns:
            Height and width behind Pillow's resize, and then behind PyTorch's; None where it is cut into the tiles that
            the configuration describes.
        """

    def frame_bytes(self, frames: Sequence[Image.Image]) -> torch.Tensor:
        """RGB frames of one size as it sees those of a sequence, uint8 (n, 3, h, w), one each."""

    def image_tokens(self, pixels: torch.Tensor) -> tuple[int, ...]:
        """Number of tokens of each picture of an image, from `image_bytes`."""

    def frame_tokens(self, pixels: torch.Tensor) -> tuple[int, ...]:
        """Number of tokens of each frame, from `frame_bytes`."""

    def encode(self, model: Any, images: Sequence[torch.Tensor]) -> list[VisualTokens]:
        """Visual tokens of images or sequences (`image_bytes`, `frame_bytes`), computed on the model's device."""

    def prompt_ids(self, tokenizer: Any, text: str, past_text: str, pictures: Sequence[int] | None) -> list[int]:
        """Token ids of one turn.

        Args:
            text: the user's words.
            past_text: earlier turns.
            pictures: number of tokens of each picture; None for a text-only call.
        Raises:
            ValueError: for words that cannot be with these pictures.
        """

    def words(self, model: Any, token_ids: list[int], pictures: Sequence[int]) -> EmbeddedWords:
        """The words of a prompt, embedded. Raises ValueError where placeholders are not those of its pictures."""

    def prompt(self, model: Any, words: EmbeddedWords, visual: VisualTokens) -> torch.Tensor | Prompt:
        """A prompt with its pictures."""

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
        """The whole prompt of one call; `pixels` from `image_bytes` or `frame_bytes`, None without a picture.

        Raises:
            ValueError: for arguments that cannot go together.
        """

    def ends(self, token_ids: list[int], tokenizer: Any) -> bool:
        """Whether token ids, at least one, are a whole answer."""

    def answer_text(self, token_ids: list[int], tokenizer: Any) -> str:
        """The text of an answer as the official model of the family writes it, special tokens included."""


_BRIDGES: dict[Family, Callable[[Sa2VAConfig], Bridge]] = {
    Family.INTERNVL: InternVLBridge,
    Family.QWEN2_5_VL: Qwen2_5VLBridge,
    Family.QWEN3_VL: Qwen3VLBridge,
}


def bridge_for(config: Sa2VAConfig) -> Bridge:
    """A new bridge of a configuration's family."""
    # A folder of format version 1 has code of its own, whose configuration knows no families.
    family = getattr(config, "family", Family.INTERNVL.value)
    return _BRIDGES[Family(family)](config)


def bridge_of(model: Any) -> Bridge:
    """The bridge of a model; a new one where the code of its folder is older than bridges."""
    return getattr(model, "bridge", None) or bridge_for(model.config)
