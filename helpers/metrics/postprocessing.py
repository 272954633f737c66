"""Post-processing of a finished mask, off by default, to be compared with the mask as it is."""

from dataclasses import asdict, dataclass

import numpy as np
from scipy.ndimage import binary_closing, label
from skimage.morphology import disk

from helpers.core.errors import UsageProblem
from helpers.metrics.masks import EIGHT_NEIGHBOURS, as_mask


@dataclass(frozen=True)
class Processing:
    """Steps on a mask, in this order; 0 leaves a step out.

    Attributes:
        close_gaps: radius r in pixels of the disk that closes gaps: those of a vessel w pixels wide up to a length of
            about sqrt(4rw - w^2), by a bridge that is thinner than the vessel. Lines of one pixel are not bridged.
        remove_small: components of fewer pixels go, neighbours over corners being of one component.
    """

    close_gaps: int = 0
    remove_small: int = 0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value < 0:
                raise UsageProblem(f"{name}: expected 0 or more pixels, got {value}")

    @property
    def active(self) -> bool:
        return self != Processing()

    def apply(self, mask: np.ndarray) -> np.ndarray:
        """The processed mask, bool, of a mask (H, W). Raises RefusedInput as `as_mask`."""
        return without_small(closed(mask, self.close_gaps), self.remove_small)


def closed(mask: np.ndarray, radius: int) -> np.ndarray:
    """Close gaps of a mask (H, W) by a disk, bool; no pixel of it is lost, at the border neither.

    Raises RefusedInput as `as_mask`.
    """
    mask = as_mask("mask", mask)
    if radius == 0:
        return mask
    wider = np.pad(mask, radius)
    filled: np.ndarray = binary_closing(wider, disk(radius))[radius:-radius, radius:-radius] | mask
    return filled


def without_small(mask: np.ndarray, fewest: int) -> np.ndarray:
    """A mask (H, W) without its components of fewer than `fewest` pixels, bool. Raises RefusedInput as `as_mask`."""
    components, _ = label(as_mask("mask", mask), EIGHT_NEIGHBOURS)
    kept = np.bincount(components.ravel()) >= fewest
    kept[0] = False
    return np.asarray(kept[components])
