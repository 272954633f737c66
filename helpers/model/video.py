"""Sequences: the language model sees a few frames, SAM2 is prompted on these and follows the others.

Shapes: n frames of H x W, S number of `[SEG]`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from .bridge import bridge_of
from .generation import GeneratedText
from .given_image import one_picture, require_kind
from .image_mode import given_as_rgb
from .processing_sa2va import normalise_sam2, sam2_bytes, upsample_logits
from .tracking import FrameFeatures, FrameMasks, Tracker

FRAMES_SEEN = 5


@dataclass
class VideoPrediction:
    """What one call computed for a sequence.

    Attributes:
        text: the decoded answer, special tokens included.
        answer: its tokens and `[SEG]` states.
        logits: (S, n, H, W) float32 on the CPU; S may be 0.
    """

    text: str
    answer: GeneratedText
    logits: torch.Tensor


def checked_frames(video: Any) -> list[Image.Image]:
    """The frames of a sequence as RGB, see `one_picture`. Raises ValueError where they are not of one size, or none."""
    if not isinstance(video, (list, tuple)) or not video:
        found = "an empty list" if isinstance(video, (list, tuple)) else type(video).__name__
        raise ValueError(f"video: expected a list of images, one a frame; got {found}")
    names = [f"video, frame {number} of {len(video)}" for number in range(1, len(video) + 1)]
    for frame, name in zip(video, names, strict=True):
        require_kind(frame, name)
    frames = [one_picture(frame, name) for frame, name in zip(video, names, strict=True)]
    sizes = sorted({frame.size for frame in frames})
    if len(sizes) > 1:
        raise ValueError(f"video: expected frames of one size, got {sizes}")
    return given_as_rgb(frames)


def answer_frames(
    model: Any, pixels: torch.Tensor, text: str, past_text: str, tokenizer: Any, limit: int
) -> GeneratedText:
    """The language model's answer about a few frames, uint8 (n, 3, h, w), see `Bridge.frame_bytes`."""
    bridge = bridge_of(model)
    pictures = bridge.frame_tokens(pixels)
    prompt = bridge.question(model, tokenizer, text, past_text, pixels, pictures)
    return model.answers([prompt], tokenizer, limit)[0]  # alike in folders of all versions


def encode_frame(model: Any, tracker: Tracker, square: torch.Tensor) -> FrameFeatures:
    """SAM2's features of one frame, (1, 3, side, side) uint8, see `sam2_bytes`.

    Bytes are divided in float32 in every dtype, as in the official code.
    """
    constants = model.config.sam2_pixel_constants
    return tracker.encode(normalise_sam2(square.to(model.device), constants, torch.float32).to(model.sam2.dtype))


def frame_masks(model: Any, frames: list[Image.Image], seen: int, seg_states: torch.Tensor) -> Iterator[FrameMasks]:
    """Masks of all RGB frames in order: the first `seen` by their prompt, the others followed."""
    tracker = model.tracker(seg_states)
    for number, frame in enumerate(frames):
        features = encode_frame(model, tracker, sam2_bytes(frame, model.config.sam2_sizes.image_size))
        yield tracker.prompt(number, features) if number < seen else tracker.follow(number, features)


def predict_video(model: Any, video: Any, text: str, past_text: str, tokenizer: Any, limit: int) -> VideoPrediction:
    """One answer with its masks on every frame.

    Args:
        model: a `Sa2VAModel`.
        video: images of one size, at least one, see `one_picture`.
        text: the user's words; `<image>` stands for all frames that the language model sees.
        past_text: earlier turns, written out; the same frames must be given again.
        limit: most tokens of the answer.
    """
    frames = checked_frames(video)
    bridge = bridge_of(model)
    pixels = bridge.frame_bytes(frames[:FRAMES_SEEN])
    answer = answer_frames(model, pixels, text, past_text, tokenizer, limit)
    words = bridge.answer_text(answer.token_ids, tokenizer)
    width, height = frames[0].size
    count = len(answer.seg_states)
    logits = torch.zeros((count, len(frames), height, width))
    if count:
        side = model.config.sam2_sizes.image_size
        for number, masks in enumerate(frame_masks(model, frames, len(pixels), answer.seg_states)):
            logits[:, number] = upsample_logits(masks.low_resolution, side, height, width).cpu()
    return VideoPrediction(words, answer, logits)
