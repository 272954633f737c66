"""`export`: masks go to other tools, and predictions never become truth on the way."""

import json

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import SEGMENTATIONS, BeganFrom, Exchange
from helpers.data.dataset import open_dataset
from helpers.data.exported_masks import MaskOrigin, read_exported
from helpers.review import written_export
from helpers.review.corrections.store import CorrectionStore
from helpers.runs.run_folder import open_run
from tests.review.test_verdicts import record
from tests.support.exchanged_masks import (
    BY_ANN,
    EXPORT,
    IMPORT,
    MASKED,
    NOT_READ,
    corrected,
    predicted,
    read,
    sent,
    verdicts,
)
from tests.support.review_runs import (
    BROKEN,
    CASES,
    FAILED,
    GRIDDED,
    HEIGHT,
    SAME,
    SEVERAL,
    WIDTH,
    tube,
    write_data,
    write_run,
)


@pytest.fixture
def run(tmp_path):
    write_data(tmp_path / "data")
    return write_run(tmp_path / "run")


@pytest.mark.parametrize("kind", [kind for kind in Exchange if kind not in SEGMENTATIONS])
def test_masks_of_a_run_go_out_and_come_back_as_a_run(call, run, tmp_path, kind):
    ended = call(*EXPORT, "--as", kind)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[0] == f"4 masks written to {tmp_path / 'out'}"
    if kind is Exchange.LABEL_STUDIO:  # an annotator takes the suggestions over
        path = tmp_path / "out/tasks.json"
        path.write_text(path.read_text().replace('"predictions"', '"annotations"'))
    found = read(tmp_path / "out")
    assert found.keys() == MASKED
    assert all(np.array_equal(found[case_id], mask) for case_id, mask in predicted(run).items())
    ended = call("import", "out", "--into", "run", "--name", "back", "--data", "data", "--output", "back")
    assert ended.code == 0, ended.err
    again = open_run(tmp_path / "back")
    assert set(again.cases()) == MASKED
    assert all(np.array_equal(again.mask(case_id, "p1"), mask) for case_id, mask in predicted(run).items())


def test_predictions_are_marked_and_never_scored_as_truth(call, run, tmp_path):
    assert call(*EXPORT, "--cases", GRIDDED, "--cases", SAME).code == 0
    exported = read_exported(tmp_path / "out")
    assert not exported.are_truth and set(exported.masks) == {GRIDDED, SAME}
    assert exported.masks[SAME].origin is MaskOrigin.PREDICTED
    ended = call("evaluate", "--predictions", "run", "--data", "out", "--output", "scores")
    assert ended.code == 3 and "its masks are what a run predicted (exported.json says so)" in ended.err
    assert not list((tmp_path / "out").rglob("id.key"))
    opened = open_dataset(tmp_path / "out")
    with pytest.raises(RefusedInput, match=r"what a run predicted \(exported.json says so\), not ground truth"):
        opened.require_decided()
    assert call(*EXPORT).code == 3  # the folder is taken
    ended = call("export", "run", "--data", "data", "--output", "new", "--cases", "x")
    assert ended.code == 2 and "expected cases of the run, got 'x'" in ended.err


def test_frames_to_fix_go_out_with_their_verdicts(call, run, tmp_path):
    verdicts(tmp_path, run, record(1, SAME), record(2, GRIDDED, "reject"), record(3, FAILED, "fix"))
    ended = call(*EXPORT, "--what", "to-fix", "--as", "labelme", "--verdicts", "v")
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[:2] == [f"1 mask written to {tmp_path / 'out'}", "1 frame without a mask"]
    value = json.loads((tmp_path / f"out/labelme/{GRIDDED}.json").read_text())
    assert value["flags"] == {"reject": True} and value["shapes"][0]["label"] == "prediction to correct"
    assert (tmp_path / "out/rejected.txt").read_text() == f"{GRIDDED}\n"
    assert "catheter" not in (tmp_path / "out/verdicts.csv").read_text()
    assert {case.case_id for case in open_dataset(tmp_path / "out/images").cases} == {GRIDDED, FAILED}
    words = ended.out.splitlines()[-1]
    assert words.startswith("next: vesselkit import out --data data --into corrections --predictions run")


