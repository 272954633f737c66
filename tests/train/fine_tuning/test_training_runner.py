"""Checkpoints by the clock, which is one that nobody sets."""

from itertools import count
from types import SimpleNamespace

from helpers.train.fine_tuning import training_runner
from helpers.train.fine_tuning.training_runner import TimedCheckpointHook


def test_checkpoints_come_by_the_seconds_that_passed_whatever_the_clock_says(monkeypatch):
    passed, shown = count(0, 4), count(4_000_000_000, -3600)
    monkeypatch.setattr(training_runner.time, "monotonic", lambda: next(passed))
    monkeypatch.setattr(training_runner.time, "time", lambda: next(shown))
    hook = TimedCheckpointHook(interval=1000, seconds=10)
    saved, runner = [], SimpleNamespace(iter=0, max_iters=1000)
    monkeypatch.setattr(hook, "_save_checkpoint", lambda of: saved.append(of.iter))
    hook._saved_at = training_runner.time.monotonic()
    for runner.iter in range(9):
        hook.after_train_iter(runner, runner.iter)
    assert saved == [2, 5, 8]
