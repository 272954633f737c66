"""What the language model said of a sequence, followed through its frames."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from helpers.inference.predictor import Answer
from helpers.runs.logits import Upsampling
from helpers.sa2va.video import encode_frame


@dataclass(frozen=True)
class Said:
    """What the language model said of a sequence: words, and the (S, H) states of their `[SEG]`."""

    text: str
    truncated: bool
    token_count: int
    tiles: int
    seg_states: torch.Tensor = field(repr=False)


class Followed:
    """The `[SEG]` of all prompts followed together through one sequence."""

    def __init__(self, model: Any, said: Sequence[Said]):
        self._model = model
        self._said = said
        self._ends = np.cumsum([len(one.seg_states) for one in said], dtype=np.int64)
        states = [one.seg_states for one in said if len(one.seg_states)]
        self._tracker = model.tracker(torch.cat(states)) if states else None

    def answers(self, position: int, square: torch.Tensor, *, prompted: bool) -> tuple[Answer, ...]:
        """The answer to each prompt on the frame at a position, whose `square` is uint8 (1, 3, S, S)."""
        side = square.shape[-1]
        logits, iou, score = np.zeros((0, side // 4, side // 4), np.float32), *(np.zeros(0, np.float32),) * 2
        if self._tracker is not None:
            features = encode_frame(self._model, self._tracker, square)
            masks = (self._tracker.prompt if prompted else self._tracker.follow)(position, features)
            found = (masks.low_resolution, masks.predicted_iou.max(-1).values, masks.object_score)
            logits, iou, score = (values.float().cpu().numpy() for values in found)
        parts = zip(*(np.split(values, self._ends[:-1]) for values in (logits, iou, score)), strict=True)
        return tuple(
            Answer(
                text=one.text,
                truncated=one.truncated,
                logits=maps,
                upsampling=Upsampling.SAM2_TWO_STEP,
                network_size=side,
                predicted_iou=estimates,
                object_score=scores,
                token_count=one.token_count,
                tiles=one.tiles,
            )
            for one, (maps, estimates, scores) in zip(self._said, parts, strict=True)
        )

    def turn_back(self) -> None:
        """Go from late frames to early ones from here on."""
        if self._tracker is not None:
            self._tracker.turn_back()
