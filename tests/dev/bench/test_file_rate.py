"""From files to files on the tiny model: the steps add up to the whole, and every batch counts."""

import time

import pytest
import torch

from helpers.core.vocabulary import Preset
from helpers.dev.bench.file_rate import REST, STEPS, FilesBench, measure_files
from helpers.dev.bench.stand_in import stand_in
from helpers.prediction.engine.dtypes import one_dtype
from helpers.prediction.sa2va_predictor import Sa2VAPredictor

READY = {"frames to the device": 0.006, "answers": 0.153, "masks": 0.145, REST: 0.001}
FOUND = FilesBench(16, 320, 40.0, 200.0, READY, {**READY, "frames to the device": 0.1, REST: 0.0015})


class SlowMasks(Sa2VAPredictor):
    """Takes a tenth of a second more for the masks of a batch."""

    batches = 0

    def masks(self, prepared, states):
        self.batches += 1
        time.sleep(0.1)
        return super().masks(prepared, states)


def test_every_step_is_timed():
    predictor = SlowMasks(*stand_in(Preset.TINY, torch.device("cpu"), one_dtype(torch.float32)), {})
    found = measure_files(predictor, 448, 3, 2)
    assert predictor.batches == 7  # 2 to warm up, 2 that lie ready, 2 from files, 1 whose answers are kept
    for steps in (found.steps_ready, found.steps):
        assert list(steps) == [*STEPS, REST] and min(steps.values()) >= 0
        assert steps["masks"] > 0.1 and steps["answers"] > 0
    assert sum(found.steps.values()) * 2 == pytest.approx(3 / found.rate)
    assert found.rate_without_model > found.rate and "masks" not in vars(predictor)


def test_the_table_has_a_line_for_each_way():
    first, heads, ready, files = FOUND.to_lines(50.0)
    assert first == (
        "from 320 image files to a run folder, batches of 16: 40.00 images/s, 80% of the highest rate above; "
        "200.0 with answers that are there already"
    )
    assert heads.split()[-5:] == ["device", "answers", "masks", "rest", "together"]
    assert ready.split()[-5:] == ["6.0", "153.0", "145.0", "1.0", "305.0"]
    assert files.split()[-5:] == ["100.0", "153.0", "145.0", "1.5", "399.5"]
    assert len({len(line) for line in (heads, ready, files)}) == 1
    assert "highest rate" not in FOUND.to_lines(0)[0]
