"""A model that answers clicks by rule, and tells what it was given."""

from types import SimpleNamespace

import numpy as np


class RowsForPoints:
    """Marks so many rows from the top as points were given; of three masks the second has the highest estimate."""

    identity = {"tensors_sha256": "a" * 64}

    def __init__(self):
        self.opened, self.asked = [], []

    def open(self, image):
        self.opened.append(image.size)

    def answer(self, image, **asked):
        self.asked.append(asked)
        several = len(asked["points"]) == 1 and asked["mask"] is None and asked["logits"] is None
        logits = np.full((3 if several else 1, image.height, image.width), -1.0, np.float32)
        for number, one in enumerate(logits):
            one[: len(asked["points"]) + number] = 1
        low = np.arange(len(logits), dtype=np.float32)[:, None, None] * np.ones((1, 4, 4), np.float32)
        return SimpleNamespace(
            logits=logits, predicted_iou=np.array([0.2, 0.9, 0.4], np.float32)[: len(logits)], low_resolution=low
        )
