"""The order in which a run sees its samples, and a training loop that goes on in the middle of it."""

from collections.abc import Iterator, Sequence, Sized
from functools import lru_cache
from itertools import count
from typing import Any

import numpy as np
from mmengine.dist import get_dist_info
from mmengine.model import MMDistributedDataParallel
from mmengine.runner.loops import IterBasedTrainLoop
from torch import nn
from torch.utils.data import Sampler

from helpers.train.fine_tuning.training_model import Sa2VAForTraining
from helpers.train.test_route.mmengine_scope import DATA_SAMPLERS, LOOPS, MODEL_WRAPPERS


@DATA_SAMPLERS.register_module()
class SeededOrder(Sampler):
    """Endless `(position, index)` pairs: one shuffled pass over the data set after another, shared among processes.

    Attributes:
        skipped: samples of this process that an earlier run has seen.
    """

    def __init__(self, dataset: Sized, seed: int | None = None):
        self._size, self._seed = len(dataset), seed or 0
        self._rank, self._world = get_dist_info()
        self.skipped = 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for own in count(self.skipped):
            position = own * self._world + self._rank
            turn, place = divmod(position, self._size)
            yield position, int(_permutation(self._seed, turn, self._size)[place])

    def __len__(self) -> int:
        return self._size


@LOOPS.register_module()
class ResumableLoop(IterBasedTrainLoop):
    """mmengine's loop by iterations; a resumed one does not read again what was seen, but tells `SeededOrder`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # mmengine's has started its workers already, at the first sample.
        self.dataloader_iterator = None

    def run(self) -> nn.Module:
        """Train to the last iteration. Returns the model."""
        self.runner.call_hook("before_train")
        self.runner.call_hook("before_train_epoch")
        self.dataloader.sampler.skipped = self._iter * self.dataloader.batch_size
        batches = iter(self.dataloader)
        while self._iter < self._max_iters and not self.stop_training:
            self.runner.model.train()
            self.run_iter(next(batches))
        self.runner.call_hook("after_train_epoch")
        self.runner.call_hook("after_train")
        return self.runner.model


@lru_cache(maxsize=2)
def _permutation(seed: int, turn: int, size: int) -> np.ndarray:
    return np.random.default_rng((seed, turn)).permutation(size)


@MODEL_WRAPPERS.register_module()
class SharedGradients(MMDistributedDataParallel):
    """mmengine's wrapper, which names a GPU to torch even where the model is on the CPU."""

    def __init__(self, module: Sa2VAForTraining, device_ids: Sequence[int] | None = None, **options: Any):
        on_cpu = next(module.parameters()).device.type == "cpu"
        # SAM2's memory has no part in the losses of single images.
        super().__init__(module, device_ids=None if on_cpu else device_ids, find_unused_parameters=True, **options)
