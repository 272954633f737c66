"""Films from the command line."""

import json

import numpy as np
import pytest
from PIL import Image

from helpers.data.dataset import open_dataset
from helpers.prediction.run import predict
from tests.support.plain_predictor import PlainPredictor


@pytest.fixture
def made(tmp_path):
    """A run on a sequence of two frames, and its data set."""
    (tmp_path / "data").mkdir()
    for number in (1, 2):
        Image.fromarray(np.full((24, 32), 60 * number, np.uint8)).save(tmp_path / f"data/P01_S01_{number:03d}.png")
    (tmp_path / "data/dataset.json").write_text(json.dumps({"ids": "public"}))
    predict(open_dataset(tmp_path / "data").frames, PlainPredictor(), tmp_path / "run", ("vessels",))


def test_films_of_a_run(call, made, tmp_path):
    ended = call("visualize", "run", "--films", "--data", "data", "--output", "films")
    assert ended.code == 0 and "1 sequence of 2 frames, 0 gaps" in ended.out
    assert len(list((tmp_path / "films").glob("*.mp4"))) == 1


def test_what_cannot_work_is_said_before_anything_is_written(call, made, tmp_path):
    for arguments, said in (
        (("--rate", "0"), "rate: expected 0.5 to 60 frames a second"),
        (("--sequences", "nowhere"), "expected some of the 1 of run run, got 'nowhere'"),
        (("--prompt", "p9"), "prompt: expected one of p1"),
        (("--sort", "natural"), "--films: shows whole sequences of a run; leave --cases, --sort and --n out"),
    ):
        ended = call("visualize", "run", "--films", "--data", "data", "--output", "films", *arguments)
        assert ended.code == 2 and said in ended.err
    assert not (tmp_path / "films").exists()


def test_films_need_a_run_and_pictures_have_nothing_beside_them(call, made):
    assert "name a RUN" in call("visualize", "--films", "--data", "data", "--output", "films").err
    ended = call("visualize", "run", "--beside", "run", "--data", "data", "--output", "films")
    assert ended.code == 2 and "go with --films" in ended.err
