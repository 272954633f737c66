"""From a checkpoint to a report in one go: the notebooks, one after another, each on the files of the one before."""

from helpers.pipeline.pipeline import Beginning, PipelineRequest, Step, run_pipeline

__all__ = ["Beginning", "PipelineRequest", "Step", "run_pipeline"]
