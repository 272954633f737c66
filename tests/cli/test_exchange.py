"""`export` and `import`: masks go to other tools and come back, and predictions never become truth on the way."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import SEGMENTATIONS, BeganFrom, Exchange
from helpers.data.dataset import open_dataset
from helpers.data.exchange.exchange_formats import kind_of, read_masks, write_cases
from helpers.data.exchange.exchanged import SentCase, SentSet
from helpers.data.exported_masks import MaskOrigin, read_exported
from helpers.review import written_export
from helpers.review.corrections.beginnings import beginning
from helpers.review.corrections.record import CorrectionTool
from helpers.review.corrections.store import CorrectionStore
from helpers.review.exports import export_corrections
from helpers.review.review_source import open_source
from helpers.runs.run_folder import open_run
from tests.cli.test_review import lines
from tests.review.test_verdicts import record
from tests.support.review_runs import (
    BROKEN,
    CASES,
    FAILED,
    GRIDDED,
    HEIGHT,
    NO_TRUTH,
    SAME,
    SEVERAL,
    WIDTH,
    predict_again,
    tube,
    write_data,
    write_run,
)

EXPORT = ("export", "run", "--data", "data", "--output", "out")
IMPORT = ("--into", "corrections", "--data", "data", "--predictions", "run", "--output", "c")
BY_ANN = (*IMPORT, "--reviewer", "ann", "--began-from", "prediction")
MASKED = {GRIDDED, SAME, SEVERAL, NO_TRUTH}
TRUE = SentSet("vessel", "x", True)
NOT_READ = (Exchange.LABEL_STUDIO, Exchange.NIFTI, *SEGMENTATIONS)  # as data sets


@pytest.fixture
def run(tmp_path):
    write_data(tmp_path / "data")
    return write_run(tmp_path / "run")


def predicted(run):
    opened = open_run(run)
    return {case_id: opened.mask(case_id, "p1") for case_id in MASKED}


def read(folder, kind=None):
    masks = read_masks(folder, kind or kind_of(folder)).masks
    return {one.name.rpartition("/")[2]: one.read() for one in masks}


def corrected(mask, row=3):
    """The mask with a row of it turned."""
    other = mask.copy()
    other[row] = ~other[row]
    return other


def sent(folder, masks, kind=Exchange.COCO):
    """Masks as another tool would give them."""
    folder.mkdir()
    cases = [SentCase(case_id, Image.new("RGB", mask.shape[::-1]), mask) for case_id, mask in masks.items()]
    write_cases(kind, folder, cases, TRUE)


def verdicts(tmp_path, run, *records):
    (tmp_path / "v").mkdir()
    (tmp_path / "v/ann.jsonl").write_text(lines(run, *records))


def test_an_import_names_what_the_correction_before_it_names(call, run, tmp_path):
    source, store = open_source(run, open_dataset(tmp_path / "data")), CorrectionStore(tmp_path / "c")
    start = beginning(source, GRIDDED, BeganFrom.PREDICTION)
    before = start.record("ann", corrected(start.mask), seconds=3.0, tools=[CorrectionTool.ELSEWHERE], truth_seen=True)
    before = replace(before, click_weights=("k",), further_configs=("f",))
    store.save(before, corrected(start.mask))
    sent(tmp_path / "sent", {GRIDDED: corrected(start.mask, 5)})
    ended = call("import", "sent", *IMPORT, "--reviewer", "ann", "--began-from", "empty")
    assert ended.code == 0, ended.err
    kept = store.standing()["ann"][GRIDDED]
    assert (kept.tools, kept.click_weights) == (("elsewhere",), ("k",))
    assert kept.truth_seen is True and kept.seconds is None
    assert kept.further_configs == (before.base.config, "f") and kept.base.began_from is BeganFrom.EMPTY


def test_an_import_names_what_the_masks_that_were_sent_began_from(call, run, tmp_path):
    source, store = open_source(run, open_dataset(tmp_path / "data")), CorrectionStore(tmp_path / "first")
    start = beginning(source, GRIDDED, BeganFrom.EMPTY)
    record = replace(start.record("bob", tube(20), truth_seen=False), click_weights=("k",), further_weights=("w",))
    store.save(record, tube(20))
    export_corrections(source, tmp_path / "out", Exchange.PNG, store)
    Image.fromarray(corrected(tube(20)).astype(np.uint8) * 255).save(tmp_path / f"out/masks/{GRIDDED}.png")
    ended = call("import", "out", *IMPORT, "--reviewer", "ann", "--began-from", "empty")
    assert ended.code == 0, ended.err
    kept = CorrectionStore(tmp_path / "c").standing()["ann"][GRIDDED]
    assert (kept.click_weights, kept.further_weights, kept.truth_seen) == (("k",), ("w",), None)


def test_ground_truth_that_was_begun_from_was_seen(call, run, tmp_path):
    sent(tmp_path / "sent", {GRIDDED: corrected(predicted(run)[GRIDDED], 5)})
    ended = call("import", "sent", *IMPORT, "--reviewer", "ann", "--began-from", "truth")
    assert ended.code == 0, ended.err
    assert CorrectionStore(tmp_path / "c").standing()["ann"][GRIDDED].truth_seen is True


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


def test_a_folder_above_exported_masks_is_not_imported(call, run, tmp_path):
    assert call(*EXPORT[:-1], "up/a").code == 0
    for words in (("--into", "run", "--name", "x", "--data", "data", "--output", "new"), BY_ANN):
        ended = call("import", "up", "--as", "png", *words)
        assert (
            ended.code == 3 and "found a/exported.json" in ended.err and f"Import {tmp_path / 'up/a'} by" in ended.err
        )


def test_predictions_are_marked_and_never_scored_as_truth(call, run, tmp_path):
    assert call(*EXPORT, "--cases", GRIDDED, "--cases", SAME).code == 0
    exported = read_exported(tmp_path / "out")
    assert not exported.are_truth and set(exported.masks) == {GRIDDED, SAME}
    assert exported.masks[SAME].origin is MaskOrigin.PREDICTED
    opened = open_dataset(tmp_path / "out")
    with pytest.raises(RefusedInput, match=r"what a run predicted \(exported.json says so\), not ground truth"):
        opened.require_decided()
    ended = call("evaluate", "--predictions", "run", "--data", "out", "--output", "scores")
    assert ended.code == 3
    assert call(*EXPORT).code == 3  # the folder is taken
    ended = call("export", "run", "--data", "data", "--output", "new", "--cases", "x")
    assert ended.code == 2 and "expected cases of the run, got 'x'" in ended.err


def test_frames_to_fix_go_out_with_their_verdicts(call, run, tmp_path):
    verdicts(tmp_path, run, record(1, SAME), record(2, GRIDDED, "reject"), record(3, FAILED, "fix"))
    ended = call(*EXPORT, "--what", "to-fix", "--as", "labelme", "--verdicts", "v")
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[:2] == [f"1 masks written to {tmp_path / 'out'}", "1 frames without a mask"]
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
        "1 masks are as they were, so they are not corrections",
        "1 masks of no case of this run",
    ]
    assert call("import", "sent", *BY_ANN).out.splitlines()[:2] == ["0 corrections kept", "2 are there already"]
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


def test_what_was_found_in_a_file_is_told_of_a_run_as_of_corrections(call, run, tmp_path):
    masks = predicted(run)
    sent(tmp_path / "sent", {SAME: masks[SAME], GRIDDED: np.zeros_like(masks[GRIDDED])})
    undone = "1 images without a shape: whether they are empty or undone is not certain"
    ended = call("import", "sent", "--into", "run", "--name", "x", "--data", "data", "--output", "new")
    assert ended.code == 0 and undone in ended.out.splitlines(), ended.err
    label = "taken as vessel: what is labelled 'vessel'"
    assert label in ended.out.splitlines()
    assert {undone, label} <= set(call("import", "sent", *BY_ANN).out.splitlines())


def turned(folder, case_id, row=3):
    """One mask of an exported folder corrected."""
    path = folder / f"masks/{case_id}.png"
    Image.fromarray(corrected(np.asarray(Image.open(path)) > 0, row).astype(np.uint8) * 255).save(path)


def test_masks_that_were_exported_began_from_what_their_record_says(call, run, tmp_path):
    assert call(*EXPORT).code == 0
    turned(tmp_path / "out", SAME)
    predict_again(run, GRIDDED)
    ended = call("import", "out", *BY_ANN)  # GRIDDED is as it was exported, and another than its prediction is now
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[:2] == ["1 corrections kept", "3 masks are as they were, so they are not corrections"]
    assert set(CorrectionStore(tmp_path / "c").standing()["ann"]) == {SAME}
    turned(tmp_path / "out", GRIDDED)
    ended = call("import", "out/masks", *BY_ANN)
    assert ended.code == 3 and f"case {GRIDDED}: expected a mask that began from the prediction as it is" in ended.err
    for beginning_said in ("empty", "truth"):
        ended = call("import", "out", *BY_ANN[:-1], beginning_said)
        assert ended.code == 3 and f"began from {beginning_said}, and exported.json beside them says pred" in ended.err
    write_run(tmp_path / "other", seed=7)
    configs = [open_run(tmp_path / name).config.first_sha256[:12] for name in ("other", "run")]
    ended = call("import", "out", *("other" if word == "run" else word for word in BY_ANN))
    assert ended.code == 3 and all(f"(config {config}), prompt p1" in ended.err for config in configs)
    assert set(CorrectionStore(tmp_path / "c").standing()["ann"]) == {SAME}


@pytest.mark.parametrize("said", ["empty", "truth"])
def test_a_mask_that_the_run_predicted_is_no_correction_whatever_it_is_said_to_begin_from(call, run, tmp_path, said):
    masks = predicted(run)
    sent(tmp_path / "sent", {GRIDDED: masks[GRIDDED], SAME: corrected(masks[SAME])})  # without the kit's record
    ended = call("import", "sent", *BY_ANN[:-1], said)
    assert ended.code == 0, ended.err
    words = "1 masks are those that the run predicted, to the pixel, whatever they are said to have begun from: no corr"
    assert ended.out.splitlines()[0] == "1 corrections kept" and words in ended.out and f"({GRIDDED})" in ended.out
    assert set(CorrectionStore(tmp_path / "c").standing()["ann"]) == {SAME}


def test_corrections_that_were_exported_begin_from_truth_in_their_own_data_set(call, run, tmp_path):
    sent(tmp_path / "sent", {SAME: corrected(predicted(run)[SAME])})
    assert call("import", "sent", *BY_ANN).code == 0
    assert call(*EXPORT, "--what", "corrections", "--corrections", "c").code == 0
    (tmp_path / "out/masks").rename(tmp_path / "kept")
    for row in (None, 9):
        shutil.copytree(tmp_path / "kept", tmp_path / "out/masks", dirs_exist_ok=True)
        if row is not None:
            turned(tmp_path / "out", SAME, row)
        given = ("--into", "corrections", "--data", "data", "--predictions", "run", "--output", "d")
        ended = call("import", "out", *given, "--reviewer", "bob", "--began-from", "prediction")
        assert ended.code == 0 and ended.out.startswith(f"{int(row is not None)} corrections kept"), ended.err
    ended = call("import", "out", *given, "--reviewer", "cyd", "--began-from", "truth")
    assert ended.code == 3 and "began from the truth as it is now" in ended.err


def test_a_mask_put_back_takes_the_earlier_correction_back(call, run, tmp_path):
    masks = predicted(run)
    sent(tmp_path / "first", {GRIDDED: corrected(masks[GRIDDED]), SAME: corrected(masks[SAME])})
    sent(tmp_path / "second", {GRIDDED: masks[GRIDDED], SAME: corrected(masks[SAME]), SEVERAL: masks[SEVERAL]})
    assert call("import", "first", *BY_ANN).code == 0
    ended = call("import", "second", *BY_ANN)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[:4] == [
        "0 corrections kept",
        "1 are there already",
        f"1 earlier corrections taken back: their masks are what they began from again ({GRIDDED})",
        "1 masks are as they were, so they are not corrections",
    ]
    assert set(CorrectionStore(tmp_path / "c").standing()["ann"]) == {SAME}
    assert CorrectionStore(tmp_path / "c").records()[-1].mask_sha256 is None
    assert "taken back" not in call("import", "second", *BY_ANN).out


def in_viewer(tmp_path, case_id, row):
    """Ann's correction of a case, drawn in the viewer."""
    source, store = open_source(tmp_path / "run", open_dataset(tmp_path / "data")), CorrectionStore(tmp_path / "c")
    start = beginning(source, case_id, BeganFrom.PREDICTION)
    mask = corrected(start.mask, row)
    record = start.record("ann", mask, seconds=900.0, tools=[CorrectionTool.BRUSH], after=store.records())
    store.save(record, mask)
    return record.id


