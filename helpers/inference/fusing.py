"""Two answers about one frame made one: of the frame by itself, and of the sequence followed through it."""

from dataclasses import replace

import numpy as np

from helpers.inference.predictor import Answer


def fused(alone: Answer, followed: Answer) -> Answer:
    """The mean of the logits of two answers with maps of one grid; several `[SEG]` of one are united first.

    Where one has no map, the other's stand. Words and tokens are those of `alone`.
    """
    if not len(alone.logits) or not len(followed.logits):
        mapped = alone if len(alone.logits) else followed
        return replace(
            alone, logits=mapped.logits, predicted_iou=mapped.predicted_iou, object_score=mapped.object_score
        )
    return replace(
        alone,
        logits=np.mean([alone.logits.max(axis=0), followed.logits.max(axis=0)], axis=0, dtype=np.float32)[None],
        predicted_iou=_mean(alone.predicted_iou, followed.predicted_iou),
        object_score=_mean(alone.object_score, followed.object_score),
    )


def _mean(one: np.ndarray | None, other: np.ndarray | None) -> np.ndarray | None:
    """The mean of the highest values, float32 (1,)."""
    if one is None or other is None:
        return None
    return np.array([(one.max() + other.max()) / 2], np.float32)
