"""mmengine's Runner with checkpoints that are read safely and written whole."""

import os
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.model import is_model_wrapper

from helpers.atomic import flush
from helpers.checkpoint.training_folder import list_checkpoints
from helpers.checkpoint.unpickle import load_torch_file
from helpers.errors import RefusedInput, UsageProblem
from helpers.runner.registry import RUNNERS
from helpers.runner.runner import Runner
from helpers.training.ending import PARTIAL_SUFFIX


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
            checkpoint = load_torch_file(Path(filename))
        except RefusedInput as error:
            raise RefusedInput(f"{error}{_other_than(Path(filename))}") from error
        lacking = [name for name in ("meta", "state_dict", "optimizer", "param_schedulers") if name not in checkpoint]
        if lacking:
            raise RefusedInput(f"{filename}: expected a checkpoint to resume from, it lacks {', '.join(lacking)}")
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
    return f" Or move {refused.name} away: --resume then goes on from {others[-1]}." if others else ""
