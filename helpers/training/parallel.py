"""Gradients shared among processes, on GPUs or without any."""

from collections.abc import Sequence
from typing import Any

from mmengine.model import MMDistributedDataParallel

from helpers.runner.registry import MODEL_WRAPPERS
from helpers.training.model import Sa2VAForTraining


@MODEL_WRAPPERS.register_module()
class SharedGradients(MMDistributedDataParallel):
    """mmengine's wrapper, which names a GPU to torch even where the model is on the CPU."""

    def __init__(self, module: Sa2VAForTraining, device_ids: Sequence[int] | None = None, **options: Any):
        on_cpu = next(module.parameters()).device.type == "cpu"
        # SAM2's memory has no part in the losses of single images.
        super().__init__(module, device_ids=None if on_cpu else device_ids, find_unused_parameters=True, **options)
