from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.data.audit.findings import truth_findings
from helpers.data.cases import Case
from helpers.data.frames.frame import Frame
from helpers.data.truth.ground_truth import BrokenTruth, MaskFileTruth, PolygonTruth, UnionTruth
from helpers.data.truth.truth_problem import ProblemKind, TruthProblem, texts

OUT = "move the polygon into the image"
FIT = "export frame and annotation at the same size, or ask for rescaling"
LARGER = f"it seems made for a larger image: {FIT}"
CORRECT = "correct the annotation"
SQUARE = (10.0, 10.0, 90.0, 10.0, 90.0, 90.0, 10.0, 90.0)


def reaching(x):
    return PolygonTruth(((10.0, 10.0, x, 10.0, 90.0, 90.0),))


# What a data check wrote of each before problems had a kind of their own.
@pytest.mark.parametrize(
    ("truth", "row"),
    [
        (PolygonTruth((SQUARE,), (50, 100)), ("error", "size_mismatch", "made for 50x100, the frame is 100x100", FIT)),
        (
            reaching(106.0),
            (
                "error",
                "size_mismatch",
                "polygon 1 reaches x=106 on a 100 px wide image",
                f"it seems made for a larger image: {FIT}",
            ),
        ),
        (
            reaching(105.0),
            (
                "error",
                "out_of_bounds",
                "polygon 1 reaches x=105 on a 100 px wide image",
                "move the polygon into the image",
            ),
        ),
        (
            reaching(-2.5),
            (
                "error",
                "out_of_bounds",
                "polygon 1 reaches x=-2.5, outside the image",
                "move the polygon into the image",
            ),
        ),
        (
            PolygonTruth(((1.0, 2.0),)),
            ("error", "few_points", "polygon 1 has 1 point", "a polygon needs 3 points: complete or remove it"),
        ),
        (
            PolygonTruth(((1.0, 2.0, 3.0),)),
            (
                "error",
                "broken_truth",
                "polygon 1 has 3 numbers, which do not make pairs of x and y",
                "correct the annotation",
            ),
        ),
        (BrokenTruth("made for nobody"), ("error", "broken_truth", "made for nobody", CORRECT)),
        (
            UnionTruth((PolygonTruth(((1.0, 2.0), (3.0, 4.0, 5.0, 6.0))), PolygonTruth(((1.0, 2.0),)))),
            (
                "error",
                "few_points",
                "polygon 1 has 1 point; and 1 more such",
                "a polygon needs 3 points: complete or remove it",
            ),
        ),
    ],
)
def test_the_findings_of_a_problem_stay_as_they_are_on_disk(truth, row):
    (found,) = truth_findings(Case(Frame("c1", Path("c1.png")), truth), (100, 100), True, None)
    assert (found.severity, found.kind, found.what, found.advice) == row
    assert type(found.kind) is str and found.case_id == "c1"


def test_a_mask_of_greys_is_drawn_with_a_remark(tmp_path):
    Image.fromarray(np.uint8([[0, 200], [0, 200]])).save(tmp_path / "m.png")
    truth = MaskFileTruth(tmp_path / "m.png")
    (problem,) = truth.problems(2, 2)
    assert problem.kind is ProblemKind.MASK_NOT_BINARY and problem.kind.is_remark
    (found,) = truth_findings(Case(Frame("c1", Path("c1.png")), truth), (2, 2), True, None)
    assert (found.severity, found.kind) == ("warning", "mask_not_binary")
    assert found.advice == "save masks as PNG with 0 and 255 alone"


def test_a_part_is_named_before_its_problem():
    problem = TruthProblem("is odd").within("polygon 3")
    assert texts([problem]) == ("polygon 3 is odd",) and not problem.kind.is_remark
