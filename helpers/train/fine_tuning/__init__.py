"""Training through mmengine's Runner; importing this registers model, data set, order and hooks (docs/training.md)."""

from helpers.train.fine_tuning.sample_order import ResumableLoop, SeededOrder, SharedGradients
from helpers.train.fine_tuning.samples import AngiogramChanges, SegmentationSamples
from helpers.train.fine_tuning.training_model import Sa2VAForTraining
from helpers.train.fine_tuning.training_runner import LossBarHook, TimedCheckpointHook, TrainingRunner

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
