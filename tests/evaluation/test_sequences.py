"""Runs scored as sequences, on made-up sequences of three patients."""

import json

import numpy as np
import pytest
from PIL import Image

from helpers.data.dataset import open_dataset
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.metrics_folder import open_metrics
from tests.evaluation.runs import SIDE, write_run

PATIENTS, FRAMES = 3, 4


def line(frame: int) -> np.ndarray:
    """The truth of a frame: a bar that grows by eight columns a frame, none in the first."""
    mask = np.zeros((SIDE, SIDE), bool)
    mask[20:28, : 8 * (frame - 1)] = True
    return mask


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "data"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for patient in range(1, PATIENTS + 1):
        for frame in range(1, FRAMES + 1):
            name = f"P{patient:02d}_S01_{frame:03d}.png"
            image = np.full((SIDE, SIDE), 40 * frame, np.uint8)
            image[:, patient] = 0
            Image.fromarray(image).save(folder / "images" / name)
            Image.fromarray(line(frame).astype(np.uint8) * 255).save(folder / "masks" / name)
    (folder / "dataset.json").write_text(json.dumps({"ids": "public", "layout": "paired"}))
    return open_dataset(folder)


def masks(dataset, change=lambda mask, frame: mask):
    return {frame.case_id: change(line(frame.number), frame) for frame in dataset.frames}


def flashing(mask, frame):
    """A patch that is there in every second frame."""
    mask = mask.copy()
    mask[50:58, :8] = frame.number % 2 == 0
    return mask


def scored(tmp_path, dataset, **runs):
    folders = [write_run(tmp_path / name, found) for name, found in runs.items()]
    evaluate(folders, dataset, tmp_path / "scores", processes=1, draws=200)
    return open_metrics(tmp_path / "scores")


def values(metrics, run):
    found = next(one for one in metrics.summary["sequences"]["runs"] if one["run"] == run)
    return {row["metric"]: row for row in found["metrics"]}


def test_a_perfect_and_a_flashing_run(tmp_path, dataset):
    metrics = scored(tmp_path, dataset, perfect=masks(dataset), flashing=masks(dataset, flashing))
    perfect, other = values(metrics, "perfect"), values(metrics, "flashing")
    assert perfect["flicker"]["mean"] == perfect["temporal_dice_gap"]["mean"] == perfect["first_gap"]["mean"] == 0
    truths = [0, 2 * 64 / (64 + 128), 2 * 128 / (128 + 192)]
    assert perfect["temporal_dice"]["mean"] == pytest.approx(np.mean(truths))
    # The patch of 64 pixels comes and goes beside bars of 64, 128 and 192 pixels.
    assert other["flicker"]["mean"] == pytest.approx(np.mean([64 / 128, 64 / 192, 64 / 256]))
    assert other["flicker"]["n_units"] == PATIENTS and other["flicker"]["few"]
    # Frames with vessels are the second to the fourth; the second and the fourth hold the patch.
    assert other["first_gap"]["mean"] == pytest.approx(1 - 128 / (64 + 128))
    assert other["last_gap"]["mean"] == pytest.approx(1 - 2 * 192 / (192 + 256))


def test_runs_are_compared_with_the_first_and_tables_hold_every_frame(tmp_path, dataset):
    metrics = scored(tmp_path, dataset, perfect=masks(dataset), flashing=masks(dataset, flashing))
    (compared,) = metrics.summary["sequences"]["comparisons"]
    found = {row["metric"]: row for row in compared["metrics"]}
    assert (compared["first"], compared["second"]) == ("perfect", "flashing")
    assert found["flicker"]["difference"] == pytest.approx(values(metrics, "flashing")["flicker"]["mean"])
    assert found["flicker"]["p_sign_flip"] is None  # too few patients
    frames, sequences = metrics.frames(), metrics.sequences()
    assert len(frames) == 2 * PATIENTS * FRAMES and len(sequences) == 2 * PATIENTS
    one = frames[(frames["run"] == "flashing") & (frames["sequence"] == frames["sequence"].iloc[0])]
    assert one["position"].tolist() == [0, 1, 2, 3] and one["number"].tolist() == [1, 2, 3, 4]
    assert one["truth_pixels"].tolist() == [0, 64, 128, 192] and one["mask_pixels"].tolist() == [0, 128, 128, 256]
    assert np.isnan(one["flicker"].iloc[0]) and one["flicker"].iloc[1] == 0.5
    assert (sequences["steps"] == FRAMES - 1).all()
    text = (tmp_path / "scores/summary.md").read_text()
    assert "## Sequences" in text and "| Flicker | 0.000 [0.000, 0.000]" in text


def test_a_frame_without_truth_leaves_no_neighbours(tmp_path, dataset):
    for patient in range(1, PATIENTS + 1):
        (tmp_path / f"data/masks/P{patient:02d}_S01_002.png").unlink()
    dataset = open_dataset(tmp_path / "data")
    metrics = scored(tmp_path, dataset, perfect=masks(dataset))
    frames = metrics.frames()
    assert frames["position"].unique().tolist() == [0, 2, 3]
    assert (metrics.sequences()["steps"] == 1).all()


def test_a_failed_frame_counts_as_an_empty_mask(tmp_path, dataset):
    found = masks(dataset, lambda mask, frame: None if frame.number == 3 else mask)
    frames = scored(tmp_path, dataset, broken=found).frames()
    lost = frames[frames["number"] == 3]
    assert (lost["outcome"] == "failed").all() and (lost["mask_pixels"] == 0).all()
    assert lost["flicker"].tolist() == [pytest.approx(1.0)] * PATIENTS  # the whole mask goes, where the truth stays


def test_a_frame_that_no_run_could_read_is_scored_at_the_size_of_its_truth(tmp_path, dataset):
    (tmp_path / "data/images/P01_S01_003.png").write_bytes(b"damaged")
    found = masks(dataset, lambda mask, frame: None if (frame.patient, frame.number) == ("P01", 3) else mask)
    case_id = next(name for name, mask in found.items() if mask is None)
    folder = write_run(tmp_path / "run", found, sizes={case_id: None})
    evaluate([folder], dataset, tmp_path / "scores", processes=1, draws=50)
    frames = open_metrics(tmp_path / "scores").frames().set_index("case_id")
    assert frames.loc[case_id, "outcome"] == "failed" and frames.loc[case_id, "truth_pixels"] == 128


def test_single_frames_have_no_temporal_scores(tmp_path, dataset):
    for path in (tmp_path / "data").rglob("*_00[234].png"):
        path.unlink()
    dataset = open_dataset(tmp_path / "data")
    metrics = scored(tmp_path, dataset, perfect=masks(dataset))
    assert metrics.summary["sequences"] is None
    assert metrics.frames() is None and metrics.sequences() is None
    assert "## Sequences" not in (tmp_path / "scores/summary.md").read_text()
