"""`import`: masks come back from other tools, as a run or as corrections that say what they began from."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import BeganFrom, Exchange
from helpers.data.dataset import open_dataset
from helpers.review.corrections.beginnings import beginning
from helpers.review.corrections.record import CorrectionTool
from helpers.review.corrections.store import CorrectionStore
from helpers.review.exports import export_corrections
from helpers.review.review_source import open_source
from helpers.runs.run_folder import open_run
from helpers.stages.exchange_stage import import_as_run
from tests.support.exchanged_masks import BY_ANN, EXPORT, IMPORT, corrected, in_viewer, predicted, sent, turned
from tests.support.review_runs import (
    FAILED,
    GRIDDED,
    HEIGHT,
    SAME,
    SEVERAL,
    WIDTH,
    predict_again,
    tube,
    write_data,
    write_run,
)


@pytest.fixture
def run(tmp_path):
    write_data(tmp_path / "data")
    return write_run(tmp_path / "run")


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


def test_a_folder_above_exported_masks_is_not_imported(call, run, tmp_path):
    assert call(*EXPORT[:-1], "up/a").code == 0
    for words in (("--into", "run", "--name", "x", "--data", "data", "--output", "new"), BY_ANN):
        ended = call("import", "up", "--as", "png", *words)
        assert (
            ended.code == 3 and "found a/exported.json" in ended.err and f"Import {tmp_path / 'up/a'} by" in ended.err
        )


def test_what_was_found_in_a_file_is_told_of_a_run_as_of_corrections(call, run, tmp_path):
    masks = predicted(run)
    sent(tmp_path / "sent", {SAME: masks[SAME], GRIDDED: np.zeros_like(masks[GRIDDED])})
    undone = "1 image without a shape of vessel, which may be empty or undone: nothing says which"
    ended = call("import", "sent", "--into", "run", "--name", "x", "--data", "data", "--output", "new")
    assert ended.code == 0 and undone in ended.out.splitlines(), ended.err
    label = "taken as vessel: what is labelled 'vessel'"
    assert label in ended.out.splitlines()
    assert {undone, label} <= set(call("import", "sent", *BY_ANN).out.splitlines())


def test_masks_that_were_exported_began_from_what_their_record_says(call, run, tmp_path):
    assert call(*EXPORT).code == 0
    turned(tmp_path / "out", SAME)
    predict_again(run, GRIDDED)
    ended = call("import", "out", *BY_ANN)  # GRIDDED is as it was exported, and another than its prediction is now
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[:2] == ["1 correction kept", "3 masks without a change: no correction"]
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
    words = "1 mask as the run predicted, to the pixel, whatever is said to be the beginning: no corr"
    assert ended.out.splitlines()[0] == "1 correction kept" and words in ended.out and f"({GRIDDED})" in ended.out
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
        assert ended.code == 0 and ended.out.startswith("0 corrections kept" if row is None else "1 correction kept"), (
            ended.err
        )
    ended = call("import", "out", *given, "--reviewer", "cyd", "--began-from", "truth")
    assert ended.code == 3 and "began from the truth as it is now" in ended.err


def test_masks_of_a_run_are_no_corrections(call, run, tmp_path):
    other = write_run(tmp_path / "other", seed=7)
    (tmp_path / "above").mkdir()
    shutil.copytree(other, tmp_path / "above/run")
    for given in ("other", f"other/masks/{SAME}", "above"):
        ended = call("import", given, *BY_ANN)
        assert ended.code == 3 and "a folder of the kit with a run. Nobody corrected these masks" in ended.err, given
    coco = json.loads((other / "coco.json").read_text())
    drawn = {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "segmentation": [[9, 9, 50, 9, 50, 50]]}
    coco["annotations"] = [drawn | {"case_id": SAME, "seg_index": 0}]
    (tmp_path / "taken-out.json").write_text(json.dumps(coco))
    ended = call("import", "taken-out.json", *BY_ANN)
    assert ended.code == 3 and "found a run's own coco.json. Nobody corrected these masks" in ended.err, ended.err
    assert not (tmp_path / "c").exists()


def test_corrections_are_kept_in_no_folder_of_other_things(call, run, tmp_path):
    sent(tmp_path / "sent", {SAME: corrected(predicted(run)[SAME])})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").touch()
    kept = [*BY_ANN]
    for folder, found in (("run", "found a run"), ("mine", "found other files"), ("c/ann", "one reader's corrections")):
        kept[kept.index("--output") + 1] = folder
        ended = call("import", "sent", *kept)
        assert ended.code == 3 and found in ended.err and f"--output {tmp_path / folder}: expected a new" in ended.err
        assert call("import", "sent", *BY_ANN).code == 0
    assert f"Name the folder above it, {tmp_path / 'c'}" in ended.err


def test_what_hardly_overlaps_its_beginning_and_what_nobody_changed_is_told(call, run, tmp_path):
    masks = predicted(run)
    sent(tmp_path / "same", {SAME: masks[SAME]})
    (tmp_path / "jpeg").mkdir()
    (tmp_path / "jpeg/x.JPG").touch()
    assert "found JPEG files, which are not taken as masks since JPEG" in call("import", "jpeg", *BY_ANN).err
    ended = call("import", "same", *BY_ANN)
    assert ended.code == 0 and ended.out.startswith("0 corrections kept: change a mask first\n"), ended.err
    assert "next:" not in ended.out and not (tmp_path / "c").exists()
    far = np.zeros_like(masks[SAME])
    far[~masks[SAME].any(axis=1)] = True
    assert far.any()
    sent(tmp_path / "far", {SAME: far, "stranger": far})
    ended = call("import", "far", *BY_ANN)
    assert ended.code == 0 and "next: vesselkit export run" in ended.out, ended.err
    assert "1 mask of no case of this run ('stranger')" in ended.out
    assert f"the prediction that they are said to begin from ({SAME}): check whether names are swapped" in ended.out
    assert "To undo: import the right masks" in ended.out
    ended = call("import", "far", "--into", "run", "--name", "x", "--data", "data", "--output", "new")
    assert "1 file of no case ('stranger.png')" in ended.out, ended.err


def test_a_mask_put_back_takes_the_earlier_correction_back(call, run, tmp_path):
    masks = predicted(run)
    sent(tmp_path / "first", {GRIDDED: corrected(masks[GRIDDED]), SAME: corrected(masks[SAME])})
    sent(tmp_path / "second", {GRIDDED: masks[GRIDDED], SAME: corrected(masks[SAME]), SEVERAL: masks[SEVERAL]})
    assert call("import", "first", *BY_ANN).code == 0
    ended = call("import", "second", *BY_ANN)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[:4] == [
        "0 corrections kept",
        "1 there already",
        f"1 earlier correction taken back, where the imported mask is what it began from again ({GRIDDED})",
        "1 mask without a change: no correction",
    ]
    assert set(CorrectionStore(tmp_path / "c").standing()["ann"]) == {SAME}
    assert CorrectionStore(tmp_path / "c").records()[-1].mask_sha256 is None
    assert "taken back" not in call("import", "second", *BY_ANN).out


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
    assert ended.out.startswith("1 correction kept\n1 left out") and f"({SAME})" in ended.out, ended.err
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
    assert ended.code == 0 and "1 case imported, 1 missing" in ended.out, ended.err
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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--into", "run"), "--name: expected with --into run"),
        (("--into", "corrections"), "--reviewer, --predictions, --began-from: expected with --into corrections"),
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
    assert ended.code == 3 and "labelled 'stent', as --vessel requires, found 'vessel'" in ended.err
    ended = call("import", "sent", *as_run, "--vessel", "vessel")
    assert ended.code == 0 and "1 case imported" in ended.out, ended.err


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


def test_the_name_of_a_run_is_looked_at_before_its_masks(tmp_path):
    with pytest.raises(UsageProblem, match="name: expected a short plain name"):
        import_as_run(tmp_path / "absent", None, tmp_path / "run", "../x")