def test_an_import_leaves_corrections_alone_that_the_viewer_kept_since_the_export(call, run, tmp_path):
    assert call(*EXPORT).code == 0
    ids = {in_viewer(tmp_path, case_id, 3) for case_id in (GRIDDED, SAME)}
    turned(tmp_path / "out", GRIDDED, 5)
    ended = call("import", "out", *BY_ANN)
    assert ended.code == 0, ended.err
    assert ended.out.startswith(
        "0 corrections kept\n2 left out: the correction that is kept of the case was drawn in the"
    )
    assert f"({GRIDDED}, {SAME})" in ended.out
    store = CorrectionStore(tmp_path / "c")
    standing = store.standing()["ann"]
    assert {one.id for one in standing.values()} == ids and all(store.mask(one).any() for one in standing.values())
    # What the record shows as sent is replaced, and what came after it is not.
    assert call(*EXPORT[:-1], "sent", "--what", "corrections", "--corrections", "c").code == 0
    in_viewer(tmp_path, SAME, 9)
    for case_id in (GRIDDED, SAME):
        turned(tmp_path / "sent", case_id, 11)
    ended = call("import", "sent", *BY_ANN)
    assert ended.out.startswith("1 corrections kept\n1 left out") and f"({SAME})" in ended.out, ended.err
    assert store.standing()["ann"][GRIDDED].tools == ("brush", "elsewhere")


