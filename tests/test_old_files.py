"""Files that version 0.1 wrote are read today, and say the same: model folder, run, scores, verdicts, gate."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from transformers import AutoModel, AutoTokenizer

from helpers.core.vocabulary import Mode
from helpers.data.dataset import open_dataset
from helpers.data.frames.frame import Frame
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.metrics_folder import open_metrics
from helpers.evaluation.regression_gate import check, read_baseline, scores_of
from helpers.model.bridge import bridge_of
from helpers.model.video import answer_frames
from helpers.prediction.engine.model_loading import check_folder, load_model
from helpers.prediction.sequences.sequence_tracking import SequencePredictor
from helpers.review.review_source import open_source
from helpers.review.session import ReviewSession
from helpers.review.verdicts import VerdictStore
from helpers.runs.run_folder import open_run
from helpers.stages.predict_stage import predict
from tests.support.tiny_sources import FIXTURES

OLD = FIXTURES / "version_0_1"
CASES = ["image_01", "image_02", "image_03", "image_04"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The data set of that run."""
    folder = tmp_path_factory.mktemp("old") / "data"
    for name in ("images", "masks"):
        shutil.copytree(FIXTURES / name, folder / name)
    shutil.copy(FIXTURES / "dataset.json", folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory, fixture_folder):
    """The old model folder; its weights are those of the same conversion today."""
    folder = tmp_path_factory.mktemp("old") / "model"
    shutil.copytree(OLD / "model", folder)
    shutil.copy(fixture_folder / "model.safetensors", folder)
    return folder


def test_a_run_is_read_and_scored_as_then(data, tmp_path):
    run = open_run(OLD / "run")
    assert list(run.cases()) == CASES and all(str(row.status) == "ok" for row in run.rows)
    found = evaluate([OLD / "run"], open_dataset(data), tmp_path / "scores", processes=1)
    then = json.loads((OLD / "scores" / "summary.json").read_text(encoding="utf-8"))
    means = [{row["metric"]: row["mean"] for row in one["runs"][0]["summary"]} for one in (then, found.summary)]
    assert len(means[0]) > 10 and means[1] == pytest.approx(means[0])


def test_scores_are_read_and_pass_the_gate_of_then():
    metrics = open_metrics(OLD / "scores")
    assert list(metrics.scores("run")["case_id"]) == CASES
    assert check(read_baseline(OLD / "gate.json"), scores_of(metrics)).passed


def test_verdicts_are_shown_with_their_cases(data):
    source = open_source(OLD / "run", open_dataset(data))
    session = ReviewSession(source.cases, VerdictStore(OLD / "verdicts"), "ann", source.run, source.prompt)
    given = {case_id: str(record.verdict) for case_id, record in session.verdicts.items()}
    assert given == {"image_01": "accept", "image_02": "reject"}


def test_a_model_folder_keeps_its_code_and_gives_the_masks_of_then(model):
    record = json.loads((model / "conversion.json").read_text(encoding="utf-8"))
    code = {name: one["sha256"] for name, one in record["outputs"].items() if name.endswith(".py")}
    assert len(code) > 8
    assert {name: sha256((model / name).read_bytes()).hexdigest() for name in code} == code
    loaded = AutoModel.from_pretrained(model, trust_remote_code=True, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=True)
    image = Image.open(FIXTURES / "images/image_01.png")
    text = "Please segment the blood vessels."
    mask = loaded.predict_forward(image=image, text=text, tokenizer=tokenizer)["prediction_masks"][0][0]
    assert np.array_equal(mask, open_run(OLD / "run").mask("image_01", "p1"))


def test_the_same_prediction_finds_all_of_a_run_done(model, data, tmp_path):
    shutil.copytree(OLD / "run", tmp_path / "run")
    run = predict(model, data, tmp_path / "run", device="cpu")
    assert check_folder(model).tensors_sha256 == run.config.values["model"]["tensors_sha256"]
    pd.testing.assert_frame_equal(run.table(), open_run(OLD / "run").table())


def test_an_old_model_folder_is_asked_about_a_sequence_as_its_own_code_asks(model):
    loaded, tokenizer = load_model(model, "cpu", "float32")
    frames = [Image.open(FIXTURES / "images/image_01.png").convert("RGB")] * 2
    text = "Please segment the blood vessels."
    official = loaded.predict_forward(video=frames, text=text, tokenizer=tokenizer)
    predictor = SequencePredictor(loaded, tokenizer, {}, mode=Mode.TRACK)
    images = [predictor.prepare(frame).image for frame in frames]
    pixels = torch.cat([bridge_of(loaded).frame_bytes([image]) for image in images])
    with torch.inference_mode():
        answer = answer_frames(loaded, pixels, text, "", tokenizer, 32)
    assert tokenizer.decode(answer.token_ids) == official["prediction"]
    assert len(answer.seg_states) == len(official["prediction_masks"])
    listed = [Frame(f"c{at}", FIXTURES / "images/image_01.png", sequence="s", position=at) for at in range(2)]
    with ThreadPoolExecutor(1) as readers:
        found = list(predictor.outcomes(listed, [text], readers))
    assert [len(one.found[0].logits) for one in found] == [len(official["prediction_masks"])] * 2
