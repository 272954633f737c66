"""One image, or none: the language model's answer, and SAM2's masks of its `[SEG]`."""

from typing import Any

import torch

from .components import CallOutput, Sam2Features
from .drafts import takes_drafts
from .generation import checked_limit
from .given_image import one_picture
from .image_mode import given_as_rgb
from .processing_sa2va import normalise_sam2, upsample_logits
from .replay import Ahead


def predict_image(
    model: Any,
    image: Any = None,
    text: str = "",
    past_text: str = "",
    mask_prompts: Any = None,
    tokenizer: Any = None,
    token_limit: int | None = None,
    draft: bool = False,
    cuda_graphs: bool = False,
) -> CallOutput:
    """One answer with its masks.

    Args:
        model: a `Sa2VAModel`.
        image: see `one_picture`, or None for a text-only call.
        text: the user's words.
        past_text: earlier turns, written out; the same image must be given again.
        mask_prompts: region prompts, see `region_cells`.
        tokenizer: that of the model's own folder.
        token_limit: most tokens of the answer; None takes the config's.
        draft, cuda_graphs: see `Sa2VAModel.predict_forward`.
    """
    config, bridge = model.config, model.bridge
    limit = checked_limit(config, tokenizer, token_limit)
    expected = model.drafts.of(text, past_text) if draft and takes_drafts(model) else None
    square, ahead = None, None
    if image is not None:
        (image,) = given_as_rgb([one_picture(image)])
        pixels, square = model.pixels.of(model, image)
    graphed = model.graphs.around(model) if cuda_graphs else model
    if square is None:
        prompt = bridge.question(graphed, tokenizer, text, past_text, mask_prompts=mask_prompts)
    else:
        if config.token_ids["[SEG]"] in (expected or ()):
            # The processor waits for the answer that asks for them, and a GPU need not.
            ahead = Ahead(graphed.aside, lambda: _encoded(graphed, square), Sam2Features.tensors, square)
        prompt = bridge.question(
            graphed, tokenizer, text, past_text, pixels, bridge.image_tokens(pixels), mask_prompts=mask_prompts
        )
    answer = graphed.answers([prompt], tokenizer, limit, None if expected is None else [expected])[0]
    if expected is not None and not answer.truncated:
        model.drafts.keep(text, past_text, answer.token_ids)
    words = bridge.answer_text(answer.token_ids, tokenizer)
    if square is None or not len(answer.seg_states):
        height, width = (0, 0) if image is None else (image.height, image.width)
        return CallOutput(words, answer, None, torch.zeros((0, height, width)))
    features = _encoded(graphed, square) if ahead is None else ahead.found()
    masks = graphed.decode_masks(features, answer.seg_states)
    logits = upsample_logits(masks.low_resolution, config.sam2_sizes.image_size, image.height, image.width)
    return CallOutput(words, answer, masks, logits)


def _encoded(model: Any, square: torch.Tensor) -> Sam2Features:
    """SAM2's features of its bytes, uint8 (1, 3, S, S)."""
    constants = model.config.sam2_pixel_constants
    return model.encode_sam2(normalise_sam2(square.to(model.device), constants, model.dtype))
