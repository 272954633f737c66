"""Sequences: the language model sees a few frames, SAM2 is prompted on these and follows the others.

Shapes: n frames of H x W, S number of `[SEG]`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from .bridge import bridge_of
from .drafts import takes_drafts
from .generation import GeneratedText
from .given_image import one_picture, require_kind
from .image_mode import given_as_rgb
from .processing_sa2va import normalise_sam2, upsample_logits
from .readback import Readback
from .replay import Ahead
from .tracking import FrameFeatures, FrameMasks, Tracker

FRAMES_SEEN = 5
# Frames that SAM2's encoder takes together on a GPU, and whose masks leave it together. In float32 the encoder
# takes one, since batches change the last bits.
ENCODED_AT_ONCE = 8


@dataclass
class VideoPrediction:
    """What one call computed for a sequence.

    Attributes:
        text: the decoded answer, special tokens included.
        answer: its tokens and `[SEG]` states.
        logits: (S, n, H, W) float32 on the CPU; S may be 0.
        masks: bool of the same shape, sigmoid > 0.5 of the logits.
        is_finite: whether all logits are finite.
    """

    text: str
    answer: GeneratedText
    logits: torch.Tensor
    masks: torch.Tensor
    is_finite: bool


def checked_frames(video: Any) -> list[Image.Image]:
    """The frames of a sequence as RGB, see `one_picture`. Raises ValueError where they are not of one size, or none."""
    if not isinstance(video, (list, tuple)) or not video:
        found = "an empty list" if isinstance(video, (list, tuple)) else type(video).__name__
        raise ValueError(f"video: expected a list of images, one a frame, got {found}")
    names = [f"video, frame {number} of {len(video)}" for number in range(1, len(video) + 1)]
    for frame, name in zip(video, names, strict=True):
        require_kind(frame, name)
    frames = [one_picture(frame, name) for frame, name in zip(video, names, strict=True)]
    sizes = sorted({frame.size for frame in frames})
    if len(sizes) > 1:
        raise ValueError(f"video: expected frames of one size, got {sizes}")
    return given_as_rgb(frames)


def answer_frames(
    model: Any,
    pixels: torch.Tensor,
    text: str,
    past_text: str,
    tokenizer: Any,
    limit: int,
    draft: list[int] | None = None,
) -> GeneratedText:
    """The language model's answer about a few frames, uint8 (n, 3, h, w), see `Bridge.frame_bytes`.

    Args:
        draft: an expected answer, see `GreedyDecoding.answers`; None goes token by token.
    """
    bridge = bridge_of(model)
    pictures = bridge.frame_tokens(pixels)
    prompt = bridge.question(model, tokenizer, text, past_text, pixels, pictures)
    # Without a draft alike in folders of all versions.
    more = {} if draft is None else {"drafts": [draft]}
    return model.answers([prompt], tokenizer, limit, **more)[0]


def encode_frames(
    model: Any, encode: Callable[[torch.Tensor], list[FrameFeatures]], squares: torch.Tensor
) -> list[FrameFeatures]:
    """SAM2's features of frames, (n, 3, side, side) uint8, see `sam2_bytes`.

    Bytes are divided in float32 in every dtype, as in the official code.

    Args:
        encode: of a tracker, or of what trackers compute.
    """
    constants = model.config.sam2_pixel_constants
    return encode(normalise_sam2(squares.to(model.device), constants, torch.float32).to(model.sam2.dtype))


def encoded_at_once(model: Any) -> int:
    """How many frames SAM2's encoder takes together."""
    return ENCODED_AT_ONCE if model.device.type == "cuda" and model.sam2.dtype != torch.float32 else 1


def features_ahead(
    model: Any,
    encode: Callable[[torch.Tensor], list[FrameFeatures]],
    squares: Callable[[], torch.Tensor],
    *,
    is_first: bool = True,
) -> Ahead[list[FrameFeatures]]:
    """SAM2's features of some frames, begun with what makes their bytes (n, 3, side, side).

    Args:
        encode: as of `encode_frames`.
        is_first: of a sequence: what was launched before is waited for, such as a change of weights.
    """
    aside = getattr(model, "aside", None)  # folders of before have none
    return Ahead(aside, lambda: encode_frames(model, encode, squares()), _tensors, waits=is_first)


