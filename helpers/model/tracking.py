"""Objects followed through the frames of a sequence by SAM2's memory.

Shapes: S objects, one for each `[SEG]`; D SAM2 width; M memory width; P places of the memory map, its rows laid end
to end.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from transformers import Sam2VideoModel

from .mask_decoding import decode
from .memory_fast_path import faster_memory
from .replay import Tensors, Wrap
from .sam2_fast_path import unused_ops_skipped

SPATIAL_MEMORIES = 6
POINTER_MEMORIES = 15


@dataclass
class FrameFeatures:
    """What SAM2's encoder gives for one frame, before any memory.

    Attributes:
        embedding: (1, D, h, w).
        high_resolution: (1, D / 8, 4 h, 4 w) and (1, D / 4, 2 h, 2 w), after the decoder's `conv_s0` and `conv_s1`.
        positions: (1, D, h, w), sine encoding of the places.
    """

    embedding: torch.Tensor
    high_resolution: tuple[torch.Tensor, torch.Tensor]
    positions: torch.Tensor

    def tensors(self) -> tuple[torch.Tensor, ...]:
        """All of them, in the order of the attributes."""
        return (self.embedding, *self.high_resolution, self.positions)


@dataclass
class FrameMasks:
    """Masks of S objects on one frame.

    Attributes:
        low_resolution: (S, 4 h, 4 w) float32 logits, the candidate of highest predicted IoU.
        predicted_iou: (S, 3), SAM2's own estimates for its three candidates, in [0, 1].
        object_score: (S,) logits that the object is there at all. Sa2VA never gates masks by it.
        pointers: (S, D), what later frames recall of each object beside its mask.
    """

    low_resolution: torch.Tensor
    predicted_iou: torch.Tensor
    object_score: torch.Tensor
    pointers: torch.Tensor


@dataclass
class _Memory:
    """What later frames recall of a frame: `features` (P, S, M) bfloat16, and `pointers` (S, D)."""

    features: torch.Tensor
    pointers: torch.Tensor


class TrackingPasses:
    """What trackers compute, as functions of tensors alone, replayed where CUDA graphs are."""

    def __init__(self, sam2: Sam2VideoModel, replayed: Wrap | None = None, encoding: Wrap | None = None):
        """Take a SAM2; trackers of several sequences may share this.

        Args:
            replayed: makes a function a replayed one; None for single launches.
            encoding: the same for the encoder.
        """
        encode, prompt, follow = partial(_encode, sam2), partial(_prompt, sam2), partial(_follow, sam2)
        self.encode = encode if encoding is None else encoding(encode)
        self.prompt = prompt if replayed is None else replayed(prompt)
        self.follow = follow if replayed is None else replayed(follow)

    def features(self, pixel_values: torch.Tensor) -> list[FrameFeatures]:
        """SAM2's encoder on n frames together, (n, 3, side, side), normalised: it needs no memory."""
        embedding, first, second, positions = self.encode(pixel_values)
        frames = zip(embedding.split(1), first.split(1), second.split(1), strict=True)
        return [FrameFeatures(one, (stride_4, stride_8), positions) for one, stride_4, stride_8 in frames]


