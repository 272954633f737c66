"""Hooks of mmengine's Runner for training: checkpoints by the clock, and a bar with the losses."""

import time
from collections.abc import Mapping
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook, Hook

from helpers.core.errors import UsageProblem
from helpers.core.progress import Bar
from helpers.train.test_route.mmengine_registry import HOOKS


@HOOKS.register_module()
class TimedCheckpointHook(CheckpointHook):
    """mmengine's checkpoints by iterations, and one whenever some seconds have passed since the last."""

    def __init__(self, *arguments: Any, seconds: float | None = 120.0, **options: Any):
        """As mmengine's `CheckpointHook`.

        Args:
            seconds: between checkpoints; None for those by iterations alone.
        Raises:
            UsageProblem: where one checkpoint is to be kept: it would be removed before the next is written.
        """
        super().__init__(*arguments, by_epoch=False, **options)
        if self.max_keep_ckpts == 1:
            raise UsageProblem("default_hooks.checkpoint.max_keep_ckpts: expected 2 or more, or -1 for all, got 1")
        self._seconds, self._saved_at = seconds, time.monotonic()

    def before_train(self, runner: Any) -> None:
        """Start the clock."""
        super().before_train(runner)
        self._saved_at = time.monotonic()

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Save where it is time, unless mmengine does."""
        by_count = self.every_n_train_iters(runner, self.interval) or self.is_last_train_iter(runner)
        if by_count:
            super().after_train_iter(runner, batch_idx, data_batch, outputs)
            self._saved_at = time.monotonic()
        elif self._seconds is not None and time.monotonic() - self._saved_at >= self._seconds:
            self._save_checkpoint(runner)
            self._saved_at = time.monotonic()


@HOOKS.register_module()
class LossBarHook(Hook):
    """Shows the iterations of the first process, with the loss."""

    def __init__(self, every: int = 10) -> None:
        """Choose how often the loss is read, which waits for the GPU."""
        self._every = every
        self._bar: Bar | None = None

    def before_train(self, runner: Any) -> None:
        """Start the bar where the run starts."""
        if is_main_process():
            self._bar = Bar("train", runner.max_iters, initial=runner.iter, unit="iter")
            self._bar.begin()

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Mapping[str, Any] | None = None
    ) -> None:
        """Go on by one iteration."""
        if self._bar is None:
            return
        if outputs and self.every_n_train_iters(runner, self._every):
            self._bar.tell(", ".join(f"{name} {value.item():.3f}" for name, value in outputs.items()))
        self._bar.update()

    def after_train(self, runner: Any) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.end()
