"""Films of made-up runs."""

import json
from dataclasses import replace

import av
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.metrics_folder import open_metrics
from helpers.evaluation.scored_runs import open_scored_runs
from helpers.prediction.run import predict
from helpers.review.films.film_export import write_cine
from helpers.review.films.film_frame import sequence_cases
from tests.review.films.conftest import FRAMES
from tests.support.plain_predictor import PlainPredictor


def test_each_sequence_has_its_files_and_its_gaps(films):
    folder, record = films
    assert json.loads((folder / "cine.json").read_text()) == record
    first, second = record["sequences"]
    assert [one["frames"] for one in record["sequences"]] == [FRAMES, FRAMES]
    assert [gap["status"] for gap in first["gaps"]] == ["read_error"] and second["gaps"] == []
    for one in record["sequences"]:
        with av.open(str(folder / one["mp4"])) as container:
            assert len(list(container.decode(video=0))) == FRAMES
        with Image.open(folder / one["gif"]) as image:
            assert image.n_frames == FRAMES
        assert all((folder / one[kind]).stat().st_size > 1000 for kind in ("picture", "curves"))
    named = {"index.html", "cine.json"} | {
        one[kind] for one in (first, second) for kind in ("mp4", "gif", "picture", "curves")
    }
    assert {path.name for path in folder.iterdir()} == named


def test_nothing_names_a_file_or_a_folder(films, world):
    folder, _ = films
    written = list(folder.iterdir())
    assert written
    for path in written:
        content = path.read_bytes()
        assert str(world[0]).encode() not in content and b"images/" not in content, path.name


def test_only_the_sequences_asked_for(world, tmp_path):
    root, dataset = world
    name = list(sequence_cases(dataset))[1]
    scored_runs = open_scored_runs([root / "one"])
    record = write_cine(scored_runs, dataset, tmp_path / "films", sequences=[name])
    assert [one["sequence"] for one in record["sequences"]] == [name]
    assert record["sequences"][0]["curves"] is None
    with pytest.raises(UsageProblem, match="expected some of the 2 of run one, got 'nowhere'"):
        write_cine(scored_runs, dataset, tmp_path / "more", sequences=["nowhere"])
    with pytest.raises(RefusedInput):
        write_cine(scored_runs, dataset, tmp_path / "films")
    assert not (tmp_path / "more").exists()


def test_frames_that_were_not_predicted_are_refused(world, tmp_path):
    root, dataset = world
    path = root / "data/images/P01_S02_002.png"
    before = path.read_bytes()
    try:
        Image.new("L", (60, 40), 9).save(path)
        with pytest.raises(RefusedInput, match="expected the frame that was predicted"):
            write_cine(open_scored_runs([root / "one"]), dataset, tmp_path / "films")
    finally:
        path.write_bytes(before)
    assert not (tmp_path / "films").exists()


def test_curves_are_of_these_runs_as_they_are_now_or_refused(world, tmp_path):
    root, dataset = world
    predict(dataset.frames, PlainPredictor(), tmp_path / "run", ("vessels",))
    evaluate([tmp_path / "run"], dataset, tmp_path / "scores", processes=1, draws=50)
    metrics = open_metrics(tmp_path / "scores")
    with pytest.raises(RefusedInput, match="expected scores of run two and its prompt, found those of run"):
        write_cine(open_scored_runs([root / "two"]), dataset, tmp_path / "films", metrics=metrics)
    (tmp_path / "run" / "parts" / f"{dataset.cases[0].case_id}.json").unlink()
    (tmp_path / "run" / "manifest.json").unlink()
    darker = PlainPredictor({150: lambda answer: replace(answer, logits=-answer.logits)})
    predict(dataset.frames, darker, tmp_path / "run", ("vessels",))
    with pytest.raises(RefusedInput, match="found 1 frame predicted again since"):
        write_cine(open_scored_runs([tmp_path / "run"]), dataset, tmp_path / "films", metrics=metrics)
    assert not (tmp_path / "films").exists()
