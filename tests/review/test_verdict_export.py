"""Verdicts for other programs."""

import csv
import io
import json

import numpy as np
import pytest

from helpers.core.errors import RefusedInput
from helpers.data.dataset import open_dataset
from helpers.data.frames.frame_source import read_frame
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.truth.shapes import decode, draw_polygons
from helpers.review.figures.panels import PredictedMask
from helpers.review.review_source import open_source
from helpers.review.verdict_export import ToCorrect, labelme, verdict_table, write_verdict_export
from helpers.review.verdicts import Verdict, VerdictReason
from tests.review.test_verdicts import record
from tests.support.review_runs import BROKEN, FAILED, GRIDDED, HEIGHT, SAME, WIDTH, write_data, write_run


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    return open_source(write_run(folder / "run"), write_data(folder / "data"))


def verdicts():
    return {
        "ann": {
            GRIDDED: record(
                1, GRIDDED, Verdict.REJECT, note='=cmd|"x"', reasons=(VerdictReason.CATHETER, VerdictReason.TOO_THIN)
            ),
            SAME: record(2, SAME, Verdict.ACCEPT, note="-1\n+2"),
            BROKEN: record(3, BROKEN, Verdict.REJECT),
        },
        "bob": {GRIDDED: record(4, GRIDDED, reviewer="bob"), FAILED: record(5, FAILED, Verdict.FIX, "bob")},
    }


def test_the_table_runs_no_formula(source):
    rows = list(csv.DictReader(io.StringIO(verdict_table(source, verdicts()))))
    assert [(row["reviewer"], row["case_id"], row["verdict"]) for row in rows] == [
        ("ann", GRIDDED, "reject"), ("ann", SAME, "accept"), ("ann", BROKEN, "reject"),
        ("bob", GRIDDED, "accept"), ("bob", FAILED, "fix"),
    ]  # fmt: skip
    assert rows[0]["note"] == '\'=cmd|"x"' and rows[1]["note"] == "'-1\n+2"
    assert rows[0]["reasons"] == "catheter; too thin" and rows[0]["status"] == "ok" and rows[0]["patient"] == "P1"


def test_cases_to_correct_are_a_data_set_of_their_own(source, tmp_path):
    assert write_verdict_export(source, verdicts(), tmp_path / "out") == [GRIDDED, FAILED, BROKEN]
    assert (tmp_path / "out/rejected.txt").read_text().split() == [GRIDDED, BROKEN]
    opened = open_dataset(tmp_path / "out/to_correct/images")
    assert [case.case_id for case in opened.cases] == [GRIDDED, FAILED]
    assert opened.ids is not IdPolicy.PSEUDONYM and all(case.truth is None for case in opened.cases)
    again, original = opened.cases[0].frame, next(c.frame for c in source.dataset.cases if c.case_id == GRIDDED)
    assert np.array_equal(read_frame(again.path, None), read_frame(original.path, None))


def test_the_labelling_file_holds_predictions_and_says_so(source, tmp_path):
    write_verdict_export(source, verdicts(), tmp_path / "out")
    coco = json.loads((tmp_path / "out/to_correct/coco.json").read_text())
    assert "not ground truth" in coco["info"]["description"]
    assert [image["verdicts"] for image in coco["images"]] == [["accept", "reject"], ["fix"]]
    (annotation,) = coco["annotations"]
    mask = decode(annotation["segmentation"])
    assert np.array_equal(mask, source.scored_runs[0].run.mask(GRIDDED, "p1"))
    left, top, width, height = annotation["bbox"]
    inside = np.zeros_like(mask)
    inside[top : top + height, left : left + width] = True
    assert mask[inside].sum() == annotation["area"] == mask.sum() and coco["images"][0]["file_name"] == f"{GRIDDED}.png"


def test_a_labelling_tool_gets_polygons_that_draw_the_mask_again(source, tmp_path):
    write_verdict_export(source, verdicts(), tmp_path / "out")
    folder = tmp_path / "out/to_correct"
    assert {path.name for path in (folder / "labelme").iterdir()} == {f"{GRIDDED}.json", f"{FAILED}.json"}
    value = json.loads((folder / "labelme" / f"{GRIDDED}.json").read_text())
    assert value["flags"] == {"accept": True, "reject": True} and (value["imageWidth"], value["imageHeight"]) == (
        96,
        80,
    )
    assert (folder / "labelme" / value["imagePath"]).resolve() == (folder / "images" / f"{GRIDDED}.png").resolve()
    assert value["shapes"] and {shape["label"] for shape in value["shapes"]} == {"prediction to correct"}
    assert json.loads((folder / "labelme" / f"{FAILED}.json").read_text())["shapes"] == []
    corrected = open_dataset(folder, layout="labelme", ids=IdPolicy.KEEP)
    drawn = {case.case_id: case.truth.mask(WIDTH, HEIGHT) for case in corrected.cases}
    assert np.array_equal(drawn[GRIDDED], source.scored_runs[0].run.mask(GRIDDED, "p1")) and not drawn[FAILED].any()


def test_a_mask_with_a_hole_keeps_it_in_its_polygon():
    mask = np.zeros((9, 9), bool)
    mask[1:8, 1:8], mask[3:5, 3:6] = True, False
    (shape,) = labelme(ToCorrect("a.png", 9, 9, PredictedMask(mask), ["fix"]), "images")["shapes"]
    assert np.array_equal(draw_polygons([np.ravel(shape["points"])], 9, 9), mask)


def test_nothing_to_correct_and_a_folder_that_is_taken(source, tmp_path):
    assert write_verdict_export(source, {"ann": {SAME: verdicts()["ann"][SAME]}}, tmp_path / "out") == []
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["rejected.txt", "verdicts.csv"]
    with pytest.raises(RefusedInput, match="exists already"):
        write_verdict_export(source, verdicts(), tmp_path / "out")
