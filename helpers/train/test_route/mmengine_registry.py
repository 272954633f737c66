"""The kit's part of mmengine's registries. In a config its classes carry the scope: `vesselkit.VesselMetric`."""

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
