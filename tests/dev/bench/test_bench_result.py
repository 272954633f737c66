"""Tables and figures of made-up measurements."""

from dataclasses import replace

import pytest

from helpers.dev.bench.bench_result import ImageBench, Machine, ModelBench, bench_figure
from helpers.dev.bench.file_rate import FilesBench
from helpers.dev.bench.timing import Latency

MACHINE = Machine("Some GPU", 16, "2.11.0", "5.17.0", 800e12, 22 << 30)
IMAGE = ImageBench(
    side=512,
    tiles=1,
    tokens=273,
    operations={"vision tower": 2 * 10**12, "language model": 2 * 10**12},
    latencies={"one pass": Latency(0.010, 0.012, 0.009, 20)},
    stages={"vision tower": 0.004, "language model": 0.006},
    peak_alone=17 << 30,
    rates={1: 100.0, 8: 150.0},
    peaks={1: 17 << 30, 8: 20 << 30},
)
STEPS = {"frames to the device": 0.002, "answers": 0.02, "masks": 0.03, "rest": 0.001}
FILES = FilesBench(8, 320, 120.0, 400.0, STEPS, {**STEPS, "rest": 0.0145})
FOUND = ModelBench("8b", "bfloat16", None, MACHINE, "[SEG]", 2, 15 << 30, True, (IMAGE,), FILES, None, (16,))


def test_the_table_says_what_it_rests_on():
    text = FOUND.to_text()
    for words in (
        "8b, bfloat16: random weights, 15.00 GiB; Some GPU, memory capped at 22 GiB, 16 threads",
        "matrix product of the same dtype: 800 TFLOP/s",
        "512 x 512, 1 tile, 273 prompt tokens, 4 TFLOP an image",
        "most memory with one image at a time: 17.00 GiB",
        "batches that did not fit in memory: 16",
        "from 320 image files to a run folder, batches of 8: 120.00 images/s, 80% of the highest rate above; 400.0",
    ):
        assert words in text, words
    one, batch = (line.split() for line in text.splitlines() if line.startswith(("  one pass", "  8 ")))
    assert one[-4:] == ["10.0", "12.0", "9.0", "50.0%"]  # 4 TFLOP in 10 ms of 800 TFLOP/s
    assert batch == ["8", "150.00", "6.7", "75.0%", "20.00"]
    assert "NOT ALL LOGITS ARE FINITE" in replace(FOUND, finite=False).to_text()


def test_json_holds_shares():
    values = FOUND.to_dict()
    (image,) = values["images"]
    assert values["files"]["share_of_batched"] == 0.8 and values["files"]["steps"]["rest"] == 0.0145
    assert replace(FOUND, files=None).to_dict()["files"] is None
    assert image["total_operations"] == 4 * 10**12
    assert image["share_of_ceiling"] == pytest.approx({"1": 0.5, "8": 0.75})


def test_the_figure_shows_three_panels():
    figure = bench_figure(FOUND)
    ways, stages, batches = figure.axes[:3]
    assert [bar.get_width() for bar in ways.patches] == [10]
    assert [bar.get_width() for bar in stages.patches] == [4, 6]
    assert list(batches.lines[0].get_ydata()) == [100, 150] and list(figure.axes[3].lines[0].get_ydata()) == [17, 20]
    nothing = bench_figure(replace(FOUND, images=(replace(IMAGE, rates={}, peaks={}),)))
    assert "no batch fitted" in nothing.axes[2].texts[0].get_text()