def test_corrected_masks_become_a_data_set(call, run, tmp_path):
    masks = predicted(run)
    drawn = {GRIDDED: corrected(masks[GRIDDED]), SAME: masks[SAME], SEVERAL: corrected(masks[SEVERAL])}
    sent(tmp_path / "sent", {**drawn, "stranger": drawn[SAME]})
    ended = call("import", "sent", *BY_ANN)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[:3] == [
        "2 corrections kept",
        "1 mask without a change: no correction",
        "1 mask of no case of this run ('stranger')",
    ]
    assert call("import", "sent", *BY_ANN).out.splitlines()[:2] == ["0 corrections kept", "2 there already"]
    kept = CorrectionStore(tmp_path / "c").standing()["ann"]
    assert set(kept) == {GRIDDED, SEVERAL} and kept[GRIDDED].tools == ("elsewhere",)
    assert kept[GRIDDED].base.began_from is BeganFrom.PREDICTION and kept[GRIDDED].truth_seen is None
    ended = call(*EXPORT, "--what", "corrections", "--corrections", "c")
    assert ended.code == 0, ended.err
    opened = open_dataset(tmp_path / "out")
    assert {case.case_id for case in opened.cases} == {GRIDDED, SEVERAL}
    for case in opened.cases:
        assert np.array_equal(case.truth.mask(WIDTH, HEIGHT), drawn[case.case_id])
        mask = opened.exported_mask(case)
        assert mask.origin is MaskOrigin.CORRECTED and [base.reviewer for base in mask.bases] == ["ann"]
    assert [case.frame.patient for case in opened.cases] == ["P1", "P2"]
    assert [case.frame.sequence for case in opened.cases] == ["P1-S1", "P2-S1"]
    opened.require_decided()
    assert call("data", "check", "out").code == 0


@pytest.mark.parametrize("kind", [kind for kind in Exchange if kind not in NOT_READ])
def test_a_corrected_data_set_is_read_by_the_kit_in_every_format_that_it_reads(call, run, tmp_path, kind):
    drawn = {case_id: corrected(mask) for case_id, mask in predicted(run).items()}
    sent(tmp_path / "sent", drawn)
    assert call("import", "sent", *BY_ANN).code == 0
    assert call(*EXPORT, "--what", "corrections", "--corrections", "c", "--as", kind).code == 0
    opened = open_dataset(tmp_path / "out")
    found = {opened.exported.of_file(case.frame.path): case.truth.mask(WIDTH, HEIGHT) for case in opened.cases}
    assert found.keys() == MASKED and all(np.array_equal(found[case_id], drawn[case_id]) for case_id in MASKED)
    assert {case.frame.patient for case in opened.cases} == {"P1", "P2", "P3"}


def test_readers_who_differ_and_one_who_decides(call, run, tmp_path):
    masks = predicted(run)
    for reader, row in (("ann", 3), ("bob", 5)):
        sent(tmp_path / reader, {GRIDDED: corrected(masks[GRIDDED], row), SAME: corrected(masks[SAME])})
        given = (*IMPORT, "--reviewer", reader, "--began-from", "prediction")
        assert call("import", reader, *given).code == 0
    given = (*EXPORT, "--what", "corrections", "--corrections", "c")
    ended = call(*given)
    assert ended.code == 0
    assert ended.out.splitlines()[:3] == [
        f"1 mask written to {tmp_path / 'out'}",
        f"readers differ on {GRIDDED} (ann and bob, Dice 0.909). Name the reader whose mask counts (--adjudicator)",
        f"left out, readers differ: 1 ({GRIDDED})",
    ]
    exported = read_exported(tmp_path / "out")
    assert exported.left_out == {"readers differ": (GRIDDED,)} and exported.adjudicator is None
    assert [base.reviewer for base in exported.masks[SAME].bases] == ["ann", "bob"]
    ended = call(*given[:-5], "decided", *given[-4:], "--adjudicator", "bob")
    assert ended.code == 0, ended.err
    assert np.array_equal(read(tmp_path / "decided")[GRIDDED], corrected(masks[GRIDDED], 5))
    assert call(*given[:-5], "third", *given[-4:], "--adjudicator", "eve").code == 2


def test_accepted_predictions_are_truth_only_where_asked_and_are_marked(call, run, tmp_path):
    masks = predicted(run)
    verdicts(tmp_path, run, record(1, SAME), record(2, SEVERAL, "fix"), record(3, GRIDDED))
    sent(tmp_path / "sent", {GRIDDED: corrected(masks[GRIDDED])})
    assert call("import", "sent", *BY_ANN).code == 0
    given = ("export", "run", "--data", "data", "--what", "corrections", "--corrections", "c", "--output")
    assert call(*given, "plain").code == 0 and set(read_exported(tmp_path / "plain").masks) == {GRIDDED}
    ended = call(*given, "out", "--accept-as-truth", "--verdicts", "v")
    assert ended.code == 0 and "accepted predictions among them, marked so in exported.json: 1" in ended.out
    exported = read_exported(tmp_path / "out")
    assert {case_id: mask.origin for case_id, mask in exported.masks.items()} == {
        GRIDDED: MaskOrigin.CORRECTED,
        SAME: MaskOrigin.ACCEPTED,
    }
    assert exported.accepted_as_truth and np.array_equal(read(tmp_path / "out")[SAME], masks[SAME])


