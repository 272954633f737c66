"""What a training leaves, goes on from, and says where it ends before its time."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers.checkpoint.training_folder import list_checkpoints, read_last_checkpoint_name
from helpers.errors import RefusedInput, Stopped, UsageProblem, VesselkitError
from helpers.inference.memory import is_out_of_memory
from helpers.system import OUT_OF_MEMORY, in_words

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
        _log.warning("%s: last_checkpoint names %s; taken was %s", work_dir, name or "nothing", found[-1].path.name)
        return found[-1].path
    if name is not None:
        raise RefusedInput(
            f"{work_dir}: last_checkpoint names {name}, and no checkpoint is there. Copy it back, or remove "
            "last_checkpoint to start anew"
        )
    return None


def refuse_earlier(work_dir: Path) -> None:
    """Raise UsageProblem where a new training would write over the checkpoints of an earlier one."""
    found = list_checkpoints(work_dir) if work_dir.is_dir() else ()
    if found:
        raise UsageProblem(
            f"{work_dir}: holds {len(found)} checkpoints of an earlier training, the last {found[-1].path.name}. Go on "
            "with it by --resume, or name another folder with --work-dir"
        )


@contextmanager
def told(work_dir: Path) -> Iterator[None]:
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
    return f"the last checkpoint is {names[-1]}, go on from it with --resume"
