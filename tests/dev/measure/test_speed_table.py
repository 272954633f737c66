"""The script that measures all sizes: its summary, and the cards that a limit stands for."""

import json
import sys
from dataclasses import replace

import pytest
import torch

from helpers.core.errors import UsageProblem
from helpers.dev.bench import measuring
from helpers.dev.measure import speed_table
from helpers.prediction.engine import memory_estimate
from tests.dev.bench.test_bench_result import FOUND, IMAGE

pytestmark = pytest.mark.model


def write(folder, name, found):
    (folder / name).mkdir()
    (folder / name / "bench.json").write_text(json.dumps(found.to_dict()))


def test_the_summary_has_a_line_for_each_image_size(tmp_path):
    larger = replace(IMAGE, side=768, tiles=5, rates={}, peaks={})
    write(tmp_path, "8b", replace(FOUND, images=(IMAGE, larger)))
    write(tmp_path, "card-11-nf4", replace(FOUND, quantization="nf4", finite=False))
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in speed_table.summary(tmp_path).splitlines()
    ]
    assert len({len(row) for row in rows[:5]}) == 1
    assert rows[2] == ["8b", "512, 1 tiles", "bfloat16, 15.0 GiB", "22 GiB", "10.0 / 12.0 / 9.0", "-", "-",
                       "150.0 (8)", "75%", "120.0 (8), 80%", "17.00 GiB"]  # fmt: skip
    assert rows[3][1] == "768, 5 tiles" and rows[3][7:10] == ["-", "-", "-"]
    assert rows[4][2].startswith("nf4") and rows[4][-1].endswith("NOT FINITE")
    steps = [row for row in rows if len(row) == 7]
    assert steps[2] == ["8b", "lie ready", "2.0", "20.0", "30.0", "1.0", "53.0"]
    assert steps[3][1:] == ["from files", "2.0", "20.0", "30.0", "14.5", "66.5"]
    assert "Some GPU, torch 2.11.0" in rows[-1][0]


def test_the_summary_reads_benches_of_before_that_timed_no_steps(tmp_path):
    values = FOUND.to_dict()
    values["files"] = {name: values["files"][name] for name in ("batch_size", "images", "rate", "rate_without_model")}
    (tmp_path / "8b").mkdir()
    (tmp_path / "8b/bench.json").write_text(json.dumps(values))
    text = speed_table.summary(tmp_path)
    assert "| 120.0 (8) |" in text and "ms a batch" not in text


def test_cards_that_cannot_hold_the_model_are_told(tmp_path, monkeypatch, capsys):
    asked = []

    def measure(preset, device, dtype, plan, quantization, cap):
        asked.append((str(preset), cap >> 30, dtype, quantization))
        if quantization == "int8":
            raise torch.OutOfMemoryError("out of memory")
        return replace(FOUND, quantization=quantization)

    def require(shapes, device, dtype, quantization):
        if dtype is torch.float16:
            raise UsageProblem("memory: use --quantize nf4")

    monkeypatch.setattr(measuring, "measure_model", measure)
    monkeypatch.setattr(memory_estimate, "require_memory", require)
    speed_table.bench_cards(tmp_path, "cpu", "tiny")
    assert [(cap, quantization) for _, cap, _, quantization in asked] == [
        (22, None), (22, "int8"), (22, "nf4"), (11, None), (11, "int8"), (11, "nf4"),
    ]  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == {
        "card-22-mixed", "card-22-nf4", "card-11-mixed", "card-11-nf4",
    }  # fmt: skip
    said = capsys.readouterr().out
    assert "22 GiB, float16: memory: use --quantize nf4" in said and "11 GiB, int8: out of memory" in said


def python(code):
    return [sys.executable, "-c", code]


def test_a_part_that_fails_leaves_the_others(capsys):
    parts = speed_table.Parts(60)
    assert not parts.run("bad", python("raise SystemExit(7)"), 30)
    assert not parts.run("slow", python("import time; time.sleep(60)"), 1)
    assert parts.run("good", python(""), 30)
    assert not speed_table.Parts(0).run("late", python(""), 30)
    said = capsys.readouterr().out
    for words in ("[bad: exit code 7", "[slow: stopped", "[good: exit code 0", "[late: left out"):
        assert words in said


def test_a_size_is_measured_without_graphs_where_they_fail(tmp_path):
    class Failing(speed_table.Parts):
        def run(self, name, command, seconds):
            asked.append((name, "--no-cuda-graphs" in command))
            return len(asked) > 1

    asked = []
    for preset in ("8b", "1b"):
        speed_table.bench_preset(Failing(1), tmp_path, preset, 0, 1)
    assert asked == [("8b", False), ("8b without graphs", True), ("1b", False)]


def test_several_gpus_are_measured_where_they_are_asked_for(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(speed_table.Parts, "run", lambda self, name, command, seconds: asked.append((name, command)))
    for gpus in ("1", "2"):
        monkeypatch.setattr(sys, "argv", ["speed_table", str(tmp_path), "--gpus", gpus, "--presets", "1b"])
        speed_table.main()
    shared = [command for name, command in asked if name == "gpus"]
    assert len(shared) == 1 and shared[0][-4:] == ["--gpus", "2", "--preset", "8b"]
    assert [name for name, _ in asked].count("cards") == 2


def test_the_disk_is_waited_for():
    assert 0 < speed_table.disk_seconds(2) < 10
