"""vesselkit: convert, run, score and review Sa2VA vessel segmentation models."""

from helpers.core import old_names

__version__ = "0.2.0"

old_names.install()
