"""Status of the prediction of one case and prompt."""

from collections.abc import Iterable
from enum import StrEnum

from helpers.data.frames.frame import MOST_VESSEL


class PredictionStatus(StrEnum):
    """One status for each case and prompt; where several apply, the one named first in this list is kept."""

    READ_ERROR = "read_error"  # the image file was refused
    BAD_SIZE = "bad_size"  # the frame has no pixels, or too many
    OOM = "oom"  # the memory did not suffice, even for this frame alone
    ERROR = "error"  # the model failed on it
    NAN_LOGITS = "nan_logits"  # the logits hold NaN or infinity
    TRUNCATED = "truncated"  # the answer reached the token limit before its end
    NO_SEG = "no_seg"  # the answer holds no [SEG], so there is no mask
    EMPTY_MASK = "empty_mask"  # a mask was predicted, and no pixel is in it
    FULL_MASK = "full_mask"  # more than MOST_VESSEL of the frame is in the mask
    SEVERAL_SEG = "several_seg"  # several [SEG]; the run's rule makes one mask of them
    OK = "ok"


# No answer of the model: its mask counts as empty, and a look at the file or the machine may help.
FAILURES = (
    PredictionStatus.READ_ERROR,
    PredictionStatus.BAD_SIZE,
    PredictionStatus.OOM,
    PredictionStatus.ERROR,
)

# With these no mask came of the case, whatever the model and its prompt are good for.
NO_ANSWER = frozenset((*FAILURES, PredictionStatus.NAN_LOGITS))


def all_failed(statuses: Iterable[PredictionStatus]) -> bool:
    """Whether there are cases, and every one ended in an error: then nothing was predicted."""
    each = list(statuses)
    return bool(each) and all(status in NO_ANSWER for status in each)


def status_of(*, finite: bool, truncated: bool, seg_count: int, mask_fraction: float | None) -> PredictionStatus:
    """The status of a frame that was read and for which the model answered.

    Args:
        finite: whether all logits are finite.
        truncated: whether the answer was cut at the token limit.
        seg_count: number of predicted maps.
        mask_fraction: share of the frame inside the combined mask, 0 .. 1; None without a mask.
    """
    if not finite:
        return PredictionStatus.NAN_LOGITS
    if truncated:
        return PredictionStatus.TRUNCATED
    if seg_count == 0 or mask_fraction is None:
        return PredictionStatus.NO_SEG
    if mask_fraction == 0:
        return PredictionStatus.EMPTY_MASK
    if mask_fraction > MOST_VESSEL:
        return PredictionStatus.FULL_MASK
    return PredictionStatus.SEVERAL_SEG if seg_count > 1 else PredictionStatus.OK
