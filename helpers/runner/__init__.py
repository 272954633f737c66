"""Sa2VA, data sets, metrics and hooks for mmengine's Runner; importing this registers them (docs/mmengine.md)."""

from helpers.runner.dataset import FixedBatches, FrameDataset
from helpers.runner.hooks import ComposeHook, PanelHook, ProgressHook
from helpers.runner.metric import VesselMetric
from helpers.runner.model import Sa2VAForPrediction, SeparateProcesses
from helpers.runner.runner import Runner

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
