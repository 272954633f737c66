"""Runs scored as sequences, on made-up sequences of three patients."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from helpers.data.cases import Case
from helpers.data.dataset import open_dataset
from helpers.data.frames.frame import Frame
from helpers.evaluation.case_arrays import Scorable
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.metrics_folder import open_metrics
from helpers.evaluation.sequence_scores import score_sequences
from tests.support.drawn_masks import drawn
from tests.support.vessel_runs import SIDE, write_run

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


def plain_scores(patients, masks_of, patient_of=lambda patient: patient, frames=3, positions=None, ignored=None):
    """Scores of sequences of `frames` frames of 2 x 4 pixels, whose truth is always the upper row.

    Args:
        masks_of: run -> mask of (patient, number), a text of rows; None for none.
        positions: of the frames in their sequence; None for unknown ones.
        ignored: pixels that are not scored, a text of rows for each number; None for none.
    """
    upper = {"mask": lambda width, height: drawn("#" * width + " " + "." * width)}
    cases, rows = [], []
    for patient in patients:
        for number in range(frames):
            position = None if positions is None else positions[number]
            group = (patient_of(patient), f"{patient}-S", number)
            frame = Frame(f"{patient}-{number}", None, None, *group, position=position)
            names = () if ignored is None else ("ignored", "rescaled_ignored")
            left_out = {name: lambda *_, text=(ignored or ())[number]: drawn(text) for name in names}
            cases.append(Case(frame, SimpleNamespace(**upper, **left_out)))
            rows.append({"case_id": frame.case_id, "outcome": "scored", "dice": 0.5 + number / 8, "cldice": 0.25})
    places = {case.frame.case_id: case.frame for case in cases}

    def scored_run(name):
        def mask(case_id):
            picture = masks_of[name](places[case_id].sequence[:-2], places[case_id].number)
            return None if picture is None else drawn(picture)

        return SimpleNamespace(name=name, mask=mask)

    return score_sequences(
        [scored_run(name) for name in masks_of],
        SimpleNamespace(cases=cases),
        [Scorable(case, (4, 2)) for case in cases],
        dict.fromkeys(masks_of, pd.DataFrame(rows)),
        draws=50,
    )


PATIENTS_OF_TEN = [f"P{number}" for number in "9876543210"]
RUNS = {
    "still": lambda patient, number: "#### ....",
    "blinking": lambda patient, number: "#### ...." if number != 1 else None,
}


def test_neighbours_are_those_in_time():
    runs = {"blinking": RUNS["blinking"]}
    turned = plain_scores(["P1"], runs, positions=[0, 2, 1]).frames
    assert (turned["number"].tolist(), turned["flicker"].tolist()[1:]) == ([0, 2, 1], [0, 1])
    # The frame between the last two is of another split.
    apart = plain_scores(["P1"], runs, positions=[4, 5, 7]).frames
    assert apart["position"].tolist() == [4, 5, 7] and apart["flicker"].notna().tolist() == [False, True, False]
    assert plain_scores(["P1"], runs, positions=[0, 2, 4]) is None


def test_a_step_between_frames_that_share_no_scored_pixel_is_none():
    ignored = ["#### ....", ".... ####", ".... ####"]
    found = plain_scores(["P1"], {"blinking": RUNS["blinking"]}, ignored=ignored)
    assert found.frames["flicker"].isna().tolist() == [True, True, False]
    assert found.sequences["steps"].tolist() == [1] and found.record["stepless"] == 0
    assert plain_scores(["P1"], {"still": RUNS["still"]}, frames=2, ignored=ignored).record["stepless"] == 1


def test_sequences_by_hand():
    found = plain_scores(PATIENTS_OF_TEN, RUNS)
    frames, sequences = found.frames, found.sequences
    columns = ["run", "patient", "sequence", "case_id", "position", "number", "outcome", "dice", "cldice"]
    assert list(frames.columns) == [*columns, "truth_pixels", "mask_pixels", "flicker", "temporal_dice", "truth_dice"]
    first = frames[(frames["run"] == "blinking") & (frames["patient"] == "P9")]
    assert first["mask_pixels"].tolist() == [4, 0, 4] and first["truth_pixels"].tolist() == [4, 4, 4]
    assert first["flicker"].tolist()[1:] == [1, 1] and first["truth_dice"].tolist()[1:] == [1, 1]
    assert sequences["run"].tolist() == ["still", "blinking"] * 10
    assert sequences["patient"].tolist()[::2] == PATIENTS_OF_TEN
    steady = {"frames": 3, "steps": 2, "dice": 0.625, "cldice": 0.25, "flicker": 0, "temporal_dice": 1, "truth_dice": 1}
    # The frame between has a Dice of 0.625, the first 0.5 and the last 0.75.
    ends = {"first_gap": 0.125, "last_gap": -0.125}
    assert sequences.iloc[0, 3:].to_dict() == {**steady, "temporal_dice_gap": 0, **ends}
    assert sequences.iloc[1, 3:].to_dict() == {
        **steady,
        "flicker": 1,
        "temporal_dice": 0,
        "temporal_dice_gap": 1,
        **ends,
    }


def test_means_and_differences_by_hand():
    record = plain_scores(PATIENTS_OF_TEN, RUNS).record
    assert record["unit"] == "patient" and record["sequences"] == 10
    assert [run["run"] for run in record["runs"]] == ["still", "blinking"]
    (compared,) = record["comparisons"]
    assert (compared["first"], compared["second"]) == ("still", "blinking")
    flicker = {"metric": "flicker", "low": None, "high": None, "few": False, "n_units": 10, "unit_means": None}
    flicker["interval"] = "none: all units equal"
    assert record["runs"][1]["metrics"][2] == {**flicker, "mean": 1}
    p = 2 / 2**10  # of all patterns of signs, the two that are alike
    assert compared["metrics"][2] == {
        **flicker,
        "difference": 1,
        "p_sign_flip": p,
        "p_sign_flip_holm": pytest.approx(3 * p),
    }
    # Three numbers differ, and four are the same in both runs: these are not tested.
    tested = [row["metric"] for row in compared["metrics"] if row["p_sign_flip"] is not None]
    assert tested == ["flicker", "temporal_dice", "temporal_dice_gap"]
    assert compared["metrics"][0]["difference"] == 0 and compared["metrics"][0]["p_sign_flip_holm"] is None
    few = plain_scores(PATIENTS_OF_TEN[:9], RUNS).record["comparisons"][0]["metrics"][2]
    assert few["few"] and few["p_sign_flip"] is None and few["difference"] == 1


def test_where_a_patient_is_unknown_sequences_are_the_units():
    record = plain_scores(["P1", "P2", "P3"], RUNS, lambda patient: None if patient == "P2" else "P0").record
    assert record["unit"] == "sequence" and record["runs"][0]["metrics"][0]["n_units"] == 3
    known = plain_scores(["P1", "P2", "P3"], RUNS, lambda patient: "P0").record
    assert known["unit"] == "patient" and known["runs"][0]["metrics"][0]["n_units"] == 1


def test_single_frames_are_no_sequences():
    assert plain_scores(["P1", "P2"], RUNS, frames=1) is None


@pytest.mark.slow
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


@pytest.mark.slow
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
    assert "## Sequences" in text and "| Flicker | 0.000 (P" in text


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
