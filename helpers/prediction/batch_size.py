"""How many frames are predicted together where nobody said it: by the memory of the device that computes."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import torch

from helpers.prediction.engine.memory_estimate import WORKING_BYTES, free_bytes

# With a small model on one core a frame took 0.45, 0.45, 0.50 and 0.61 s in batches of 1, 2, 4 and 8. A large model
# reads its weights once for all frames of a batch, hence not 1.
CPU_BATCH = 2

_MOST_ON_GPU = 16


class HasSettings(Protocol):
    """What `device_of` asks, such as a predictor."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """JSON object that may name the type of the device under `device`."""


@runtime_checkable
class OnDevice(Protocol):
    """A predictor that knows its device, of several of one type too."""

    @property
    def device(self) -> torch.device:
        """Where it computes."""


def device_of(predictor: HasSettings) -> torch.device:
    """Where a predictor computes: its settings, which fingerprints hold, name the type alone."""
    if isinstance(predictor, OnDevice):
        return predictor.device
    return torch.device(str(predictor.settings.get("device", "cpu")))


def automatic_batch_size(device: torch.device) -> int:
    """A batch size for a device: by what is free on a CUDA device once the model is there, fixed elsewhere.

    What does not fit after all is halved.
    """
    if device.type != "cuda":
        return CPU_BATCH
    return max(1, min(_MOST_ON_GPU, (free_bytes(device) or 0) // WORKING_BYTES))
