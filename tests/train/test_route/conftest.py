"""The fixture's model, its four frames with masks, and the scores that `vesselkit evaluate` gives them."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from helpers.data.dataset import open_dataset
from helpers.evaluation.evaluate import evaluate
from helpers.prediction.engine.model_loading import check_folder, load_model
from helpers.prediction.run import predict
from helpers.prediction.sa2va_predictor import Sa2VAPredictor
from tests.support.tiny_sources import FIXTURES


@dataclass(frozen=True)
class Scored:
    """A model, a data set, and `vesselkit evaluate`'s rows of both by metric."""

    model: Path
    data: Path
    rows: dict[str, dict]


@pytest.fixture(scope="session")
def scored(fixture_folder, tmp_path_factory) -> Scored:
    folder = tmp_path_factory.mktemp("scored")
    dataset = open_dataset(FIXTURES)
    identity = vars(check_folder(fixture_folder))
    predictor = Sa2VAPredictor(*load_model(fixture_folder, "cpu", "float32"), identity)
    predict(dataset.frames, predictor, folder / "run", batch_size=2)
    found = evaluate([folder / "run"], dataset, folder / "metrics", processes=1).summary["runs"][0]
    return Scored(fixture_folder, FIXTURES, {row["metric"]: row for row in (*found["summary"], *found["pooled"])})
