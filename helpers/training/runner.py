"""mmengine's Runner with checkpoints that are read safely and written whole."""

import os
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.model import is_model_wrapper

from helpers.checkpoint.unpickle import load_torch_file
from helpers.errors import RefusedInput, UsageProblem
from helpers.runner.registry import RUNNERS
from helpers.runner.runner import Runner


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
        checkpoint = load_torch_file(Path(filename))
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
        """As mmengine's, under the final name only once it is whole."""
        partial = f"{filename}.partial"
        super().save_checkpoint(out_dir, partial, *arguments, **options)
        if (Path(out_dir) / partial).exists():
            os.replace(Path(out_dir) / partial, Path(out_dir) / filename)
