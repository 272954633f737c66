"""One call of a model, of an image or of a sequence, with a second try where graphs hold the memory that it wants."""

from typing import Any, NamedTuple

import torch

from .generation import checked_limit
from .video import predict_video


class Answered(NamedTuple):
    """What a call computed.

    Attributes:
        text: the decoded answer, special tokens included.
        logits: (S, n, H, W) float32, n frames or 1.
        is_finite: whether all logits are finite.
        masks: bool of the same shape on the processor, sigmoid > 0.5 of the logits.
    """

    text: str
    logits: torch.Tensor
    is_finite: bool
    masks: torch.Tensor


def answered(model: Any, *given: Any, cuda_graphs: bool) -> Answered:
    """A call of a `Sa2VAModel`. Where memory is wanting, its graphs are dropped, and the call is made without.

    Args:
        given: as `_called` takes them behind the model.
        cuda_graphs: see `predict_forward`.
    Raises:
        torch.OutOfMemoryError: where memory is wanting and no graph holds any.
    """
    try:
        return _called(model, *given, cuda_graphs=cuda_graphs)
    except torch.OutOfMemoryError:
        if not model.graphs.are_held:
            raise
    model.graphs.drop()
    torch.cuda.empty_cache()
    return _called(model, *given, cuda_graphs=False)


def _called(
    model: Any,
    image: Any,
    video: Any,
    text: str,
    past_text: str,
    mask_prompts: Any,
    tokenizer: Any,
    token_limit: int | None,
    draft: bool,
    *,
    cuda_graphs: bool,
) -> Answered:
    """The call of an image, or of a sequence where `video` is given; all else as of `predict_forward`."""
    if video is not None:
        limit = checked_limit(model.config, tokenizer, token_limit)
        seen = predict_video(model, video, text, past_text, tokenizer, limit, draft, cuda_graphs)
        return Answered(seen.text, seen.logits, seen.is_finite, seen.masks)
    found = model.predict(image, text, past_text, mask_prompts, tokenizer, token_limit, draft, cuda_graphs)
    frames = found.logits[:, None]
    finite, masks = frames.isfinite().all(), frames.sigmoid() > 0.5  # both are launched before either is waited for
    return Answered(found.text, frames, bool(finite), masks.cpu())
