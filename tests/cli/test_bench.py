"""`vesselkit dev bench model`: what it refuses, and the files that it writes."""

import json

import pytest
import torch

from helpers.dev.bench import measuring
from helpers.prediction.engine.dtypes import DTYPES
from tests.dev.bench.test_bench_result import FOUND


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--side", "0"], "--side: expected at least 1, got 0"),
        (["--calls", "0"], "--calls: expected at least 1, got 0"),
        (["--batch-sizes", "1,x"], "--batch-sizes: expected numbers of at least 1 such as 1,4,16, got '1,x'"),
        (["--memory-cap", "11", "--device", "cpu"], "--memory-cap: expected a number above 0 and a GPU"),
        (["--dtype", "int3"], "dtype: expected auto or one of"),
        (["--preset", "70b"], "70b"),
    ],
)
def test_what_cannot_work_is_refused(call, monkeypatch, arguments, said):
    monkeypatch.setattr(measuring, "measure_model", None)
    ended = call("dev", "bench", "model", *arguments)
    assert ended.code == 2 and said in ended.err


def test_the_plan_and_the_files(call, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(measuring, "measure_model", lambda *arguments: asked.append(arguments) or FOUND)
    ended = call(
        "dev", "bench", "model", "--preset", "8b", "--device", "cpu", "--side", "512", "--side", "768",
        "--batch-sizes", "8,1", "--calls", "5", "--files", "3", "--frames", "40",
        "--quantize", "nf4", "--output", "found",
    )  # fmt: skip
    assert ended.code == 0 and ended.out.startswith("8b, bfloat16: random weights")
    ((preset, device, dtype, plan, quantization, cap),) = asked
    assert (preset, str(device), dtype, quantization, cap) == ("8b", "cpu", DTYPES["float32"], "nf4", None)
    assert (plan.sides, plan.batch_sizes, plan.calls, plan.files, plan.frames, plan.graphs) == (
        (512, 768), (1, 8), 5, 3, 40, False,
    )  # fmt: skip
    assert json.loads((tmp_path / "found" / "bench.json").read_text())["preset"] == "8b"
    assert (tmp_path / "found" / "bench.txt").read_text() == ended.out
    assert (tmp_path / "found" / "bench.png").is_file() and (tmp_path / "found" / "bench.svg").is_file()


def test_a_model_that_does_not_fit_is_told(call, monkeypatch):
    def fail(*_):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(measuring, "measure_model", fail)
    ended = call("dev", "bench", "model", "--preset", "8b", "--device", "cpu")
    assert ended.code == 3 and "do not fit in the memory of cpu" in ended.err and "--quantize nf4" in ended.err
