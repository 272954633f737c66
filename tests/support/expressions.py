"""Data sets with expressions on frames of 8x6 pixels, and a predictor whose answers can be worked out by hand."""

import numpy as np

from helpers.prediction.predictor import FramePrediction
from helpers.runs.stored_logits import Upsampling
from tests.support.annotation_files import OTHER, SQUARE, coco, frames, write


def write_refcoco(root):
    """Two objects in a.png, three sentences; one object in b.png of another split; a reference that points nowhere."""
    frames(root, "images/a.png", "images/b.png")
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}]
    shapes = [(1, SQUARE), (1, OTHER), (2, SQUARE)]
    annotations = [{"image_id": image, "segmentation": [shape]} for image, shape in shapes]
    write(root / "instances.json", coco(images, annotations))
    write(root / "dataset.json", {"ids": "public"})
    write(
        root / "refs.json",
        [
            {"ann_id": 1, "image_id": 1, "split": "val", "sentences": [{"sent": "left"}, {"sent": "The Left."}]},
            {"ann_id": [1, 2], "image_id": 1, "split": "val", "sentences": ["both"]},
            {"ann_id": 3, "image_id": 2, "split": "test", "sentences": [{"sent": "nothing"}]},
            {"ann_id": 99, "image_id": 1, "sentences": ["nowhere"]},
        ],
    )
    return root


def write_sa2va(root, entries):
    frames(root, "a.png", "b.png")
    write(root / "dataset.json", {"ids": "public"})
    write(root / "annotations.json", entries)
    return root


class WordPredictor:
    """Marks the left square where a prompt says `left`, nothing at all where it says `nothing`; fails at `boom`."""

    identity = {"name": "words"}
    settings = {"device": "cpu"}

    def __init__(self, most=99):
        self.most = most
        self.asked = []

    def prepare(self, image):
        return image.size

    def predict(self, prepared, prompts):
        self.asked.append(tuple(prompts))
        if len(prompts) > self.most:
            raise MemoryError
        if any("boom" in prompt for prompt in prompts):
            raise ValueError("boom")
        return [[self._answer(size, prompt) for prompt in prompts] for size in prepared]

    def _answer(self, size, prompt):
        maps = np.full((0 if "nothing" in prompt else 1, size[1], size[0]), -4, np.float32)
        if "left" in prompt:
            maps[:, 1:3, 1:3] = 4
        return FramePrediction("It is [SEG].", False, maps, Upsampling.NONE)