def _tensors(frames: list[FrameFeatures]) -> Iterator[torch.Tensor]:
    return (one for frame in frames for one in frame.tensors())


class SequenceFeatures:
    """SAM2's features of all RGB frames of a sequence, begun some frames ahead: they need neither words nor memory."""

    def __init__(self, model: Any, frames: list[Image.Image]):
        """Begin with the first frames."""
        self._model, self._frames = model, frames
        self._together, self._encode = encoded_at_once(model), model.tracking.features
        self._ahead = self._begun(0)

    def __iter__(self) -> Iterator[FrameFeatures]:
        for start in range(self._together, len(self._frames) + self._together, self._together):
            encoded = self._ahead.found()
            if start < len(self._frames):
                self._ahead = self._begun(start)
            yield from encoded

    def _begun(self, start: int) -> Ahead[list[FrameFeatures]]:
        frames = self._frames[start : start + self._together]
        squares = lambda: self._model.pixels.squares(self._model, frames)  # noqa: E731
        return features_ahead(self._model, self._encode, squares, is_first=start == 0)


def frame_masks(tracker: Tracker, features: Iterable[FrameFeatures], seen: int) -> Iterator[FrameMasks]:
    """Masks of all frames in order: the first `seen` by their prompt, the others followed."""
    for number, frame in enumerate(features):
        yield tracker.prompt(number, frame) if number < seen else tracker.follow(number, frame)


def predict_video(
    model: Any,
    video: Any,
    text: str,
    past_text: str,
    tokenizer: Any,
    limit: int,
    draft: bool = False,
    cuda_graphs: bool = False,
) -> VideoPrediction:
    """One answer with its masks on every frame.

    Args:
        model: a `Sa2VAModel`.
        video: images of one size, at least one, see `one_picture`.
        text: the user's words; `<image>` stands for all frames that the language model sees.
        past_text: earlier turns, written out; the same frames must be given again.
        limit: most tokens of the answer.
        draft, cuda_graphs: see `Sa2VAModel.predict_forward`.
    """
    frames = checked_frames(video)
    graphed = model.graphs.around(model) if cuda_graphs else model
    bridge = bridge_of(model)
    expected = model.drafts.of(text, past_text) if draft and takes_drafts(model) else None
    # Begun where an object is expected, since the processor is at the words, and then waits for the answer.
    ahead = SequenceFeatures(graphed, frames) if model.config.token_ids["[SEG]"] in (expected or ()) else None
    pixels = bridge.frame_bytes(frames[:FRAMES_SEEN])
    # The answer's passes are not replayed: there is one for a sequence, and last bits that differ grow along it.
    answer = answer_frames(model, pixels, text, past_text, tokenizer, limit, expected)
    if expected is not None and not answer.truncated:
        model.drafts.keep(text, past_text, answer.token_ids)
    words = bridge.answer_text(answer.token_ids, tokenizer)
    width, height = frames[0].size
    count = len(answer.seg_states)
    found = Readback((count, len(frames), height, width), model.device)
    if count:
        side, waiting = model.config.sam2_sizes.image_size, list[torch.Tensor]()
        features = SequenceFeatures(graphed, frames) if ahead is None else ahead
        found_masks = frame_masks(graphed.tracker(answer.seg_states), features, len(pixels))
        for number, masks in enumerate(found_masks, 1):
            waiting.append(upsample_logits(masks.low_resolution, side, height, width))
            if len(waiting) == ENCODED_AT_ONCE or number == len(frames):
                found.put(number - len(waiting), torch.stack(waiting, 1))
                waiting.clear()
    is_finite = found.finish()
    return VideoPrediction(words, answer, found.logits, found.masks, is_finite)
