"""An evaluation says what the check of its data set says: a row for each kind, in the warnings and in the summary."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from helpers.data.audit.audit import SeenFrame, audit
from helpers.data.audit.findings import AuditFinding, AuditSeverity
from helpers.data.dataset import open_dataset
from helpers.evaluation.case_choice import check_text, checked_data, score_warnings
from helpers.evaluation.evaluate import evaluate
from helpers.evaluation.scored_runs import open_scored_runs
from helpers.prediction.run import predict
from tests.support.plain_predictor import PlainPredictor
from tests.support.vessel_runs import SIDE, write_data, write_run

FIRST, SECOND, THIRD = "P01_S01_001", "P01_S01_002", "P02_S01_001"


@pytest.fixture
def faulty(tmp_path):
    """A data set with an empty truth, a full one, masks of 0 and 200, and two equal frames."""
    data = write_data(tmp_path / "data")
    masks, images = tmp_path / "data/masks", tmp_path / "data/images"
    Image.new("L", (SIDE, SIDE)).save(masks / f"{FIRST}.png")
    Image.new("L", (SIDE, SIDE), 255).save(masks / f"{SECOND}.png")
    for path in masks.iterdir():
        Image.open(path).point(lambda value: value and 200).save(path)
    (images / f"{THIRD}.png").write_bytes((images / f"{FIRST}.png").read_bytes())
    return open_dataset(data.root)


def masks_of(data):
    return {case.case_id: case.truth.mask(SIDE, SIDE) for case in data.cases}


def test_all_that_the_check_warns_of_is_among_the_warnings(faulty, tmp_path):
    found = evaluate([write_run(tmp_path / "run", masks_of(faulty))], faulty, tmp_path / "m", processes=1, draws=10)
    by_check = {}
    for one in audit(faulty).findings:
        if one.severity is not AuditSeverity.NOTE:
            by_check.setdefault(one.kind, []).append(one)
    assert {"empty_truth", "full_truth", "mask_not_binary", "duplicate"} <= set(by_check)
    assert [(one["kind"], one["count"]) for one in found.summary["data_check"]] == [
        (kind, len(all_of_it)) for kind, all_of_it in by_check.items()
    ]
    for kind, all_of_it in by_check.items():
        (text,) = [text for text in found.summary["warnings"] if text.startswith(f"data check, {kind}: ")]
        assert all(part in text for part in (all_of_it[0].what, all_of_it[0].advice, all_of_it[0].case_id or ""))
        assert ("(the first of" in text) is (len(all_of_it) > 1)
        assert f"data check, {kind}" in found.text
    assert json.loads((tmp_path / "m/summary.json").read_text())["data_check"] == found.summary["data_check"]


def test_a_data_set_in_order_adds_nothing(tmp_path):
    data = write_data(tmp_path / "data")
    found = evaluate([write_run(tmp_path / "run", masks_of(data))], data, tmp_path / "m", processes=1, draws=10)
    assert found.summary["data_check"] == [] and not any("data check" in text for text in found.summary["warnings"])


def test_frames_that_a_run_read_are_not_read_again_and_found_all_the_same(faulty, tmp_path, monkeypatch):
    run = tmp_path / "run"
    predict(faulty.frames, PlainPredictor(), run, dataset=faulty.identity)
    scored_runs, case_ids = open_scored_runs([run]), [case.case_id for case in faulty.cases]
    before = checked_data(faulty, scored_runs, [])

    def read(*asked):
        raise AssertionError("a frame was read again")

    monkeypatch.setattr("helpers.data.audit.audit.read_frame", read)
    assert checked_data(faulty, scored_runs, case_ids) == before
    with pytest.raises(AssertionError, match="read again"):
        checked_data(faulty, scored_runs, case_ids[:-1])


def test_privacy_is_told_and_is_no_warning_of_scores(tmp_path):
    data = write_data(tmp_path / "data")
    (tmp_path / "data/dataset.json").unlink()
    for folder in ("images", "masks"):
        (data.root / folder / f"{FIRST}.png").rename(data.root / folder / "Doe_Jane_001.png")
    private = open_dataset(data.root)
    found = checked_data(private, open_scored_runs([write_run(tmp_path / "run", masks_of(private))]), [])
    (one,) = [one for one in found if one["kind"] == "name_in_path"]
    assert one["of_privacy"] and "family and a given name" in check_text(one) and "Doe" not in str(found)
    assert not any("name_in_path" in text for text in score_warnings(found))


def test_notes_are_left_out_and_errors_are_not(tmp_path):
    data = write_data(tmp_path / "data")
    run = write_run(tmp_path / "run", masks_of(data))
    (data.root / "images" / f"{THIRD}.png").write_bytes(b"broken")
    deep = np.full((SIDE, SIDE), 3000, np.uint16)
    Image.fromarray(deep).save(data.root / "images" / f"{FIRST}.png")
    kinds = {one["kind"]: one["severity"] for one in checked_data(open_dataset(data.root), open_scored_runs([run]), [])}
    assert kinds["unreadable"] == "error" and "deep_pixels" not in kinds


FINDING = {"kind": "unreadable", "case_id": "c1", "what": "a frame is torn", "advice": "copy it again"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"count": 1}, "data check, unreadable: c1: a frame is torn; copy it again"),
        ({"count": 3}, "data check, unreadable: c1: a frame is torn (the first of 3); copy it again"),
        ({"count": 1, "case_id": None}, "data check, unreadable: a frame is torn; copy it again"),
    ],
)
def test_the_sentence_on_a_kind(changes, said):
    assert check_text(FINDING | changes) == said
    assert score_warnings([FINDING | changes | {"of_privacy": hidden} for hidden in (True, False)]) == [said]


KINDS = ["name_in_path", "identity_in_header", "burned_in", "duplicate"]


def test_an_entry_for_each_kind_and_what_was_read_of_each_frame(monkeypatch):
    """The first finding of a kind speaks for it. A frame is known by its size and its pixels, or it is read again."""
    found = [
        AuditFinding(AuditSeverity.WARNING, kind, f"c{number}", f"what {number}", "advice")
        for number, kind in enumerate([*KINDS, "duplicate"])
    ]
    found.append(AuditFinding(AuditSeverity.NOTE, "note", None, "what", "advice"))
    seen = []

    def audited(dataset, frames):
        seen.append((dataset, frames))
        return SimpleNamespace(findings=found)

    monkeypatch.setattr("helpers.evaluation.case_choice.audit", audited)
    rows = [("a", 3, 2, "p"), ("b", 3, 2, "q"), ("c", None, 2, "r"), ("d", 3, None, "s"), ("e", 3, 2, None)]
    made = [
        SimpleNamespace(case_id=case_id, width=width, height=height, image_sha256=pixels)
        for case_id, width, height, pixels in rows
    ]
    checked = checked_data("data", [SimpleNamespace(run=SimpleNamespace(rows=made))], ["a", "c", "d", "e"])
    assert seen == [("data", {"a": SeenFrame((3, 2), "p")})]
    assert checked[3] == {
        "severity": "warning",
        "kind": "duplicate",
        "count": 2,
        "case_id": "c3",
        "what": "what 3",
        "advice": "advice",
        "of_privacy": False,
    }
    assert [one["kind"] for one in checked] == KINDS
    assert [one["of_privacy"] for one in checked] == [True, True, True, False]