def test_a_mask_of_a_frame_that_the_run_lacks_is_no_other_frame_s(call, tmp_path):
    pixels = np.random.default_rng(3).integers(0, 255, (HEIGHT, WIDTH), np.uint8)
    for folder in ("data/A", "data/B", "plain/A", "labelme"):
        (tmp_path / folder).mkdir(parents=True)
    for folder in ("A", "B"):
        Image.fromarray(pixels + ord(folder)).save(tmp_path / f"data/{folder}/001.png")
    Image.fromarray(tube(20).astype(np.uint8) * 255).save(tmp_path / "plain/A/001.png")
    (tmp_path / "data/dataset.json").write_text('{"ids": "public", "layout": "images"}')
    as_run = ("--into", "run", "--name", "x", "--data", "data")
    ended = call("import", "plain", *as_run, "--output", "run")
    assert ended.code == 0 and "1 cases imported, 1 missing" in ended.out, ended.err
    shape = {"label": "vessel", "points": [[9, 9], [50, 9], [50, 50]], "shape_type": "polygon"}
    for folder, code in (("B", 3), ("C", 3), ("A", 0)):
        value = {"version": "5", "flags": {}, "shapes": [shape], "imagePath": f"../{folder}/001.png", "imageData": None}
        value |= {"imageHeight": HEIGHT, "imageWidth": WIDTH}
        (tmp_path / "labelme/001.json").write_text(json.dumps(value))
        ended = call("import", "labelme", *BY_ANN)
        assert ended.code == code and (code == 0 or "expected masks named as the frames of the run" in ended.err)
    assert list(CorrectionStore(tmp_path / "c").standing()["ann"]) == ["A-001.png"]
    coco = {"id": 1, "file_name": "C/001.png", "width": WIDTH, "height": HEIGHT}
    drawn = {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "segmentation": [[9, 9, 50, 9, 50, 50]]}
    values = {"images": [coco], "annotations": [drawn], "categories": [{"id": 1, "name": "vessel"}]}
    (tmp_path / "coco.json").write_text(json.dumps(values))
    ended = call("import", "coco.json", *as_run, "--output", "other")
    assert ended.code == 3 and "none of a case" in ended.err


