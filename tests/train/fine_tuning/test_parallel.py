"""What mmengine's wrapper of the model is given."""

import pytest
import torch
from mmengine.model import MMDistributedDataParallel
from torch import nn

from helpers.train.fine_tuning.sample_order import SharedGradients


@pytest.mark.parametrize("device, expected", [("meta", [1]), ("cpu", None)])
def test_a_gpu_is_named_to_torch_and_nothing_else_is_asked_for(monkeypatch, device, expected):
    given = {}

    def keep(self, module, **options):
        given.update(options)
        nn.Module.__init__(self)

    monkeypatch.setattr(MMDistributedDataParallel, "__init__", keep)
    SharedGradients(nn.Linear(1, 1, device=torch.device(device)), [1])
    # Not mmengine's search for unused parameters: it names each of them in every iteration.
    assert given == {"device_ids": expected, "find_unused_parameters": True}
