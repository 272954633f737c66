"""The same command again: what changed is computed again, what is damaged is mended, all else stays."""

import errno
import json
import logging
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.core.errors import RefusedInput, VesselkitError
from helpers.prediction.engine import io_threads
from helpers.prediction.resume import listed
from helpers.prediction.work_shards import WorkShard
from helpers.runs import provenance
from helpers.runs.case_parts import read_part
from helpers.runs.run_folder import open_run
from tests.support.drawn_frames import draw_frames
from tests.support.plain_predictor import PlainPredictor, compute
from tests.support.run_files import run_files


@pytest.fixture
def frames(tmp_path):
    (tmp_path / "data").mkdir()
    return draw_frames(tmp_path / "data", [1, 2, 3, 4, 5])


def redraw(frame, mark):
    """Another image in a frame's file; its size in bytes and time of change, where they can be, as before."""
    before = frame.path.stat()
    image = Image.open(frame.path)
    image.load()
    image.putpixel((0, 0), mark)
    image.save(frame.path)
    assert frame.path.stat().st_size == before.st_size
    os.utime(frame.path, ns=(before.st_atime_ns, before.st_mtime_ns))


def part_times(run):
    return {path.stem: path.stat().st_mtime_ns for path in (run / "parts").iterdir()}


def changed(before, after):
    return {name for name in after if before.get(name) != after[name]}


def test_a_replaced_image_of_equal_size_and_time_is_predicted_again_and_no_other(frames, tmp_path, caplog):
    run = tmp_path / "run"
    compute(frames, run)
    before, old = part_times(run), open_run(run).image_hashes
    redraw(frames[2], 77)
    predictor = PlainPredictor()
    assert compute(frames, run, predictor).complete and predictor.batches == [[77, 4]]
    assert changed(before, part_times(run)) == {"c03"}
    new = open_run(run).image_hashes
    assert {case_id for case_id in old if old[case_id] != new[case_id]} == {"c03"}
    assert "1 case computed again (their image file changed" in caplog.text and ": c03" in caplog.text
    compute(frames, tmp_path / "fresh")
    assert run_files(run) == run_files(tmp_path / "fresh")


def test_an_image_saved_anew_with_the_same_pixels_stays_and_is_read_once(frames, tmp_path, monkeypatch):
    run = tmp_path / "run"
    compute(frames, run)
    Image.open(frames[0].path).save(frames[0].path, compress_level=1)
    read = []
    monkeypatch.setattr(
        "helpers.data.frames.frame_source.read_frame", lambda path, *_: read.append(path) or Image.open(path)
    )
    monkeypatch.setattr(
        "helpers.data.frames.frame_source.pixel_sha256", lambda image: open_run(run).image_hashes["c01"]
    )
    for _ in range(2):
        predictor = PlainPredictor()
        compute(frames, run, predictor)
        assert predictor.batches == []
    assert read == [frames[0].path]


def test_a_repaired_image_is_predicted_and_an_unreadable_one_stays(frames, tmp_path, caplog):
    good = frames[1].path.read_bytes()
    for frame in (frames[1], frames[4]):
        frame.path.write_bytes(b"broken")
    run = tmp_path / "run"
    compute(frames, run)
    assert open_run(run).manifest["counts"]["read_error"] == 2
    before = part_times(run)
    frames[1].path.write_bytes(good)
    compute(frames, run)
    assert changed(before, part_times(run)) == {"c02"} and ": c02" in caplog.text
    assert open_run(run).manifest["counts"]["read_error"] == 1


@pytest.mark.parametrize("content", [None, b"broken"])
def test_an_image_that_cannot_be_read_any_more_takes_back_no_result(frames, tmp_path, content):
    run = tmp_path / "run"
    compute(frames, run)
    before = run_files(run)
    frames[1].path.unlink()
    if content is not None:
        frames[1].path.write_bytes(content)
    predictor = PlainPredictor()
    assert compute(frames, run, predictor).complete and predictor.batches == []
    assert run_files(run) == before


