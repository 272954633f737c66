"""The sheet of suspicious cases shows the gravest first, and the truth's outline."""

import io

import numpy as np
import pytest
from PIL import Image

from helpers.data.audit.findings import AuditFinding, AuditSeverity
from helpers.data.cases import Case
from helpers.data.frames.frame import Frame
from helpers.data.truth.ground_truth import PolygonTruth
from helpers.review.figures.audit_sheet import suspicious_sheet


@pytest.fixture
def case(tmp_path):
    Image.new("L", (8, 8), 90).save(tmp_path / "a.png")
    return Case(Frame("C1", tmp_path / "a.png"), PolygonTruth(((1, 1, 6, 1, 6, 6, 1, 6),)))


def finding(severity, case_id="C1"):
    return AuditFinding(severity, "kind", case_id, "what $x$ was found " * 9, "advice")


def test_the_outline_is_red_in_the_picture(case):
    with Image.open(io.BytesIO(suspicious_sheet([finding(AuditSeverity.ERROR)], [case]))) as sheet:
        pixels = np.asarray(sheet.convert("RGB")).reshape(-1, 3)
    assert (pixels == (255, 0, 0)).all(axis=1).sum() > 1000


def test_notes_and_findings_without_a_case_give_no_picture(case):
    assert suspicious_sheet([finding(AuditSeverity.NOTE), finding(AuditSeverity.ERROR, None)], [case]) is None
