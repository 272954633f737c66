"""The layouts that synthetic data sets are written in."""

from enum import StrEnum


class SynthLayout(StrEnum):
    """Layouts that can be written."""

    PAIRED = "paired"
    SA2VA = "sa2va"
    COCO = "coco"
    LABELME = "labelme"
