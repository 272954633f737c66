"""Sa2VA, data sets, metrics and hooks for mmengine's Runner; importing this registers them (docs/mmengine.md)."""

from helpers.train.test_route.frame_dataset import FixedBatches, FrameDataset
from helpers.train.test_route.mmengine_scope import Runner
from helpers.train.test_route.test_hooks import ComposeHook, PanelHook, ProgressHook
from helpers.train.test_route.test_model import Sa2VAForPrediction, SeparateProcesses
from helpers.train.test_route.vessel_metric import VesselMetric

__all__ = [
    "ComposeHook",
    "FixedBatches",
    "FrameDataset",
    "PanelHook",
    "ProgressHook",
    "Runner",
    "Sa2VAForPrediction",
    "SeparateProcesses",
    "VesselMetric",
]
