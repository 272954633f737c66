"""Logits in 8 bits for the browser, and the arithmetic by which both sides turn them into maps of the frame's size.

`viewer/arithmetic.js` does what `CodedMap.full_size` does, operation by operation in float32, so that the masks are the
same in every pixel. docs/review.md describes the form.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from helpers.core.vocabulary import Combine
from helpers.runs.stored_maps import StoredLogits, Upsampling, combined_map, threshold_logit

# For maps that are not resampled only their place between thresholds counts: these are all that the slider can set.
SLIDER_STEP = 0.005
_CUTS = np.array([threshold_logit(number * SLIDER_STEP) for number in range(1, 200)], np.float32)
_BETWEEN = np.array([threshold_logit((number + 0.5) * SLIDER_STEP) for number in range(200)], np.float32)


@dataclass(frozen=True)
class CodedMap:
    """Maps of one case, each pixel a number into a table of logits.

    Attributes:
        codes: uint8 (n, h, w); of the frame's size the largest of n counts.
        levels: float32 (k,), in ascending order, k at most 256.
        network_size: side of the square that the maps are brought to first, in pixels; None where they have the
            frame's size already.
        width, height: of the frame in pixels.
    """

    codes: np.ndarray = field(repr=False)
    levels: np.ndarray = field(repr=False)
    network_size: int | None
    width: int
    height: int

    def full_size(self) -> np.ndarray:
        """The one map that thresholds are applied to, float32 (H, W)."""
        maps = [self._resized(self.levels[codes]) for codes in self.codes]
        return np.maximum.reduce(maps)

    def mask(self, threshold: float) -> np.ndarray:
        """The mask at a threshold of 0 .. 1, both excluded, bool (H, W)."""
        return self.full_size() > np.float32(threshold_logit(threshold))

    def _resized(self, values: np.ndarray) -> np.ndarray:
        if self.network_size is None:
            return values
        return resized(resized(values, self.network_size, self.network_size), self.height, self.width)


def coded_map(stored: StoredLogits, combine: Combine, predicted_iou: Sequence[float | None]) -> CodedMap | None:
    """Stored logits in 8 bits; None where there are no maps.

    Maps on the model's grid get 256 levels that lie close together around the logit 0 and wider apart away from it
    (evenly in the inverse hyperbolic sine), since a threshold's outline moves by the error relative to the slope. Maps
    of the frame's size get the interval of `SLIDER_STEP` that their probability lies in, so that the mask of every
    threshold that is a multiple of it is exact.

    Args:
        predicted_iou: of each map; None where unknown.
    """
    if len(stored.logits) == 0:
        return None
    maps = stored.logits.astype(np.float32)
    iou = np.array([np.nan if value is None else value for value in predicted_iou], float)
    resampled = stored.upsampling is Upsampling.SAM2_TWO_STEP
    if combine is not Combine.UNION or not resampled:
        maps = combined_map(maps, combine, iou)[None]
    if not resampled:
        codes = np.searchsorted(_CUTS, maps).astype(np.uint8)
        return CodedMap(codes, _BETWEEN, None, stored.width, stored.height)
    bent = np.arcsinh(maps.astype(np.float64))
    low, high = bent.min(), bent.max()
    step = (high - low) / 255
    levels = np.sinh(low + step * np.arange(256)).astype(np.float32)
    codes = np.round((bent - low) / (step or 1.0)).astype(np.uint8)
    return CodedMap(codes, levels, stored.network_size, stored.width, stored.height)


def resized(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear resampling without aligned corners, float32 (h, w) to (height, width): columns first, then rows."""
    first, second, near, far = _taps(values.shape[1], width)
    wide = near * values[:, first] + far * values[:, second]
    first, second, near, far = _taps(values.shape[0], height)
    return near[:, None] * wide[first] + far[:, None] * wide[second]


def _taps(size: int, wanted: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """For each of `wanted` pixels the two neighbours among `size`, and their weights in float32."""
    place = np.maximum((np.arange(wanted) + 0.5) * (size / wanted) - 0.5, 0.0)
    first = np.minimum(np.floor(place).astype(np.int64), size - 1)
    far = (place - first).astype(np.float32)
    return first, np.minimum(first + 1, size - 1), np.float32(1) - far, far
