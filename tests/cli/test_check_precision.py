"""`vesselkit check-precision`: what it refuses, and its exit code."""

import json

import pytest

from helpers.prediction import precision
from helpers.prediction.precision import KindResult, PrecisionKind, PrecisionReport, StageRange
from tests.support.fixture_model import draw_angiograms

STAGES = (StageRange("vision tower", 3.0, 0), StageRange("language model", 6e4, 5))


def test_what_cannot_work_is_refused(call, model, tmp_path):
    draw_angiograms(tmp_path / "data", 1)
    assert "--n: expected at least 1" in call("check-precision", "--model", model, "--data", "data", "--n", "0").err
    assert call("check-precision", "--model", "nowhere", "--data", "data").code == 2
    assert call("check-precision", "--model", "data", "--data", "data").code == 3


@pytest.mark.parametrize("refused, code", [(None, 0), ("the language model gives 5 values", 1)])
def test_a_kind_that_must_not_be_used_is_a_finding(call, model, tmp_path, monkeypatch, refused, code):
    draw_angiograms(tmp_path / "data", 3)
    asked = []

    def check(folder, frames, prompt, device):
        asked.append((folder, len(frames), prompt, device))
        results = [KindResult(PrecisionKind("bfloat16"), None, STAGES[:1], 2, [1.0, 1.0], 17 << 30)]
        results.append(KindResult(PrecisionKind("float16"), refused, STAGES, 1, [0.5, None], 17 << 30))
        return PrecisionReport("Some GPU", 2, results)

    monkeypatch.setattr(precision, "check_precision", check)
    arguments = ["--model", model, "--data", "data", "--n", "2", "--device", "cpu", "--output", "found.json"]
    ended = call("check-precision", *arguments)
    assert ended.code == code and asked == [(model, 2, "Please segment the blood vessels.", "cpu")]
    lines = [line.split() for line in ended.out.splitlines()]
    assert ["bfloat16", "2/2", "1.0000", "1.0000", "17.00"] in lines
    assert ["float16", "1/2", "0.5000", "0.5000", "17.00"] in lines
    assert ("REFUSED float16" in ended.out) is (code == 1)
    assert "language model 6e+04 (5 not finite)" in ended.out
    assert json.loads((tmp_path / "found.json").read_text())["ok"] is (code == 0)
