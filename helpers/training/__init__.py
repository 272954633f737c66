"""Training through mmengine's Runner; importing this registers model, data set, order and hooks (docs/training.md)."""

from helpers.training.augmentation import AngiogramChanges
from helpers.training.hooks import LossBarHook, TimedCheckpointHook
from helpers.training.model import Sa2VAForTraining
from helpers.training.order import ResumableLoop, SeededOrder
from helpers.training.parallel import SharedGradients
from helpers.training.runner import TrainingRunner
from helpers.training.samples import SegmentationSamples

__all__ = [
    "AngiogramChanges",
    "LossBarHook",
    "ResumableLoop",
    "Sa2VAForTraining",
    "SeededOrder",
    "SegmentationSamples",
    "SharedGradients",
    "TimedCheckpointHook",
    "TrainingRunner",
]