def test_a_correction_outlives_the_mending_of_other_frames_and_not_of_its_own(call, run, tmp_path):
    masks = predicted(run)
    sent(tmp_path / "sent", {GRIDDED: corrected(masks[GRIDDED]), SAME: corrected(masks[SAME])})
    assert call("import", "sent", *BY_ANN).code == 0
    image = tmp_path / f"data/images/{GRIDDED}.png"
    Image.fromarray(255 - np.asarray(Image.open(image))).save(image)
    ended = call(*EXPORT, "--what", "corrections", "--corrections", "c")
    assert ended.code == 0, ended.err
    assert f"left out, the frame has other pixels now: 1 ({GRIDDED})" in ended.out
    assert set(read(tmp_path / "out")) == {SAME}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--what", "to-fix"), "--verdicts: expected the folder"),
        (("--what", "corrections"), "--corrections: expected the folder"),
        (("--adjudicator", "ann"), "--adjudicator: plays no part"),
        (("--identity", "source"), "--identity: plays no part"),
        (("--what", "pairs", "--margin", "0.1"), "--corrections: expected the folder"),
        (("--what", "to-fix", "--as", "dicom-seg-fractional"), "expected with masks, got"),
        (("--accept-as-truth",), "--verdicts: expected the folder"),
        (("--corrections", "data"), "--corrections: plays no part"),
        (("--verdicts", "data"), "--verdicts: plays no part"),
        (("--what", "to-fix", "--verdicts", "data", "--cases", SAME), "--cases: plays no part"),
        (("--what", "to-fix", "--verdicts", "data"), "there is nothing to fix"),
        (("--what", "corrections", "--corrections", "data"), "expected corrections to export, found none"),
        (("--what", "corrections", "--corrections", "run"), "expected a folder of readers' corrections, found a run"),
        (("--what", "to-fix", "--verdicts", "run"), "expected a folder of reviewers' verdicts, found a run"),
    ],
)
def test_an_export_that_cannot_be_is_refused(call, run, tmp_path, words, said):
    ended = call(*EXPORT, *words)
    assert ended.code == 2 and said in ended.err and not (tmp_path / "out").exists()


@pytest.mark.slow
def test_kept_names_are_not_declared_public(call, run, tmp_path):
    sent(tmp_path / "sent", {SAME: corrected(predicted(run)[SAME])})
    assert call("import", "sent", *BY_ANN).code == 0
    warning = "file names carry the data set's own names: look for patients' names before you pass them on"
    for name, words in (("public", ()), ("keep", ("--ids", "keep"))):
        for what, more in (("masks", ()), ("corrections", ("--corrections", "c"))):
            given = ("export", "run", "--data", "data", *words, "--output", f"{name}-{what}", "--what", what, *more)
            ended = call(*given)
            assert ended.code == 0 and (warning in ended.out.splitlines()) is (name == "keep"), ended.err
            folder = tmp_path / f"{name}-{what}" / ("images" if what == "masks" else "")
            assert open_dataset(folder).ids == name
            assert SAME in {case.case_id for case in open_dataset(folder).cases}


def test_patients_are_kept_beside_a_case_that_has_none(call, run, tmp_path):
    masks = predicted(run)
    rows = [f"{case_id}.png,{'' if case_id == SAME else case_id[:2]}" for case_id in CASES]
    (tmp_path / "data/who.csv").write_text("\n".join(["name,patient", *rows]))
    rule = ("--group-by", "column:patient")
    sent(tmp_path / "sent", {case_id: corrected(masks[case_id]) for case_id in (GRIDDED, SAME)})
    ended = call("import", "sent", *BY_ANN, *rule)
    assert ended.code == 0, ended.err
    ended = call(*EXPORT, "--what", "corrections", "--corrections", "c", *rule)
    assert ended.code == 0, ended.err
    patients = {case.case_id: case.frame.patient for case in open_dataset(tmp_path / "out").cases}
    assert patients == {GRIDDED: "P1", SAME: None}


def test_an_export_without_a_mask_is_refused(call, run, tmp_path):
    ended = call(*EXPORT, "--cases", FAILED, "--cases", BROKEN)
    assert ended.code == 2 and "expected cases with a mask to export, found none among 2" in ended.err
    verdicts(tmp_path, run, record(1, BROKEN, "fix"))
    ended = call(*EXPORT, "--what", "to-fix", "--verdicts", "v")
    assert ended.code == 2 and "expected frames to export, found none: all 1 cannot be read" in ended.err
    assert not (tmp_path / "out").exists()