def test_a_drive_that_goes_away_during_a_run_costs_what_it_did_not_give(frames, tmp_path, monkeypatch):
    monkeypatch.setattr(io_threads, "AHEAD", 0)
    predictor, folder = PlainPredictor(), frames[0].path.parent
    predict = predictor.predict

    def unmounted(prepared, prompts):
        folder.rename(tmp_path / "away")
        return predict(prepared, prompts)

    predictor.predict = unmounted
    run = tmp_path / "run"
    compute(frames, run, predictor)
    assert {name: count for name, count in open_run(run).manifest["counts"].items() if count} == {
        "ok": 2,
        "read_error": 3,
    }
    before = part_times(run)
    (tmp_path / "away").rename(folder)
    summary = compute(frames, run)
    assert changed(before, part_times(run)) == {"c03", "c04", "c05"} and "5 cases: 5 ok" in summary.to_text()
    compute(frames, tmp_path / "fresh")
    assert run_files(run) == run_files(tmp_path / "fresh")


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_a_drive_that_fails_is_told_as_such_and_tried_again(frames, tmp_path, monkeypatch, number):
    def opened(path, *arguments, **options):
        if Path(path) == frames[2].path:
            raise OSError(number, os.strerror(number), str(path))
        return open(path, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr("helpers.model.image_file.open", opened, raising=False)
        compute(frames, tmp_path / "run")
    row = open_run(tmp_path / "run").table().set_index("case_id").loc["c03"]
    assert str(row["status"]) == "read_error" and str(tmp_path) not in row["message"]
    assert row["message"].startswith("the disk or network drive failed")
    assert row["message"].endswith("Check that the disk or network drive is there")
    compute(frames, tmp_path / "run")
    assert open_run(tmp_path / "run").manifest["counts"]["ok"] == 5


def test_what_did_not_fit_in_memory_is_tried_again(frames, tmp_path):
    run = tmp_path / "run"
    compute(frames, run, PlainPredictor({2: torch.OutOfMemoryError("full")}))
    assert open_run(run).manifest["counts"]["oom"] == 1
    compute(frames, run)
    assert open_run(run).manifest["counts"]["ok"] == 5
    compute(frames, tmp_path / "fresh")
    assert run_files(run) == run_files(tmp_path / "fresh")


@pytest.mark.parametrize(
    "name",
    [
        "parts/c02.json",
        "masks/c02/p1.png",
        "logits/c02/p1.npz",
        "coco.json",
        "predictions.parquet",
        "artefacts.parquet",
        "manifest.json",
    ],
)
@pytest.mark.parametrize("lost", [True, False])
def test_a_damaged_finished_run_is_mended_by_the_same_command(frames, tmp_path, name, lost):
    run = tmp_path / "run"
    compute(frames, run)
    whole = run_files(run)
    if lost:
        (run / name).unlink()
    else:
        content = bytearray((run / name).read_bytes())
        content[0] ^= 1
        (run / name).write_bytes(content)
    assert compute(frames, run).complete
    assert run_files(run) == whole


def test_a_part_whose_row_was_edited_is_computed_again(frames, tmp_path):
    run = tmp_path / "run"
    compute(frames, run)
    whole = run_files(run)
    path = run / "parts/c01.json"
    values = json.loads(path.read_text())
    values["rows"][0]["mask_pixels"] += 1
    path.write_text(json.dumps(values, indent=1, sort_keys=True) + "\n")
    with pytest.raises(VesselkitError, match="expected the part of a case"):
        read_part(run, "c01")
    compute(frames, run)
    assert run_files(run) == whole


def test_a_run_that_is_opened_again_is_unfinished_until_it_is_whole(frames, tmp_path):
    run = tmp_path / "run"
    compute(frames, run)
    redraw(frames[2], 77)

    def device_lost(prepared, prompts):
        raise torch.AcceleratorError("lost")

    predictor = PlainPredictor()
    predictor.predict = device_lost
    with pytest.raises(VesselkitError):
        compute(frames, run, predictor)
    assert not (run / "manifest.json").exists() and not (run / "parts/c03.json").exists()
    assert compute(frames, run).complete and open_run(run).manifest["counts"]["ok"] == 5


def test_a_resume_that_finds_all_in_order_says_nothing(frames, tmp_path, caplog):
    compute(frames, tmp_path / "run")
    with caplog.at_level(logging.INFO):
        compute(frames, tmp_path / "run")
    assert not caplog.records


def test_long_lists_of_cases_are_cut():
    assert listed(["a", "b"]) == "a, b"
    assert listed([str(number) for number in range(12)]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"


def older(monkeypatch, **versions):
    """Let this process pass for one of other versions; in the same way the other functions of this module are."""
    real = provenance.version
    monkeypatch.setattr(provenance, "version", lambda name: versions.get(name) or real(name))


def test_a_run_that_goes_on_under_other_versions_says_so_then_and_whenever_it_is_used(frames, tmp_path, caplog):
    run = tmp_path / "run"
    with pytest.MonkeyPatch.context() as before:
        older(before, torch="1.0", pillow="2.0")
        compute(frames, run)
    assert open_run(run).mixture is None and not caplog.records
    compute(frames, run)
    assert not caplog.records  # nothing is computed
    redraw(frames[2], 77)
    summary = compute(frames, run)
    (told,) = [record.message for record in caplog.records if "of this run computed" in record.message]
    assert told.startswith("4 cases of this run computed with torch 1.0, pillow 2.0, those to come with torch")
    found = open_run(run)
    assert "4 of 5 cases with pillow 2.0, torch 1.0; 1 of 5 cases with pillow" in found.mixture
    assert f"note: {found.mixture}" in summary.to_text()
    assert {case_id for case_id, text in found.artefacts.made_with.items() if '"torch": "1.0"' not in text} == {"c03"}


def test_shards_of_different_versions_make_a_mixture_that_the_run_tells(frames, tmp_path, caplog):
    run = tmp_path / "run"
    with pytest.MonkeyPatch.context() as before:
        before.setattr("helpers.__version__", "0.0.1")
        compute(frames, run, shard=WorkShard(1, 2))
    summary = compute(frames, run, shard=WorkShard(2, 2))
    assert "3 cases of this run computed with vesselkit 0.0.1" in caplog.text
    assert summary.complete and "with vesselkit 0.0.1; 2 of 5 cases with vesselkit" in summary.to_text()


@pytest.mark.parametrize("finished", [True, False])
def test_cases_that_say_no_version_are_known_by_the_manifest_or_said_to_be_unknown(frames, tmp_path, caplog, finished):
    run = tmp_path / "run"
    with pytest.MonkeyPatch.context() as before:
        before.setattr("helpers.prediction.run.making", lambda device: None)
        compute(frames, run)
    manifest = json.loads((run / "manifest.json").read_text())
    if finished:
        manifest["versions"]["transformers"] = "1.0"
        (run / "manifest.json").write_text(json.dumps(manifest))
    else:
        (run / "manifest.json").unlink()
    redraw(frames[2], 77)
    compute(frames, run)
    said = "with transformers 1.0, those to come with" if finished else "under versions that are not known"
    assert f"4 cases of this run computed {said}" in caplog.text
    assert "4 of 5 cases with no versions kept; 1 of 5 cases with" in open_run(run).mixture


def bring(case_id, run, other):
    """Put a case of another run into a run, whole."""
    for name in (f"masks/{case_id}/p1.png", f"logits/{case_id}/p1.npz", f"parts/{case_id}.json"):
        (run / name).write_bytes((other / name).read_bytes())


def test_a_case_of_a_run_of_other_frames_is_none_of_this_run(frames, tmp_path):
    (tmp_path / "others").mkdir()
    compute(draw_frames(tmp_path / "others", [6, 7, 8, 9, 10]), tmp_path / "other")
    run = tmp_path / "run"
    compute(frames, run)
    whole = run_files(run)
    bring("c02", run, tmp_path / "other")
    with pytest.raises(RefusedInput, match="in 1 of 5 cases: c02"):
        open_run(run).require_whole()
    compute(frames, run)
    assert run_files(run) == whole


def test_a_case_that_another_machine_computed_of_the_same_frame_is_taken_into_the_tables(frames, tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    compute(frames, run)
    compute(frames, other, PlainPredictor({2: lambda answer: replace(answer, logits=answer.logits + 0.5)}))
    bring("c02", run, other)
    assert compute(frames, run).complete
    open_run(run).require_whole()
    assert np.array_equal(open_run(run).full_map("c02", "p1"), open_run(other).full_map("c02", "p1"))
