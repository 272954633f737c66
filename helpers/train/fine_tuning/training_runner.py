"""mmengine's Runner for training: its checkpoints are read safely and written whole, by the clock too; a loss bar."""

import logging
import os
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook, Hook
from mmengine.model import is_model_wrapper

from helpers.checkpoints.read.training_folder import list_checkpoints, read_last_checkpoint_name
from helpers.checkpoints.read.unpickle import load_torch_file
from helpers.core.atomic import flush
from helpers.core.errors import OUT_OF_MEMORY, RefusedInput, Stopped, UsageProblem, VesselkitError, in_words
from helpers.core.progress import Bar
from helpers.core.shown_text import counted
from helpers.prediction.engine.memory_estimate import is_out_of_memory
from helpers.train.test_route.mmengine_scope import HOOKS, RUNNERS, Runner

_log = logging.getLogger(__name__)


PARTIAL_SUFFIX = ".partial"


_WORKER = "DataLoader worker"  # in torch's words for a process that loads frames


def last_checkpoint(work_dir: Path) -> Path | None:
    """The checkpoint that a work folder names as its last; where that is not there, the furthest one, with a warning.

    The folder may have been moved, also from Windows, so that of the path in it the name alone counts. None where
    training has written none yet.

    Raises:
        RefusedInput: where one is named, and none is there.
    """
    if not work_dir.is_dir():
        return None
    name = read_last_checkpoint_name(work_dir)
    if name is not None and (work_dir / name).is_file():
        return work_dir / name
    found = list_checkpoints(work_dir)
    if found:
        _log.warning(
            "%s: last_checkpoint names %s; the training resumes from %s",
            work_dir,
            f"{name}, which is not there" if name else "nothing",
            found[-1].path.name,
        )
        return found[-1].path
    if name is not None:
        raise RefusedInput(
            f"{work_dir}: last_checkpoint names {name}, but no checkpoint is there. Copy it back, or remove "
            "last_checkpoint to start anew"
        )
    return None


def refuse_earlier(work_dir: Path) -> None:
    """Raise UsageProblem where a new training would write over the checkpoints of an earlier one."""
    found = list_checkpoints(work_dir) if work_dir.is_dir() else ()
    if found:
        raise UsageProblem(
            f"{work_dir}: expected no earlier training, found {counted(len(found), 'checkpoint')}, the last "
            f"{found[-1].path.name}. Resume it with --resume, or name another folder with --work-dir"
        )


@contextmanager
def explain_ending(work_dir: Path) -> Iterator[None]:
    """Raise what stops a training as an error of the kit, with what is kept and what to do; others go on as they are.

    Raises:
        Stopped: in place of KeyboardInterrupt.
        RefusedInput: for a frame that cannot be read.
        VesselkitError: where memory or disk failed.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped(f"stopped; {_kept(work_dir)}") from None
    except OSError as error:
        words = in_words(error)
        if words is None:
            raise
        place = "" if error.filename is None else f"{error.filename}: "
        raise VesselkitError(f"{place}{words.found}; {_kept(work_dir)}. {words.advice} first") from error
    except RefusedInput as error:
        if _WORKER not in str(error):
            raise
        # Torch hands on an error of another process with the whole text of where it arose.
        reason = str(error).strip().splitlines()[-1].removeprefix(f"{_class_name(RefusedInput)}: ")
        raise RefusedInput(f"{reason}; {_kept(work_dir)}") from error
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            raise VesselkitError(
                f"{OUT_OF_MEMORY}; {_kept(work_dir)}, with less at a time: --cfg-options "
                "train_dataloader.batch_size=1 train_dataloader.dataset.max_tiles=1"
            ) from error
        if _WORKER not in str(error):
            raise
        raise VesselkitError(
            f"a process that loads frames was killed, most often because {OUT_OF_MEMORY}; {_kept(work_dir)}, with "
            "fewer of them: --cfg-options train_dataloader.num_workers=0"
        ) from error


def _class_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _kept(work_dir: Path) -> str:
    names = [one.path.name for one in list_checkpoints(work_dir)] if work_dir.is_dir() else []
    if not names:
        return "no checkpoint was written yet, start anew"
    return f"the last checkpoint is {names[-1]}, resume it with --resume"


@RUNNERS.register_module()
class TrainingRunner(Runner):
    """A Runner that resumes through the kit's reader, so that nothing in a checkpoint is executed."""

    def load_checkpoint(self, filename: str, *_: Any, **__: Any) -> dict[str, Any]:
        """Read a checkpoint of this run and put its tensors into the model. Called by mmengine to resume.

        Raises:
            UsageProblem: where the run is not resumed: `load_from` alone is not how to start from other weights.
            RefusedInput: for a file that is refused, or tensors of another run.
        """
        if not self._resume:
            raise UsageProblem(
                "load_from: expected resume=True beside it. To start a new run from a trained Sa2VA, set "
                "model.pretrained_pth"
            )
        try:
            content = load_torch_file(Path(filename))
        except RefusedInput as error:
            raise RefusedInput(f"{error}{_other_than(Path(filename))}") from error
        checkpoint: dict[str, Any] = {str(name): entry for name, entry in content.items()}
        lacking = [name for name in ("meta", "state_dict", "optimizer", "param_schedulers") if name not in checkpoint]
        if lacking:
            raise RefusedInput(
                f"{filename}: expected a checkpoint to resume from, found one without {', '.join(lacking)}"
            )
        model = self.model.module if is_model_wrapper(self.model) else self.model
        model.load_trained(checkpoint["state_dict"])
        # The log's history is not read; its windows start anew.
        stored: Mapping[str, Any] = checkpoint.get("message_hub") or {}
        kept = {name: value for name, value in stored.get("runtime_info", {}).items() if isinstance(value, int | str)}
        checkpoint["message_hub"] = {
            "log_scalars": OrderedDict(),
            "runtime_info": OrderedDict(kept),
            "resumed_keys": OrderedDict.fromkeys(kept, True),
        }
        self._has_loaded = True
        return checkpoint

    def save_checkpoint(self, out_dir: str, filename: str, *arguments: Any, **options: Any) -> None:
        """As mmengine's, by the first process alone, under the final name only once it is whole and on the disk.

        Raises:
            OSError: naming the file, where it cannot be written; nothing half-written is left.
        """
        if not is_main_process():  # another would find the first one's file half-written
            return
        partial, final = Path(out_dir) / f"{filename}{PARTIAL_SUFFIX}", Path(out_dir) / filename
        try:
            super().save_checkpoint(out_dir, partial.name, *arguments, **options)
            flush(partial)
            os.replace(partial, final)
        except BaseException as error:
            partial.unlink(missing_ok=True)
            if isinstance(error, OSError):
                error.filename = str(final)
            raise


def _other_than(refused: Path) -> str:
    """What to do about a checkpoint that cannot be read where its folder holds others."""
    others = [one.path.name for one in list_checkpoints(refused.parent) if one.path.name != refused.name]
    return f" Or move {refused.name} away: --resume then resumes from {others[-1]}." if others else ""


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
