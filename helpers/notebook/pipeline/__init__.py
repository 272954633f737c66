"""From a checkpoint to a report in one go: the notebooks, one after another, each on the files of the one before."""

from helpers.notebook.pipeline.steps import Beginning, PipelineRequest, PipelineStep, run_pipeline

__all__ = ["Beginning", "PipelineRequest", "PipelineStep", "run_pipeline"]
