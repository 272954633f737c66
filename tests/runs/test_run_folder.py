"""What a run's files hold is checked when they are used, whichever version wrote them."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.data.truth.shapes import encode
from helpers.runs.case_parts import CaseResult, commit_case, logits_name, mask_name, part_path
from helpers.runs.finishing import MANIFEST_NAME, finish_run, is_finished
from helpers.runs.provenance import making
from helpers.runs.run_config import start_run
from helpers.runs.run_folder import open_run
from helpers.runs.status import PredictionStatus
from helpers.runs.stored_maps import StoredLogits, Upsampling
from tests.runs.test_case_parts import VALUES, failed, row

MASKS = {f"c{number}": np.arange(6).reshape(2, 3) < number for number in (1, 2, 3)}


def result(case_id, mask):
    stored = StoredLogits(np.where(mask, 2, -2)[None].astype(np.float16), Upsampling.NONE, None, 3, 2)
    known = {"mask_pixels": int(mask.sum()), "rle": encode(mask)["counts"], "image_sha256": f"image {case_id}"}
    return CaseResult(case_id, (row(case_id, **known),), {"p1": stored}, {"p1": mask}, {"predict_seconds": 0.5})


def write(folder, masks=MASKS, made_with=None):
    mark = start_run(folder, VALUES).config_sha256
    for case_id, mask in masks.items():
        commit_case(folder, mark, result(case_id, mask), made_with)
    commit_case(folder, mark, failed("c9"), made_with)
    assert finish_run(folder, [*masks, "c9"], {})
    return folder


def as_before(folder):
    """The run as versions wrote it that kept no table of artefacts."""
    (folder / "artefacts.parquet").unlink()
    manifest = json.loads((folder / MANIFEST_NAME).read_text())
    del manifest["files"]["artefacts.parquet"]
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest))
    return folder


@pytest.fixture(params=["now", "before"])
def run(request, tmp_path):
    folder = write(tmp_path / "run")
    return folder if request.param == "now" else as_before(folder)


def swap(first, second):
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)


def paint(path):
    Image.fromarray(~np.asarray(Image.open(path))).save(path)


CHANGES = {
    "masks swapped": (lambda run: swap(run / mask_name("c1", "p1"), run / mask_name("c2", "p1")), {"c1", "c2"}),
    "mask painted": (lambda run: paint(run / mask_name("c3", "p1")), {"c3"}),
    "mask lost": (lambda run: (run / mask_name("c3", "p1")).unlink(), {"c3"}),
    "mask cut": (lambda run: (run / mask_name("c2", "p1")).write_bytes(b"x"), {"c2"}),
    "logits swapped": (lambda run: swap(run / logits_name("c1", "p1"), run / logits_name("c2", "p1")), {"c1", "c2"}),
    "logits lost": (lambda run: (run / logits_name("c3", "p1")).unlink(), {"c3"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_files_are_refused_when_they_are_used_and_all_others_are_read(run, change):
    opened = open_run(run)
    opened.require_whole()
    spoil, spoilt = CHANGES[change]
    spoil(run)
    for one in (opened, open_run(run)):
        with pytest.raises(RefusedInput, match=f"in {len(spoilt)} of 4 cases: {', '.join(sorted(spoilt))}. Predict"):
            one.require_whole()
        one.require_whole(set(MASKS) - spoilt)
        for case_id in MASKS:
            read = one.mask if "mask" in change else one.logits
            if case_id in spoilt:
                with pytest.raises(RefusedInput, match=r"give the run's command again"):
                    read(case_id, "p1")
            else:
                assert read(case_id, "p1") is not None and np.array_equal(one.mask(case_id, "p1"), MASKS[case_id])


def test_a_run_that_was_predicted_again_since_it_was_opened_is_to_be_opened_again(tmp_path):
    run = write(tmp_path / "run")
    opened = open_run(run)
    write(run, {**MASKS, "c2": ~MASKS["c2"]})
    assert np.array_equal(opened.mask("c1", "p1"), MASKS["c1"])
    with pytest.raises(RefusedInput, match="predicted again meanwhile. Open it again"):
        opened.mask("c2", "p1")
    assert np.array_equal(open_run(run).mask("c2", "p1"), ~MASKS["c2"])


def test_a_run_has_the_cases_that_it_names_and_no_other(run):
    found = open_run(run)
    assert found.cases() == ("c1", "c2", "c3", "c9") and all(map(found.has, found.cases()))
    assert not found.has("c4") and not found.has("")


def test_files_of_cases_without_a_mask_are_none(run):
    (run / mask_name("c9", "p1")).parent.mkdir()
    shutil.copy(run / mask_name("c1", "p1"), run / mask_name("c9", "p1"))
    opened = open_run(run)
    opened.require_whole()
    assert opened.mask("c9", "p1") is None and opened.logits("c9", "p1") is None


def test_parts_of_an_older_run_must_be_those_of_its_table(tmp_path):
    run = as_before(write(tmp_path / "run"))
    other = write(tmp_path / "other", {**MASKS, "c1": ~MASKS["c1"]})
    for name in (mask_name("c1", "p1"), logits_name("c1", "p1"), "parts/c1.json"):
        shutil.copy(other / name, run / name)
    with pytest.raises(RefusedInput, match="expected the part of what the table says"):
        open_run(run).mask("c1", "p1")
    swap(part_path(run, "c2"), part_path(run, "c3"))
    with pytest.raises(RefusedInput, match="in 3 of 4 cases: c1, c2, c3"):
        open_run(run).require_whole()


def test_a_run_without_digests_is_read_by_its_table_and_says_so(tmp_path):
    run = as_before(write(tmp_path / "run"))
    assert open_run(run).unchecked is None
    shutil.rmtree(run / "parts")
    opened = open_run(run)
    opened.require_whole()
    assert "4 of its 4 cases without digests" in opened.unchecked
    assert np.array_equal(opened.mask("c1", "p1"), MASKS["c1"]) and opened.logits("c1", "p1") is not None
    swap(run / mask_name("c1", "p1"), run / mask_name("c2", "p1"))
    with pytest.raises(RefusedInput, match="c1, c2"):
        opened.require_whole()
    with pytest.raises(RefusedInput, match="Predict the case again"):
        opened.mask("c1", "p1")


@pytest.mark.parametrize("name", ["predictions.parquet", "artefacts.parquet", "coco.json", "timings.parquet"])
@pytest.mark.parametrize("content", [None, b"x"])
def test_a_table_that_is_lost_or_changed_is_refused_and_the_run_not_finished(tmp_path, name, content):
    run = write(tmp_path / "run")
    assert is_finished(run)
    (run / name).unlink()
    if content is not None:
        (run / name).write_bytes(content)
    assert not is_finished(run)
    with pytest.raises(RefusedInput, match=f"{name}: expected as the manifest has it"):
        open_run(run).timings()


@pytest.mark.parametrize(
    "change", [{"data_sha256": "0"}, {"cases": 9}, {"predictions": 9}, {"counts": {"ok": 9}}, {"config": {}}]
)
def test_a_manifest_that_says_other_than_its_tables_is_refused(tmp_path, change):
    run = write(tmp_path / "run")
    path = run / MANIFEST_NAME
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert not is_finished(run)
    with pytest.raises(RefusedInput, match=f"found another {next(iter(change))}: it was changed after"):
        open_run(run)


def test_a_manifest_that_counts_fewer_statuses_is_one_of_an_older_version(tmp_path):
    run = write(tmp_path / "run")
    path = run / MANIFEST_NAME
    manifest = json.loads(path.read_text())
    manifest["counts"] = {name: count for name, count in manifest["counts"].items() if count}
    path.write_text(json.dumps(manifest))
    assert is_finished(run) and open_run(run).cases() == ("c1", "c2", "c3", "c9")


def test_a_fingerprint_is_that_of_its_case_alone(tmp_path):
    first = open_run(write(tmp_path / "first"))
    second = open_run(write(tmp_path / "second", {**MASKS, "c2": ~MASKS["c2"]}))
    same = {case_id: first.fingerprint(case_id, "p1") == second.fingerprint(case_id, "p1") for case_id in first.cases()}
    assert same == {"c1": True, "c2": False, "c3": True, "c9": True}
    assert len({first.fingerprint(case_id, "p1") for case_id in first.cases()}) == 4


@pytest.mark.parametrize("change", [{"image_sha256": "other"}, {"status": PredictionStatus.FULL_MASK}])
def test_a_fingerprint_changes_with_the_frame_and_the_status(tmp_path, change):
    mark = start_run(tmp_path / "other", VALUES).config_sha256
    given = result("c1", MASKS["c1"])
    commit_case(tmp_path / "other", mark, replace(given, rows=(replace(given.rows[0], **change),)))
    finish_run(tmp_path / "other", ["c1"], {})
    first = open_run(write(tmp_path / "run"))
    assert open_run(tmp_path / "other").fingerprint("c1", "p1") != first.fingerprint("c1", "p1")


def test_a_fingerprint_survives_a_version_and_without_digests_is_that_of_the_run(tmp_path):
    now = write(tmp_path / "now")
    found = open_run(now).fingerprint("c1", "p1")
    assert open_run(as_before(now)).fingerprint("c1", "p1") == found
    shutil.rmtree(now / "parts")
    other = as_before(write(tmp_path / "other", {**MASKS, "c2": ~MASKS["c2"]}))
    shutil.rmtree(other / "parts")
    assert open_run(now).fingerprint("c1", "p1") not in (found, open_run(other).fingerprint("c1", "p1"))


def test_a_run_tells_whether_all_of_it_was_made_under_the_same_versions(tmp_path):
    assert open_run(write(tmp_path / "one", made_with=making("cpu"))).mixture is None
    mark = start_run(tmp_path / "two", VALUES).config_sha256
    for case_id, torch in (("c1", "1.0"), ("c2", "2.0")):
        commit_case(tmp_path / "two", mark, result(case_id, MASKS[case_id]), {**making("cpu"), "torch": torch})
    finish_run(tmp_path / "two", ["c1", "c2"], {})
    assert "1 of 2 cases with torch 1.0; 1 of 2 cases with torch 2.0" in open_run(tmp_path / "two").mixture
