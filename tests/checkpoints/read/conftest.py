"""Fixtures shared by the tests of reading."""

from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from tests.support.checkpoint_samples import LORA, mmengine_entries


@pytest.fixture
def golden(shared: Path) -> Path:
    return shared / "golden" / "tiny_qwen2"


@pytest.fixture
def state_dict() -> OrderedDict:
    """Training key names, mixed dtypes, in an order that is not alphabetical."""
    return OrderedDict(
        [
            (f"{LORA}.lora_A.default.weight", torch.arange(12.0).reshape(4, 3)),
            (f"{LORA}.lora_B.default.weight", torch.ones(2, 4)),
            (
                "mllm.model.language_model.base_model.model.model.embed_tokens.modules_to_save.default.weight",
                torch.ones(7, 3),
            ),
            ("mllm.model.mlp1.0.weight", torch.full((3,), 1.5, dtype=torch.bfloat16)),
            ("grounding_encoder.sam2_model.sam_mask_decoder.iou_token.weight", torch.zeros(1, 2, dtype=torch.float16)),
            ("text_hidden_fcs.0.bias", torch.arange(3.0)),
        ]
    )


@pytest.fixture
def mmengine_file(tmp_path: Path, state_dict: OrderedDict) -> Path:
    path = tmp_path / "iter_3672.pth"
    torch.save(mmengine_entries(state_dict), path)
    return path