class Tracker:
    """Follows the objects of S `[SEG]` through one sequence, frame by frame.

    Frames that are prompted with the `[SEG]` come first, in any order; all of them are remembered to the end. Then
    the others follow, from early to late or, after `turn_back`, from late to early. Of these only the last
    `POINTER_MEMORIES` are kept, so that memory does not grow with the sequence. A frame may be left out.

    The settings are those of SAM 2.0 as Sa2VA runs it: memory features are rounded to bfloat16 in every dtype, the
    object score suppresses no mask, and object pointers carry no position in time.
    """

    def __init__(self, sam2: Sam2VideoModel, prompts: torch.Tensor, passes: TrackingPasses | None = None):
        """Start a sequence.

        Args:
            prompts: (S, D), the projected states of the `[SEG]`.
            passes: those of this SAM2; None for single launches.
        """
        self._sam2 = sam2
        self._prompts = prompts
        self._passes = TrackingPasses(sam2) if passes is None else passes
        self._prompted: dict[int, _Memory] = {}
        self._followed: dict[int, _Memory] = {}
        self._memory_positions: torch.Tensor | None = None  # (P, 1, M), the same for all frames
        self._step = 1

    def encode(self, pixel_values: torch.Tensor) -> FrameFeatures:
        """SAM2's encoder on one frame, (1, 3, side, side), normalised."""
        return self.encode_all(pixel_values)[0]

    def encode_all(self, pixel_values: torch.Tensor) -> list[FrameFeatures]:
        """SAM2's encoder on n frames together, see `TrackingPasses.features`."""
        return self._passes.features(pixel_values)

    def prompt(self, frame: int, features: FrameFeatures) -> FrameMasks:
        """Masks of a frame by the `[SEG]` alone; it is remembered.

        Args:
            frame: its number in the sequence.
        """
        masks, memory = self._found(self._passes.prompt(features.embedding, *features.high_resolution, self._prompts))
        self._prompted[frame] = memory
        return masks

    def follow(self, frame: int, features: FrameFeatures) -> FrameMasks:
        """Masks of a frame by what is remembered; it is remembered in turn.

        Args:
            frame: its number in the sequence, beyond those that were followed before.
        """
        given = (features.embedding, *features.high_resolution, features.positions)
        masks, self._followed[frame] = self._found(self._passes.follow(*given, *self._recalled(frame)))
        for known in [known for known in self._followed if abs(frame - known) >= POINTER_MEMORIES]:
            del self._followed[known]
        return masks

    def turn_back(self) -> None:
        """Go from late frames to early ones from here on; what was followed forwards is forgotten."""
        self._followed.clear()
        self._step = -1

    def _found(self, passed: Tensors) -> tuple[FrameMasks, _Memory]:
        """Masks and memory of a pass; the places of the memory map are the same for all frames."""
        *masks, features, places = passed
        found = FrameMasks(*masks)
        return found, self._kept(features, places, found.pointers)

    def _kept(self, features: torch.Tensor, places: torch.Tensor, pointers: torch.Tensor) -> _Memory:
        if self._memory_positions is None:
            self._memory_positions = places
        return _Memory(features, pointers)

    def _remember(self, features: FrameFeatures, masks: FrameMasks) -> _Memory:
        """What later frames recall of a frame with these masks."""
        remembered, places = _remember(self._sam2, features.embedding, masks.low_resolution)
        return self._kept(remembered, places, masks.pointers)

    def _recalled(self, frame: int) -> Tensors:
        """What is remembered for a frame, as `_follow` takes it."""
        in_time = self._sam2.memory_temporal_positional_encoding[:, 0]  # the last row is that of prompted frames
        memories = [(memory, in_time[-1]) for memory in self._prompted.values()]
        for distance in range(SPATIAL_MEMORIES, 0, -1):
            memory = self._followed.get(frame - self._step * distance)
            if memory is not None:
                memories.append((memory, in_time[distance - 1]))
        pointers = [m.pointers for at, m in self._prompted.items() if (frame - at) * self._step >= 0]
        recent = (self._followed.get(frame - self._step * distance) for distance in range(1, POINTER_MEMORIES + 1))
        pointers += [memory.pointers for memory in recent if memory is not None]
        places: Any = self._memory_positions  # there are some as soon as anything is remembered
        return (
            places,
            torch.stack([memory.features for memory, _ in memories]),
            torch.stack([time for _, time in memories]),
            torch.stack(pointers) if pointers else self._prompts.new_zeros((0, *self._prompts.shape)),
        )


def _encode(sam2: Sam2VideoModel, pixels: torch.Tensor) -> Tensors:
    """Features of frames (n, 3, side, side), as `FrameFeatures` holds them: n of each but the positions."""
    with unused_ops_skipped(sam2.vision_encoder):
        encoded = sam2.vision_encoder(pixels)
    stride_4, stride_8, stride_16 = encoded.fpn_hidden_states
    decoder = sam2.mask_decoder
    return stride_16, decoder.conv_s0(stride_4), decoder.conv_s1(stride_8), encoded.fpn_position_encoding[-1][:1]


