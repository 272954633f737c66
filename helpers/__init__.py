"""vesselkit: convert, run, score and review Sa2VA vessel segmentation models."""

__version__ = "0.1.0"