def test_readers_who_differ_and_one_who_decides(call, run, tmp_path):
    masks = predicted(run)
    for reader, row in (("ann", 3), ("bob", 5)):
        sent(tmp_path / reader, {GRIDDED: corrected(masks[GRIDDED], row), SAME: corrected(masks[SAME])})
        given = (*IMPORT, "--reviewer", reader, "--began-from", "prediction")
        assert call("import", reader, *given).code == 0
    given = (*EXPORT, "--what", "corrections", "--corrections", "c")
    ended = call(*given)
    assert ended.code == 0
    assert ended.out.splitlines()[:2] == [
        f"1 masks written to {tmp_path / 'out'}",
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
    assert ended.code == 0 and "1 of them are accepted predictions, marked so in exported.json" in ended.out
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
        (("--what", "to-fix", "--verdicts", "data"), "nothing is to fix"),
        (("--what", "corrections", "--corrections", "data"), "expected corrections to export, found none"),
    ],
)
def test_an_export_that_cannot_be_is_refused(call, run, tmp_path, words, said):
    ended = call(*EXPORT, *words)
    assert ended.code == 2 and said in ended.err and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--into", "run"), "--name: expected with --into run"),
        (("--into", "corrections"), "--reviewer: expected with --into corrections"),
        (("--into", "corrections", "--reviewer", "a", "--predictions", "run"), "--began-from: expected"),
        (("--into", "run", "--name", "x", "--reviewer", "a"), "--reviewer: plays no part"),
        (BY_ANN[:2] + BY_ANN[4:6] + BY_ANN[8:] + ("--threshold", "0.3"), "--threshold: goes with probabilities"),
        (("--into", "run", "--name", "x", "--values", "mask"), "--values: goes with PNG, NPZ and NPY files; coco"),
    ],
)
def test_an_import_that_cannot_be_is_refused(call, run, tmp_path, words, said):
    sent(tmp_path / "sent", {SAME: predicted(run)[SAME]})
    ended = call("import", "sent", "--data", "data", "--output", "new", *words)
    assert ended.code == 2 and said in ended.err and not (tmp_path / "new").exists()


