"""Names of the number types, and what a loaded model computes in."""

import pytest
import torch

from helpers.core.vocabulary import Preset
from helpers.dev.bench.stand_in import stand_in
from helpers.prediction.engine.dtypes import DTYPES, MIXED, dtype_of, one_dtype


def test_every_name_names_its_dtypes():
    assert {name: (dtype.main, dtype.sam2) for name, dtype in DTYPES.items()} == {
        "mixed": (torch.bfloat16, torch.float16),
        "bfloat16": (torch.bfloat16, torch.bfloat16),
        "float16": (torch.float16, torch.float16),
        "float32": (torch.float32, torch.float32),
    }
    assert MIXED.described == "mixed (bfloat16, SAM2 in float16)" and DTYPES["float16"].described == "float16"


@pytest.mark.model
def test_a_model_tells_its_own():
    for dtype in (MIXED, one_dtype(torch.float32)):
        model, _ = stand_in(Preset.TINY, torch.device("cpu"), dtype)
        assert dtype_of(model) == dtype
