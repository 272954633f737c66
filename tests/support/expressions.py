"""Data sets with expressions on frames of 8x6 pixels, and a predictor whose answers can be worked out by hand."""

import json

import numpy as np
import pandas as pd

from helpers.prediction.predictor import FramePrediction
from helpers.runs.stored_maps import Upsampling
from helpers.stages.refseg_stage import refseg
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


class EachPredictor(WordPredictor):
    """The same, of frames with prompts of their own together; `calls` has the prompts of each frame of each call."""

    def __init__(self, most=99):
        super().__init__(most)
        self.calls = []

    def predict_each(self, prepared, prompts):
        self.calls.append([tuple(own) for own in prompts])
        if sum(map(len, prompts)) > self.most:
            raise MemoryError
        return [super(EachPredictor, self).predict([one], own)[0] for one, own in zip(prepared, prompts, strict=True)]


def scored(dataset, output, predictor=None, prompt=None):
    """Predict and score the expressions of a data set; the text for people."""
    predictor = predictor or WordPredictor()
    return refseg(dataset, predictor.identity, lambda: predictor, output, prompt, processes=1)


def read_scores(output):
    """The table by expression, and the summary."""
    table = pd.read_parquet(output / "expressions.parquet").set_index("expression_id")
    return table, json.loads((output / "summary.json").read_text())
