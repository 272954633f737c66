"""Logits as a run stores them."""

from enum import StrEnum


class Upsampling(StrEnum):
    """How stored logits become maps of the frame's size."""

    SAM2_TWO_STEP = "sam2_two_step"  # bilinear to the square network input, then bilinear to the frame
    NONE = "none"  # the maps have the frame's size
