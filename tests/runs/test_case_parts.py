"""A case is done when its part and all that it names are there, and not before."""

import hashlib
import json
import os
from dataclasses import replace

import numpy as np
import pytest
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO

from helpers.core.errors import RefusedInput, VesselkitError
from helpers.prediction.work_shards import shard_lock
from helpers.runs import durable
from helpers.runs.case_parts import (
    CaseResult,
    commit_case,
    done_part,
    logits_name,
    mask_name,
    read_part,
    remove_leftovers,
)
from helpers.runs.durable import json_bytes
from helpers.runs.finishing import finish_run
from helpers.runs.result_rows import COLUMNS, PredictionRow
from helpers.runs.run_config import start_run
from helpers.runs.run_folder import open_run, require_comparable
from helpers.runs.status import PredictionStatus
from helpers.runs.stored_maps import StoredLogits, Upsampling
from tests.support.stored_masks import check_mask

VALUES = {"prompts": {"p1": "vessels"}, "threshold": 0.5, "combine": "union", "dataset": {"key_fingerprint": "ab"}}
MASK = np.array([[True, False, True], [False, False, True]])


def row(case_id, **known):
    code = coco_masks.encode(np.asfortranarray(MASK.astype(np.uint8)))["counts"].decode()
    base = dict.fromkeys(COLUMNS) | {
        "case_id": case_id,
        "prompt_id": "p1",
        "seg_index": 0,
        "status": PredictionStatus.OK,
        "width": 3,
        "height": 2,
        "seg_count": 1,
        "mask_pixels": 3,
        "predicted_iou": 0.75,
        "rle": code,
    }
    return PredictionRow(**(base | known))


def result(case_id):
    logits = np.where(MASK, 2, -2)[None].astype(np.float16)
    stored = StoredLogits(logits, Upsampling.NONE, None, 3, 2)
    return CaseResult(case_id, (row(case_id),), {"p1": stored}, {"p1": MASK}, {"predict_seconds": 0.5, "batch_size": 1})


def failed(case_id):
    nothing = {
        "seg_index": None,
        "status": PredictionStatus.READ_ERROR,
        "width": None,
        "height": None,
        "mask_pixels": None,
        "rle": None,
    }
    return CaseResult(case_id, (row(case_id, **nothing),), {}, {}, {})


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    return folder, start_run(folder, VALUES).config_sha256


def test_a_row_survives_json():
    assert PredictionRow.from_json(json.loads(json.dumps(row("c1").to_json()))) == row("c1")
    before = {name: value for name, value in row("c1").to_json().items() if name != "position"}
    assert PredictionRow.from_json(before) == row("c1")


def test_a_case_is_done_once_it_is_whole(run):
    folder, mark = run
    assert not done_part(folder, mark, "c1")
    commit_case(folder, mark, result("c1"))
    assert done_part(folder, mark, "c1") and not done_part(folder, "other", "c1")
    assert read_part(folder, "c1").rows == (row("c1"),)


@pytest.mark.parametrize("name", [logits_name("c1", "p1"), mask_name("c1", "p1"), "parts/c1.json"])
def test_a_damaged_case_is_not_done(run, name):
    folder, mark = run
    commit_case(folder, mark, result("c1"))
    path = folder / name
    path.write_bytes(path.read_bytes()[:-9])
    assert not done_part(folder, mark, "c1")


def test_leftovers_of_a_killed_process_go_and_whole_cases_stay(run):
    folder, mark = run
    commit_case(folder, mark, result("c1"))
    parts = [f"{folder}/.partial-c1.json-0123abcd" for folder in ("parts", "timings", "sources")]
    for name in ("masks/c2/p1.png", "masks/c1/.partial-p1.png-0123abcd", *parts):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"half")
    remove_leftovers(folder, ["c1", "c2"])
    assert done_part(folder, mark, "c1") and not (folder / "masks/c2").exists()
    assert not list(folder.rglob(".partial-*"))


def test_another_configuration_is_refused_with_the_field(run):
    with pytest.raises(RefusedInput, match='dataset.key_fingerprint: the run has "ab", asked for was "cd"'):
        start_run(run[0], {**VALUES, "dataset": {"key_fingerprint": "cd"}})


def test_a_run_is_finished_only_when_all_cases_are_there(run):
    folder, mark = run
    commit_case(folder, mark, result("c1"))
    assert not finish_run(folder, ["c1", "c2"], {})
    with pytest.raises(RefusedInput, match="not finished"):
        open_run(folder)
    commit_case(folder, mark, failed("c2"))
    assert finish_run(folder, ["c1", "c2"], {})
    found = open_run(folder)
    assert found.cases() == ("c1", "c2") and found.manifest["counts"]["read_error"] == 1
    assert np.array_equal(found.mask("c1", "p1"), MASK) and found.mask("c2", "p1") is None
    assert check_mask(found, "c1", "p1") == 0 and found.full_map("c2", "p1") is None
    assert found.table()["seg_index"].isna().tolist() == [False, True]
    assert {str(found.table()[name].dtype) for name in ("seg_index", "mask_pixels", "tiles")} == {"Int64"}
    assert {str(found.timings()[name].dtype) for name in ("batch_size", "drafted_answers")} == {"Int64"}
    assert found.timings()["batch_size"].isna().tolist() == [False, True]


