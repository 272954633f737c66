"""The kit's scope in mmengine: its registries, and the Runner as the kit starts it.

In a config its classes carry the scope: `vesselkit.VesselMetric`.
"""

import os
from typing import Any

import mmengine.runner
import torch
import torch.distributed
from mmengine.dist import is_distributed
from mmengine.registry import DATA_SAMPLERS as ROOT_DATA_SAMPLERS
from mmengine.registry import DATASETS as ROOT_DATASETS
from mmengine.registry import HOOKS as ROOT_HOOKS
from mmengine.registry import LOOPS as ROOT_LOOPS
from mmengine.registry import METRICS as ROOT_METRICS
from mmengine.registry import MODEL_WRAPPERS as ROOT_MODEL_WRAPPERS
from mmengine.registry import MODELS as ROOT_MODELS
from mmengine.registry import RUNNERS as ROOT_RUNNERS
from mmengine.registry import TRANSFORMS as ROOT_TRANSFORMS
from mmengine.registry import Registry

from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import Launcher
from helpers.prediction.work_shards import launched

SCOPE = "vesselkit"

DATASETS = Registry("dataset", parent=ROOT_DATASETS, scope=SCOPE)
DATA_SAMPLERS = Registry("data sampler", parent=ROOT_DATA_SAMPLERS, scope=SCOPE)
HOOKS = Registry("hook", parent=ROOT_HOOKS, scope=SCOPE)
LOOPS = Registry("loop", parent=ROOT_LOOPS, scope=SCOPE)
METRICS = Registry("metric", parent=ROOT_METRICS, scope=SCOPE)
MODELS = Registry("model", parent=ROOT_MODELS, scope=SCOPE)
MODEL_WRAPPERS = Registry("model wrapper", parent=ROOT_MODEL_WRAPPERS, scope=SCOPE)
RUNNERS = Registry("runner", parent=ROOT_RUNNERS, scope=SCOPE)
TRANSFORMS = Registry("transform", parent=ROOT_TRANSFORMS, scope=SCOPE)


@RUNNERS.register_module()
class Runner(mmengine.runner.Runner):
    """A Runner that also starts several processes without GPUs, and keeps paths out of its work folder.

    The kit's configs work under mmengine's own Runner as well, but for these two things.
    """

    def setup_env(self, env_cfg: dict[str, Any]) -> None:
        """As mmengine's, which fails for several processes where there is no GPU: it asks for one whatever the backend.

        Raises:
            UsageProblem: where the launcher's variables are missing.
        """
        process = None if self._launcher == "none" else launched(Launcher(self._launcher))
        if process is None:
            # One process needs no group, and mmengine would fail to make one without a GPU.
            self._distributed = False
        elif not torch.cuda.is_available() and not is_distributed():
            if "MASTER_ADDR" not in os.environ:
                raise UsageProblem(
                    f"launcher {self._launcher}: expected MASTER_ADDR (and MASTER_PORT) of the first process, found "
                    "none. Set them, or start the command with torchrun"
                )
            os.environ.setdefault("MASTER_PORT", "29500")
            os.environ.setdefault("LOCAL_RANK", str(process.local_rank))
            torch.distributed.init_process_group("gloo", rank=process.rank, world_size=process.world)
        super().setup_env(env_cfg)

    def dump_config(self) -> None:
        """Write no copy of the config: it holds paths of this machine, which may name patients."""
