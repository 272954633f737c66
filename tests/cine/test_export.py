"""Films of made-up runs, and how they play in a browser."""

import io
import json
from dataclasses import replace

import av
import numpy as np
import pytest
from PIL import Image

from helpers.cine.export import write_cine
from helpers.cine.frame import sequence_cases
from helpers.data.dataset import open_dataset
from helpers.errors import RefusedInput, UsageProblem
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.metrics_folder import open_metrics
from helpers.evaluation.subjects import open_subjects
from helpers.inference.run import predict
from tests.browser import chromium
from tests.inference.plain_predictor import PlainPredictor

FRAMES = 5


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
def films(world):
    root, dataset = world
    subjects = open_subjects([root / "one", root / "two"])
    evaluate([root / "one", root / "two"], dataset, root / "scores", processes=1, draws=50)
    metrics = open_metrics(root / "scores")
    return root / "films", write_cine(subjects, dataset, root / "films", metrics=metrics, rate=5)


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
    for path in folder.iterdir():
        content = path.read_bytes()
        assert str(world[0]).encode() not in content and b"images/" not in content, path.name


def test_only_the_sequences_asked_for(world, tmp_path):
    root, dataset = world
    name = list(sequence_cases(dataset))[1]
    subjects = open_subjects([root / "one"])
    record = write_cine(subjects, dataset, tmp_path / "films", sequences=[name])
    assert [one["sequence"] for one in record["sequences"]] == [name]
    assert record["sequences"][0]["curves"] is None
    with pytest.raises(UsageProblem, match="expected some of the 2 of run one, got 'nowhere'"):
        write_cine(subjects, dataset, tmp_path / "more", sequences=["nowhere"])
    with pytest.raises(RefusedInput):
        write_cine(subjects, dataset, tmp_path / "films")
    assert not (tmp_path / "more").exists()


def test_frames_that_were_not_predicted_are_refused(world, tmp_path):
    root, dataset = world
    path = root / "data/images/P01_S02_002.png"
    before = path.read_bytes()
    try:
        Image.new("L", (60, 40), 9).save(path)
        with pytest.raises(RefusedInput, match="expected the frame that was predicted"):
            write_cine(open_subjects([root / "one"]), dataset, tmp_path / "films")
    finally:
        path.write_bytes(before)
    assert not (tmp_path / "films").exists()


PLAYED = """async (number) => {
  const film = document.getElementById("film");
  if (film.readyState < 2) await new Promise((done, failed) => {
    film.addEventListener("loadeddata", done);
    film.addEventListener("error", () => failed(film.error.message));
  });
  const sought = new Promise((done) => film.addEventListener("seeked", done, {once: true}));
  document.getElementById("place").value = number;
  document.getElementById("place").dispatchEvent(new Event("input"));
  await sought;
  return {duration: film.duration, width: film.videoWidth, height: film.videoHeight,
          shown: document.getElementById("shown").textContent};
}"""


def test_the_films_play_in_a_browser(films):
    """The page's duration, and its fourth frame against the same frame decoded here."""
    folder, record = films
    seen = []
    with chromium() as browser:
        page = browser.new_page()
        page.on("console", lambda said: seen.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: seen.append(str(error)))
        page.goto((folder / "index.html").as_uri())
        found = page.evaluate(PLAYED, 4)
        shot = Image.open(io.BytesIO(page.locator("#film").screenshot())).convert("RGB")
        page.keyboard.press("ArrowRight")
        page.locator("#shown", has_text="frame 5 of 5").wait_for(timeout=5000)
        gaps = page.inner_text("#gaps")
        page.select_option("#sequence", index=1)
        assert page.inner_text("#gaps") == ""
    assert seen == []
    assert found["duration"] == pytest.approx(FRAMES / 5) and found["shown"] == "frame 4 of 5"
    assert gaps == f"gaps: {record['sequences'][0]['gaps'][0]['case_id']} (read_error)"
    with av.open(str(folder / record["sequences"][0]["mp4"])) as container:
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert (found["height"], found["width"]) == decoded[3].shape[:2]
    # The element may be wider than the film, which then stands in its middle.
    scale = min(shot.width / found["width"], shot.height / found["height"])
    width, height = round(found["width"] * scale), round(found["height"] * scale)
    left, top = (shot.width - width) // 2, (shot.height - height) // 2
    pixels = np.asarray(shot.crop((left, top, left + width, top + height)), np.int16)
    sized = [np.asarray(Image.fromarray(one).resize((width, height)), np.int16) for one in decoded]
    errors = [np.abs(pixels - one).mean() for one in sized]
    assert int(np.argmin(errors)) == 3 and errors[3] < 4


def test_curves_are_of_these_runs_as_they_are_now_or_refused(world, tmp_path):
    root, dataset = world
    predict(dataset.frames, PlainPredictor(), tmp_path / "run", ("vessels",))
    evaluate([tmp_path / "run"], dataset, tmp_path / "scores", processes=1, draws=50)
    metrics = open_metrics(tmp_path / "scores")
    with pytest.raises(RefusedInput, match="expected scores of run two and its prompt, found those of run"):
        write_cine(open_subjects([root / "two"]), dataset, tmp_path / "films", metrics=metrics)
    (tmp_path / "run" / "parts" / f"{dataset.cases[0].case_id}.json").unlink()
    (tmp_path / "run" / "manifest.json").unlink()
    darker = PlainPredictor({150: lambda answer: replace(answer, logits=-answer.logits)})
    predict(dataset.frames, darker, tmp_path / "run", ("vessels",))
    with pytest.raises(RefusedInput, match="found 1 frames that were predicted again since"):
        write_cine(open_subjects([tmp_path / "run"]), dataset, tmp_path / "films", metrics=metrics)
    assert not (tmp_path / "films").exists()