def test_the_coco_file_is_read_by_coco_tools(run):
    folder, mark = run
    commit_case(folder, mark, result("c1"))
    finish_run(folder, ["c1"], {})
    coco = COCO(str(folder / "coco.json"))
    (annotation,) = coco.loadAnns(coco.getAnnIds())
    assert annotation["area"] == 3 and annotation["score"] == 0.75
    assert np.array_equal(coco.annToMask(annotation).astype(bool), MASK)


def test_runs_of_different_keys_are_not_compared(run, tmp_path):
    folder, mark = run
    commit_case(folder, mark, result("c1"))
    finish_run(folder, ["c1"], {})
    other = tmp_path / "other"
    theirs = start_run(other, {**VALUES, "dataset": {"key_fingerprint": "cd"}}).config_sha256
    commit_case(other, theirs, result("c1"))
    finish_run(other, ["c1"], {})
    require_comparable(open_run(folder), open_run(folder))
    with pytest.raises(RefusedInput, match="different keys"):
        require_comparable(open_run(folder), open_run(other))


def test_runs_of_other_frames_under_the_same_ids_are_not_compared(tmp_path):
    folders = [tmp_path / name for name in ("mine", "theirs")]
    hashes = ({"c1": "aa", "c2": "bb", "c3": "cc", "c4": None}, {"c1": "aa", "c2": "bx", "c3": "cx", "c4": "dx"})
    for folder, known in zip(folders, hashes, strict=True):
        mark = start_run(folder, {**VALUES, "dataset": {"key_fingerprint": None}}).config_sha256
        for case_id, image_sha256 in known.items():
            given = result(case_id)
            commit_case(folder, mark, replace(given, rows=(row(case_id, image_sha256=image_sha256),)))
        assert finish_run(folder, list(known), {})
    mine, theirs = (open_run(folder) for folder in folders)
    require_comparable(mine, mine)
    with pytest.raises(RefusedInput, match="other pixels in 2 of 3 common cases, the first c2"):
        require_comparable(mine, theirs)


def test_a_shard_has_one_holder(run):
    second = shard_lock(run[0], 1, 2)
    with shard_lock(run[0], 1, 2), pytest.raises(VesselkitError, match="shard 1/2 is being computed"):
        second.__enter__()
    with shard_lock(run[0], 1, 2), shard_lock(run[0], 2, 2):
        pass


def test_a_part_holds_the_digest_of_all_else_in_it(run):
    folder, mark = run
    commit_case(folder, mark, result("c1"))
    content = (folder / "parts/c1.json").read_bytes()
    values = json.loads(content)
    digest = values.pop("sha256")
    assert digest == hashlib.sha256(json_bytes(values)).hexdigest()
    assert content == json_bytes({**values, "sha256": digest})


def test_a_committed_case_waits_for_no_disk(run, monkeypatch):
    folder, mark = run
    monkeypatch.setattr(os, "fsync", lambda handle: pytest.fail("the disk was waited for"))
    commit_case(folder, mark, result("c1"))
    assert done_part(folder, mark, "c1")


@pytest.mark.parametrize("name", ["logits/c1/p1.npz", "masks/c1/p1.png", "parts/c1.json"])
@pytest.mark.parametrize("kept", [0, 20])
def test_a_case_whose_file_was_cut_when_the_machine_failed_is_not_done(run, name, kept):
    folder, mark = run
    commit_case(folder, mark, result("c1"))
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[:kept])
    assert not done_part(folder, mark, "c1")
    (folder / name).write_bytes(whole[:kept] + bytes(len(whole) - kept))  # the size got there, the content did not
    assert not done_part(folder, mark, "c1")


def test_all_cases_are_on_the_disk_before_the_manifest_says_that_the_run_is_finished(run, monkeypatch):
    folder, mark = run
    for case_id in ("c1", "c2"):
        commit_case(folder, mark, result(case_id))
    flushed = []
    monkeypatch.setattr(durable, "flush", lambda path: flushed.append(path.relative_to(folder).as_posix()))
    assert finish_run(folder, ["c1", "c2"], {})
    cases = {f"{kind}/{case}" for kind in ("logits", "masks") for case in ("c1", "c2")}
    files = {
        "logits/c1/p1.npz",
        "logits/c2/p1.npz",
        "masks/c1/p1.png",
        "masks/c2/p1.png",
        "parts/c1.json",
        "parts/c2.json",
    }
    expected = files | cases | {"logits", "masks", "parts", "."}
    assert set(flushed[: len(expected)]) == expected
