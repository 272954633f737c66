"""SAM2's mask decoder as Sa2VA calls it, for images and for frames of a sequence.

Shapes: S objects, one for each `[SEG]`; D SAM2 width.
"""

from types import MethodType
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.func import functional_call
from transformers import Sam2VideoModel


class Candidates(NamedTuple):
    """SAM2's three masks for each object.

    Attributes:
        logits: (S, 3, 4 h, 4 w).
        predicted_iou: (S, 3), SAM2's own estimates, in [0, 1].
        tokens: (S, 3, D), of which object pointers are made.
        object_score: (S,) logits that the object is there at all.
    """

    logits: torch.Tensor
    predicted_iou: torch.Tensor
    tokens: torch.Tensor
    object_score: torch.Tensor

    @property
    def best(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Where the candidates of highest predicted IoU are: index of objects and of candidates, (S,) each."""
        return torch.arange(len(self.logits), device=self.logits.device), self.predicted_iou.argmax(-1)


def decode(
    sam2: Sam2VideoModel,
    embedding: torch.Tensor,
    high_resolution: tuple[torch.Tensor, ...],
    prompts: torch.Tensor | None,
) -> Candidates:
    """Masks of S objects in one pass of the decoder.

    Args:
        embedding: (S, D, h, w).
        high_resolution: (S, D / 8, 4 h, 4 w) and (S, D / 4, 2 h, 2 w).
        prompts: (S, D) projected states of the `[SEG]`; None where memory alone tells what to mask.
    """
    count = len(embedding)
    # A Sa2VA model is trained with two "not a point" tokens before the language token: an explicit one and the padding
    # that the prompt encoder adds.
    points = embedding.new_zeros((count, 1, 1, 2))
    labels = torch.full((count, 1, 1), -1, device=embedding.device)
    sparse, dense = sam2.prompt_encoder(points, labels, None, None)
    if prompts is not None:
        # A batch of S pairs with one prompt each.
        sparse = torch.cat([sparse.to(prompts), prompts[:, None, None]], dim=2)
    if embedding.dtype is torch.float16:
        compute_wide(sam2.mask_decoder.transformer)
    positions = sam2.get_image_wide_positional_embeddings().to(embedding)
    masks, iou, tokens, object_score = sam2.mask_decoder(
        image_embeddings=embedding,
        image_positional_embeddings=positions.expand(count, -1, -1, -1),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=True,
        high_resolution_features=list(high_resolution),
    )
    return Candidates(masks[:, 0], iou[:, 0], tokens[:, 0], object_score[:, 0, 0])


def compute_wide(transformer: nn.Module) -> None:
    """Let a mask decoder's transformer compute in float32 wherever it is given float16. Its weights stay."""
    if "forward" not in vars(transformer):
        transformer.forward = MethodType(_in_float32, transformer)


def _in_float32(self: nn.Module, image_embeddings: torch.Tensor, **others: Any) -> tuple[torch.Tensor, ...]:
    """States of the prompt and of the image, in the dtype of `image_embeddings`."""
    if image_embeddings.dtype is not torch.float16:
        return type(self).forward(self, image_embeddings=image_embeddings, **others)
    wide = {name: value.float() if isinstance(value, torch.Tensor) else value for name, value in others.items()}
    weights = {name: weight.float() for name, weight in self.named_parameters() if weight.dtype is torch.float16}
    given = {"image_embeddings": image_embeddings.float(), **wide}
    found = functional_call(self, weights, (), given) if weights else type(self).forward(self, **given)
    return tuple(states.to(image_embeddings.dtype) for states in found)
