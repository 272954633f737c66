"""Two sequences, two runs on them and their films."""

import json

import numpy as np
import pytest
from PIL import Image

from helpers.data.dataset import open_dataset
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.metrics_folder import open_metrics
from helpers.evaluation.scored_runs import open_scored_runs
from helpers.prediction.run import predict
from helpers.review.films.film_export import write_cine
from tests.support.plain_predictor import PlainPredictor

FRAMES = 5


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """Two sequences of five frames; of the first, the third cannot be read. Two runs on them."""
    root = tmp_path_factory.mktemp("world")
    for part in ("images", "masks"):
        (root / "data" / part).mkdir(parents=True)
    for sequence in (1, 2):
        for number in range(1, FRAMES + 1):
            name = f"P01_S{sequence:02d}_{number:03d}.png"
            grey = np.full((40, 60), 150, np.uint8)
            grey[10:14, : 10 * number] = 40
            Image.fromarray(grey).save(root / "data/images" / name)
            Image.fromarray((grey < 100).astype(np.uint8) * 255).save(root / "data/masks" / name)
    (root / "data/images/P01_S01_003.png").write_bytes(b"damaged")
    (root / "data/dataset.json").write_text(json.dumps({"ids": "public", "layout": "paired"}))
    dataset = open_dataset(root / "data")
    for name, threshold in (("one", 0.5), ("two", 0.4)):
        predict(dataset.frames, PlainPredictor(), root / name, ("vessels",), threshold=threshold)
    return root, dataset


@pytest.fixture(scope="session")
def films(world):
    root, dataset = world
    scored_runs = open_scored_runs([root / "one", root / "two"])
    evaluate([root / "one", root / "two"], dataset, root / "scores", processes=1, draws=50)
    metrics = open_metrics(root / "scores")
    return root / "films", write_cine(scored_runs, dataset, root / "films", metrics=metrics, rate=5)
