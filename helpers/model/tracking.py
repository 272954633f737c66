"""Objects followed through the frames of a sequence by SAM2's memory.

Shapes: S objects, one for each `[SEG]`; D SAM2 width; M memory width; P places of the memory map, its rows laid end
to end.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import Sam2VideoModel

from .mask_decoding import decode

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


class Tracker:
    """Follows the objects of S `[SEG]` through one sequence, frame by frame.

    Frames that are prompted with the `[SEG]` come first, in any order; all of them are remembered to the end. Then
    the others follow, from early to late or, after `turn_back`, from late to early. Of these only the last
    `POINTER_MEMORIES` are kept, so that memory does not grow with the sequence. A frame may be left out.

    The settings are those of SAM 2.0 as Sa2VA runs it: memory features are rounded to bfloat16 in every dtype, the
    object score suppresses no mask, and object pointers carry no position in time.
    """

    def __init__(self, sam2: Sam2VideoModel, prompts: torch.Tensor):
        """Start a sequence.

        Args:
            prompts: (S, D), the projected states of the `[SEG]`.
        """
        self._sam2 = sam2
        self._prompts = prompts
        self._prompted: dict[int, _Memory] = {}
        self._followed: dict[int, _Memory] = {}
        self._memory_positions: torch.Tensor | None = None  # (P, 1, M), the same for all frames
        self._step = 1

    def encode(self, pixel_values: torch.Tensor) -> FrameFeatures:
        """SAM2's encoder on one frame, (1, 3, side, side), normalised."""
        encoded = self._sam2.vision_encoder(pixel_values)
        stride_4, stride_8, stride_16 = encoded.fpn_hidden_states
        decoder = self._sam2.mask_decoder
        return FrameFeatures(
            stride_16, (decoder.conv_s0(stride_4), decoder.conv_s1(stride_8)), encoded.fpn_position_encoding[-1]
        )

    def prompt(self, frame: int, features: FrameFeatures) -> FrameMasks:
        """Masks of a frame by the `[SEG]` alone; it is remembered.

        Args:
            frame: its number in the sequence.
        """
        embedding = features.embedding + self._sam2.no_memory_embedding.reshape(1, -1, 1, 1)
        masks = self._decode(embedding.expand(len(self._prompts), -1, -1, -1), features, self._prompts)
        self._prompted[frame] = self._remember(features, masks)
        return masks

    def follow(self, frame: int, features: FrameFeatures) -> FrameMasks:
        """Masks of a frame by what is remembered; it is remembered in turn.

        Args:
            frame: its number in the sequence, beyond those that were followed before.
        """
        masks = self._decode(self._recall(frame, features), features, None)
        self._followed[frame] = self._remember(features, masks)
        for known in [known for known in self._followed if abs(frame - known) >= POINTER_MEMORIES]:
            del self._followed[known]
        return masks

    def turn_back(self) -> None:
        """Go from late frames to early ones from here on; what was followed forwards is forgotten."""
        self._followed.clear()
        self._step = -1

    def _decode(self, embedding: torch.Tensor, features: FrameFeatures, prompts: torch.Tensor | None) -> FrameMasks:
        """Masks from an (S, D, h, w) embedding; `prompts` (S, D) or None."""
        high_resolution = tuple(level.expand(len(embedding), -1, -1, -1) for level in features.high_resolution)
        found = decode(self._sam2, embedding, high_resolution, prompts)
        pointers = self._sam2.object_pointer_proj(found.tokens[found.best])
        pointers = torch.where(found.object_score[:, None] > 0, pointers, self._sam2.no_object_pointer)
        return FrameMasks(found.logits[found.best].float(), found.predicted_iou, found.object_score, pointers)

    def _remember(self, features: FrameFeatures, masks: FrameMasks) -> _Memory:
        config = self._sam2.config
        side: Any = config.image_size
        square = nn.functional.interpolate(masks.low_resolution[:, None], size=(side, side), mode="bilinear")
        signal = square.sigmoid() * config.sigmoid_scale_for_mem_enc + config.sigmoid_bias_for_mem_enc
        embedding = features.embedding.expand(len(signal), -1, -1, -1)
        encoded, positions = self._sam2.memory_encoder(embedding, signal.to(embedding))
        if self._memory_positions is None:
            self._memory_positions = _laid_out(positions[:1])
        return _Memory(_laid_out(encoded.to(torch.bfloat16)), masks.pointers)

    def _recall(self, frame: int, features: FrameFeatures) -> torch.Tensor:
        """The frame's embedding, (S, D, h, w), in the light of what is remembered."""
        count, (_, width, height, breadth) = len(self._prompts), features.embedding.shape
        in_time = self._sam2.memory_temporal_positional_encoding[:, 0]  # the last row is that of prompted frames
        memories = [(memory, in_time[-1]) for memory in self._prompted.values()]
        for distance in range(SPATIAL_MEMORIES, 0, -1):
            memory = self._followed.get(frame - self._step * distance)
            if memory is not None:
                memories.append((memory, in_time[distance - 1]))
        pointers = [m.pointers for at, m in self._prompted.items() if (frame - at) * self._step >= 0]
        recent = (self._followed.get(frame - self._step * distance) for distance in range(1, POINTER_MEMORIES + 1))
        pointers += [memory.pointers for memory in recent if memory is not None]
        keys = [memory.features.to(features.embedding) for memory, _ in memories]
        laid_out: Any = self._memory_positions  # there are some as soon as anything is remembered
        positions = [(laid_out + time).expand(-1, count, -1) for _, time in memories]
        pieces = 0
        if pointers:
            pointer_tokens = _pieces(torch.stack(pointers), keys[0].shape[-1])
            keys.append(pointer_tokens)
            positions.append(torch.zeros_like(pointer_tokens))
            pieces = len(pointer_tokens)
        recalled = self._sam2.memory_attention(
            current_vision_features=_laid_out(features.embedding).expand(-1, count, -1),
            current_vision_position_embeddings=_laid_out(features.positions).expand(-1, count, -1),
            memory=torch.cat(keys),
            memory_posision_embeddings=torch.cat(positions).to(features.embedding),
            num_object_pointer_tokens=pieces,
        )
        return recalled.reshape(count, height * breadth, width).transpose(1, 2).reshape(count, width, height, breadth)


def _laid_out(maps: torch.Tensor) -> torch.Tensor:
    """(S, C, h, w) -> (P, S, C)."""
    return maps.flatten(2).permute(2, 0, 1)


def _pieces(pointers: torch.Tensor, width: int) -> torch.Tensor:
    """Pointers (n, S, D), each cut in D / M tokens as wide as the memory: (n D / M, S, M)."""
    count, objects, _ = pointers.shape
    return pointers.reshape(count, objects, -1, width).permute(0, 2, 1, 3).flatten(0, 1)