def test_labels_and_thresholds_go_with_formats_that_have_them(call, run, tmp_path):
    sent(tmp_path / "sent", {SAME: corrected(predicted(run)[SAME])})
    (tmp_path / "plain").mkdir()
    Image.new("L", (WIDTH, HEIGHT), 255).save(tmp_path / f"plain/{SAME}.png")
    as_run = ("--into", "run", "--name", "x", "--data", "data", "--output", "new")
    for given in (("plain", *as_run), ("plain", *BY_ANN)):
        ended = call("import", *given, "--vessel", "v")
        assert ended.code == 2 and "--vessel: goes with formats that have labels, png has none" in ended.err
    ended = call("import", "plain", *BY_ANN, "--threshold", "0.5")
    assert ended.code == 2 and "--threshold: goes with probabilities; png holds masks here" in ended.err
    ended = call("import", "sent", *BY_ANN, "--vessel", "stent")
    assert ended.code == 3 and "labelled 'stent', as --vessel says, found 'vessel'" in ended.err
    ended = call("import", "sent", *as_run, "--vessel", "vessel")
    assert ended.code == 0 and "1 cases imported" in ended.out, ended.err


def test_masks_of_other_sizes_and_without_a_beginning_are_refused_before_any_is_kept(call, run, tmp_path):
    masks = predicted(run)
    sent(tmp_path / "sent", {GRIDDED: corrected(masks[GRIDDED]), SAME: masks[SAME][:-1]})
    ended = call("import", "sent", *BY_ANN)
    assert (
        ended.code == 3 and f"case {SAME}: expected a mask of 96x80 pixels as its frame has, found 96x79" in ended.err
    )
    assert not (tmp_path / "c/ann").exists()
    sent(tmp_path / "failed", {FAILED: masks[SAME]})
    ended = call("import", "failed", *BY_ANN)
    assert ended.code == 2 and "expected a prediction to begin from, found none. Begin from empty" in ended.err
    assert call("import", "failed", *BY_ANN[:-1], "empty").code == 0
    sent(tmp_path / "strangers", {"x": masks[SAME]})
    assert "none of a case" in call("import", "strangers", *BY_ANN).err


def test_what_began_from_truth_says_so(call, run, tmp_path):
    truth = next(case.truth for case in open_dataset(tmp_path / "data").cases if case.case_id == SAME)
    sent(tmp_path / "sent", {SAME: corrected(truth.mask(WIDTH, HEIGHT))})
    assert call("import", "sent", *BY_ANN[:-1], "truth").code == 0
    (kept,) = CorrectionStore(tmp_path / "c").standing()["ann"].values()
    source = open_source(run, open_dataset(tmp_path / "data"))
    assert kept.base == beginning(source, SAME, BeganFrom.TRUTH).base


def test_import_masks_is_the_same_run_and_stands_in_no_help(call, run, tmp_path):
    assert call(*EXPORT).code == 0
    (tmp_path / "plain").mkdir()
    for path in (tmp_path / "out/masks").iterdir():
        path.rename(tmp_path / "plain" / path.name)
    for command, words in (("import", ("--into", "run")), ("import-masks", ())):
        ended = call(command, "plain", "--name", "x", "--data", "data", "--output", command, *words)
        assert ended.code == 0 and "4 cases imported" in ended.out and "next: vesselkit visualize" in ended.out
    runs = [open_run(tmp_path / name) for name in ("import", "import-masks")]
    assert runs[0].config.config_sha256 == runs[1].config.config_sha256
    assert "import-masks" not in call("--help").out and "--export" not in call("review", "--help").out


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