def _prompt(
    sam2: Sam2VideoModel, embedding: torch.Tensor, first: torch.Tensor, second: torch.Tensor, prompts: torch.Tensor
) -> Tensors:
    """A frame's features by prompts (S, D): as `_decode`, and then `_remember`."""
    blank = embedding + sam2.no_memory_embedding.reshape(1, -1, 1, 1)
    found = _decode(sam2, blank.expand(len(prompts), -1, -1, -1), (first, second), prompts)
    return *found, *_remember(sam2, embedding, found[0])


def _follow(
    sam2: Sam2VideoModel,
    embedding: torch.Tensor,
    first: torch.Tensor,
    second: torch.Tensor,
    positions: torch.Tensor,
    places: torch.Tensor,
    memories: torch.Tensor,
    times: torch.Tensor,
    pointers: torch.Tensor,
) -> Tensors:
    """A frame's features by what is remembered: as `_decode`, and then `_remember`.

    Args:
        places: (P, 1, M), encoding of the places of a memory map.
        memories: (m, P, S, M), those of m frames, and `times` (m, 1, M), encodings of when they were.
        pointers: (n, S, D), n may be 0.
    """
    count, (_, width, height, breadth) = memories.shape[2], embedding.shape
    pointer_tokens = _pieces(pointers, memories.shape[-1])
    in_time = [(places + time).expand(-1, count, -1) for time in times]
    with faster_memory(sam2.memory_attention, embedding):
        recalled = sam2.memory_attention(
            current_vision_features=_laid_out(embedding).expand(-1, count, -1),
            current_vision_position_embeddings=_laid_out(positions).expand(-1, count, -1),
            memory=torch.cat([memories.to(embedding).flatten(0, 1), pointer_tokens]),
            memory_posision_embeddings=torch.cat([*in_time, torch.zeros_like(pointer_tokens)]).to(embedding),
            num_object_pointer_tokens=len(pointer_tokens),
        )
    conditioned = recalled.reshape(count, height * breadth, width).transpose(1, 2)
    found = _decode(sam2, conditioned.reshape(count, width, height, breadth), (first, second), None)
    return *found, *_remember(sam2, embedding, found[0])


def _decode(
    sam2: Sam2VideoModel,
    embedding: torch.Tensor,
    high_resolution: tuple[torch.Tensor, torch.Tensor],
    prompts: torch.Tensor | None,
) -> Tensors:
    """What `FrameMasks` holds, of an (S, D, h, w) embedding; `prompts` (S, D) or None."""
    levels = tuple(level.expand(len(embedding), -1, -1, -1) for level in high_resolution)
    found = decode(sam2, embedding, levels, prompts)
    pointers = sam2.object_pointer_proj(found.tokens[found.best])
    pointers = torch.where(found.object_score[:, None] > 0, pointers, sam2.no_object_pointer)
    return found.logits[found.best].float(), found.predicted_iou, found.object_score, pointers


def _remember(sam2: Sam2VideoModel, embedding: torch.Tensor, low_resolution: torch.Tensor) -> Tensors:
    """The memory (P, S, M) of masks (S, 4 h, 4 w) on a frame, and the encoding of its places (P, 1, M)."""
    config = sam2.config
    side: Any = config.image_size
    square = nn.functional.interpolate(low_resolution[:, None], size=(side, side), mode="bilinear")
    signal = square.sigmoid() * config.sigmoid_scale_for_mem_enc + config.sigmoid_bias_for_mem_enc
    embedding = embedding.expand(len(signal), -1, -1, -1)
    with faster_memory(sam2.memory_encoder, embedding):
        encoded, positions = sam2.memory_encoder(embedding, signal.to(embedding))
    return _laid_out(encoded.to(torch.bfloat16)), _laid_out(positions[:1])


def _laid_out(maps: torch.Tensor) -> torch.Tensor:
    """(S, C, h, w) -> (P, S, C)."""
    return maps.flatten(2).permute(2, 0, 1)


def _pieces(pointers: torch.Tensor, width: int) -> torch.Tensor:
    """Pointers (n, S, D), each cut in D / M tokens as wide as the memory: (n D / M, S, M)."""
    count, objects, _ = pointers.shape
    return pointers.reshape(count, objects, -1, width).permute(0, 2, 1, 3).flatten(0, 1)