def test_a_correction_whose_frame_cannot_be_read_is_left_out_as_such(call, run, tmp_path):
    masks = predicted(run)
    sent(tmp_path / "sent", {case_id: corrected(masks[case_id]) for case_id in (GRIDDED, SAME)})
    assert call("import", "sent", *BY_ANN).code == 0
    (tmp_path / f"data/images/{GRIDDED}.png").write_bytes(b"broken")
    ended = call(*EXPORT, "--what", "corrections", "--corrections", "c")
    assert ended.code == 0 and f"left out, the frame cannot be read now: 1 ({GRIDDED})" in ended.out, ended.err


def test_what_a_format_has_no_word_for_is_told_before_the_first_case_is_written(call, run, tmp_path, monkeypatch):
    verdicts(tmp_path, run, record(1, GRIDDED, "fix"), record(2, FAILED, "fix"))
    begun = []
    monkeypatch.setattr(written_export, "write_cases", lambda *given: begun.append(given))
    ended = call(*EXPORT, "--what", "to-fix", "--verdicts", "v", "--as", "nnunet")
    assert ended.code == 3 and f"{FAILED}: expected a mask, found none" in ended.err and not begun
    image = tmp_path / f"data/images/{FAILED}.png"
    Image.merge("RGB", [Image.open(image), *[Image.new("L", (WIDTH, HEIGHT))] * 2]).save(image)
    ended = call(*EXPORT, "--what", "to-fix", "--verdicts", "v", "--as", "nifti")
    assert ended.code == 3 and f"{FAILED}: expected a grey frame for NIfTI" in ended.err and not begun


def test_no_name_goes_anywhere_and_a_run_is_scored_on_corrections_under_its_own_ids(call, tmp_path):
    """Frames with names in their files, drawn ids, a run of a method without weights, and one more of the same."""
    rng = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    for patient in (1, 2):
        for number in (1, 2):
            name = f"P{patient}_S1_{number:03d}_Doe_Jane.png"
            truth = tube(0.1 * number, 64, 64)
            grey = np.clip(170 - 90 * truth + rng.normal(0, 5, truth.shape), 0, 255)
            Image.fromarray(grey.astype(np.uint8)).save(tmp_path / "data/images" / name)
            Image.fromarray(truth.astype(np.uint8) * 255).save(tmp_path / "data/masks" / name)
    rule = ("--group-by", r"(?P<patient>P\d+)_(?P<sequence>S\d+)_(?P<frame>\d+)")
    predict = ("predict", "--model", "frangi", "--output")
    assert call(*predict, "run", "--data", "data", *rule).code == 0
    assert call("export", "run", "--data", "data", "--output", "sent", "--as", "labelme", *rule).code == 0
    for path in (tmp_path / "sent/labelme").iterdir():
        value = json.loads(path.read_text())
        square = {"label": value["shapes"][0]["label"], "points": [[2, 2], [9, 2], [9, 9], [2, 9]]}
        path.write_text(json.dumps({**value, "shapes": [*value["shapes"], {**square, "shape_type": "polygon"}]}))
    ended = call("import", "sent", *BY_ANN, *rule)
    assert ended.code == 0 and ended.out.startswith("4 corrections kept"), ended.err
    given = ("export", "run", "--data", "data", "--what", "corrections", "--corrections", "c", *rule)
    assert call(*given, "--output", "out").code == 0
    for folder in ("sent", "c", "out"):
        for path in (tmp_path / folder).rglob("*"):
            assert "Doe" not in str(path.relative_to(tmp_path))
            assert path.is_dir() or b"Doe" not in path.read_bytes()
    ids = set(open_run(tmp_path / "run").cases())
    opened = open_dataset(tmp_path / "out")
    assert {case.case_id for case in opened.cases} == ids
    assert {case.frame.patient for case in opened.cases} == {case_id.split("-")[0] for case_id in ids}
    assert call(*predict, "again", "--data", "out").code == 0
    for run, others in (("run", ()), ("again", ("--against", "run"))):
        ended = call("evaluate", "--predictions", run, *others, "--data", "out", "--output", f"{run}-scores")
        assert ended.code == 0, ended.err
        summary = json.loads((tmp_path / f"{run}-scores/summary.json").read_text())
        assert [one["edit_distance"]["cases"] for one in summary["runs"]] == [4] * (1 + bool(others))
        assert f"{run}: no headline: the ground truth of 4 of 4 scored cases began from its own masks" in ended.out
