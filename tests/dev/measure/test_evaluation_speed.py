"""What the speed script measures is an ordinary data set and run, neither empty nor perfect."""

from helpers.data.dataset import open_dataset
from helpers.dev.measure.evaluation_speed import SIDE, GreyPredictor, write_data
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.metrics_folder import open_metrics
from helpers.prediction.run import predict


def test_frames_and_run_of_the_speed_script(tmp_path):
    write_data(tmp_path / "data", frames=2)
    data = open_dataset(tmp_path / "data")
    predict(data.frames, GreyPredictor(), tmp_path / "run")
    evaluate([tmp_path / "run"], data, tmp_path / "scores", processes=1, draws=100)
    scores = open_metrics(tmp_path / "scores").scores("run")
    assert (scores[["height", "width"]] == SIDE).all().all() and scores["patient"].nunique() == 2
    assert scores["dice"].between(0.5, 0.95).all() and (scores["betti0_error"] > 0).all()
