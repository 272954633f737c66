"""Masks that are sure on some frames of a sequence, followed by SAM2's memory to all others."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

from helpers.model.image_mode import to_rgb
from helpers.model.mask_decoding import compute_wide
from helpers.model.processing_sa2va import upsample_logits
from helpers.model.replay import GraphPool
from helpers.model.tracking import FrameFeatures, FrameMasks, Tracker, TrackingPasses
from helpers.prediction.clicks.click_prompt import SURE
from helpers.prediction.engine.sam2_part import Sam2Part, load_sam2_part

# Of many sure frames those nearest to the first one given: what is remembered does not grow with the sequence.
ANCHORS = 8

# The frame at a position, 8 bits a channel; None where it cannot be read, which is a gap.
ReadFrame = Callable[[int], Image.Image | None]


class MaskTracker(Tracker):
    """Follows one object whose mask is given on some frames, as SAM 2.0's predictor of videos takes masks.

    Such a frame is remembered by its mask itself, which no decoder changes. A mask without a pixel says that nothing is
    there.
    """

    def __init__(self, part: Sam2Part, passes: TrackingPasses | None = None):
        """Start a sequence; `passes` as of `Tracker`."""
        prompts = torch.zeros((1, part.sam2.hidden_dim), device=part.device, dtype=part.dtype)
        super().__init__(part.sam2, prompts, passes)

    def anchor(self, frame: int, features: FrameFeatures, mask: np.ndarray) -> None:
        """Remember a frame to the end by its mask; before any frame is followed.

        Args:
            frame: its number in the sequence.
            mask: bool (H, W).
        """
        side: Any = self._sam2.config.image_size
        given = torch.from_numpy(np.ascontiguousarray(mask)).float()[None, None]
        if given.shape[-2:] != (side, side):
            given = interpolate(given, size=(side, side), mode="bilinear", align_corners=False, antialias=True)
        square = (given >= 0.5).to(features.embedding)
        pointer = self._pointer(features, square) if mask.any() else self._sam2.no_object_pointer
        score = torch.full((1,), SURE if mask.any() else -SURE, device=square.device)
        logits = (square[0].float() * 2 - 1) * SURE
        self._prompted[frame] = self._remember(features, FrameMasks(logits, square.new_ones((1, 1)), score, pointer))

    def _pointer(self, features: FrameFeatures, square: torch.Tensor) -> torch.Tensor:
        """What later frames recall of the object, (1, D): the token of the single mask that the mask prompts."""
        sam2 = self._sam2
        embedding = features.embedding
        points = embedding.new_zeros((1, 1, 1, 2))
        labels = torch.full((1, 1, 1), -1, device=embedding.device)
        sparse, dense = sam2.prompt_encoder(points, labels, None, sam2.mask_downsample(square))
        if embedding.dtype is torch.float16:
            compute_wide(sam2.mask_decoder.transformer)
        _, _, tokens, _ = sam2.mask_decoder(
            image_embeddings=embedding,
            image_positional_embeddings=sam2.get_image_wide_positional_embeddings().to(embedding),
            sparse_prompt_embeddings=sparse.to(embedding),
            dense_prompt_embeddings=dense,
            multimask_output=False,
            high_resolution_features=list(features.high_resolution),
        )
        return sam2.object_pointer_proj(tokens[:, 0, 0])


@dataclass(frozen=True)
class MaskCarrier:
    """Carries masks through sequences with the SAM2 of a model. A few frames are held at a time."""

    part: Sam2Part
    passes: TrackingPasses | None = field(default=None, repr=False)

    @classmethod
    def load(cls, folder: str | Path, device: str = "auto", dtype: str = "auto") -> "MaskCarrier":
        """The carrier of a folder that `convert` wrote; arguments and errors as of `load_sam2_part`."""
        part = load_sam2_part(Path(folder), device, dtype)
        if part.device.type != "cuda" or part.dtype is torch.float32:
            return cls(part)
        pool = GraphPool(part.device, patience=2, is_lenient=True)
        return cls(part, TrackingPasses(part.sam2, pool.replayed, pool.replayed))

    @property
    def identity(self) -> Mapping[str, Any]:
        """JSON object that says which weights follow."""
        return self.part.identity

    def nearest_anchors(self, positions: Sequence[int]) -> tuple[int, ...]:
        """The positions of sure masks that `carry` remembers: the first one given and those nearest to it."""
        origin = positions[0]
        return tuple(sorted(positions, key=lambda position: (abs(position - origin), position))[:ANCHORS])

    @torch.inference_mode()
    def carry(self, read: ReadFrame, count: int, anchors: Mapping[int, np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
        """Masks of the frames that have none yet: from the first sure one to the end, then from there to the beginning.

        Args:
            read: gives the frame at a position, from 0.
            count: of frames in the sequence.
            anchors: position -> bool (H, W), the masks that are sure, the one that is carried first; those of
                `nearest_anchors` guide the others.
        Yields:
            Position and bool (H, W). Frames that cannot be read are skipped, also where they are anchors.
        """
        tracker, remembered = MaskTracker(self.part, self.passes), list[int]()
        for position in sorted(self.nearest_anchors(tuple(anchors))):
            image = read(position)
            if image is not None:
                tracker.anchor(position, self._features(tracker, to_rgb(image)), anchors[position])
                remembered.append(position)
        if not remembered:
            return
        first = remembered[0]
        for positions in (range(first + 1, count), range(first - 1, -1, -1)):
            for position in positions:
                image = None if position in anchors else read(position)
                if image is None:
                    continue
                masks = tracker.follow(position, self._features(tracker, to_rgb(image)))
                full = upsample_logits(masks.low_resolution, self.part.side, image.height, image.width)
                yield position, (full[0] > 0).cpu().numpy()
            tracker.turn_back()

    def _features(self, tracker: Tracker, image: Image.Image) -> FrameFeatures:
        return tracker.encode(self.part.pixels(image, wide=True))
