"""Masks over a frame: translucent, as contours, and hatched where pixels are not scored. Arrays in, arrays out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_dilation

from helpers.review.figures.sheet_layout import MaskStyle

Colour = tuple[float, float, float]
Layer = tuple[np.ndarray, Colour]

OPACITY = 0.55  # of a fill: the vessel under it is still to be seen
_STRIPE = 3  # pixels


@dataclass(frozen=True)
class Palette:
    """Colours as RGB in 0 .. 1. `missed` is truth without prediction, `false` prediction without truth."""

    truth: Colour = (1.0, 0.0, 0.0)
    prediction: Colour = (0.0, 0.85, 0.0)
    missed: Colour = (0.84, 0.37, 0.0)
    false: Colour = (0.34, 0.71, 0.91)
    both: Colour = (0.94, 0.89, 0.26)
    unscored: Colour = (0.62, 0.62, 0.62)
    corrected: Colour = (0.65, 0.45, 1.0)


# Vermilion, sky blue and yellow of Okabe and Ito stay apart in all common forms of colour blindness; red and green,
# alone in their own panels, need not be told apart.
COLOUR_BLIND_SAFE = Palette()
RED_GREEN = Palette(missed=(1.0, 0.0, 0.0), false=(0.0, 0.85, 0.0), both=(1.0, 1.0, 0.0))


def tint(frame: np.ndarray, layers: Sequence[Layer], opacity: float = OPACITY) -> np.ndarray:
    """Blend colours into `frame`, float32 (H, W, 3) in 0 .. 1, wherever the layers' bool masks (H, W) are true."""
    tinted = frame.copy()
    for mask, colour in layers:
        tinted[mask] = (1.0 - opacity) * frame[mask] + opacity * np.asarray(colour, np.float32)
    return tinted


def contour(mask: np.ndarray, width: int = 1) -> np.ndarray:
    """The line around `mask`, bool (H, W), `width` pixels wide.

    It lies beside the mask, since a line on the mask's own pixels would hide a thin vessel whole. At the frame's edge
    there is nothing beside it: there the line is on the mask, so that one of all pixels can be told from an empty one.
    """
    edge = np.ones_like(mask)
    edge[width:-width, width:-width] = False
    return (binary_dilation(mask, iterations=width) & ~mask) | (mask & edge)


def hatch(mask: np.ndarray, width: int = _STRIPE) -> np.ndarray:
    """Those pixels of `mask`, bool (H, W), that lie on slanted stripes `width` pixels wide and as far apart."""
    rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
    return mask & ((rows + columns) // width % 2 == 0)


def draw_mask(
    frame: np.ndarray, mask: np.ndarray, colour: Colour, style: MaskStyle, opacity: float = OPACITY, line: int = 1
) -> np.ndarray:
    """The frame, float32 (H, W, 3), with one mask, bool (H, W), in one colour.

    Args:
        line: width of a contour in pixels.
    """
    if style is MaskStyle.CONTOUR:
        return tint(frame, [(contour(mask, line), colour)], 1.0)
    return tint(frame, [(mask, colour)], opacity)


def draw_unscored(frame: np.ndarray, ignored: np.ndarray | None, line: int = 1) -> np.ndarray:
    """The frame, float32 (H, W, 3), hatched in grey where `ignored`, bool (H, W), is true; itself for None."""
    if ignored is None:
        return frame
    return tint(frame, [(hatch(ignored, _STRIPE * line), COLOUR_BLIND_SAFE.unscored)], 1.0)


def draw_agreement(
    frame: np.ndarray,
    truth: np.ndarray,
    predicted: np.ndarray,
    ignored: np.ndarray | None = None,
    opacity: float = OPACITY,
    line: int = 1,
) -> np.ndarray:
    """The frame, float32 (H, W, 3), filled where a mask is missed, false or found; hatched where nothing is scored.

    Args:
        truth, predicted: bool (H, W).
        ignored: pixels that are not scored, bool (H, W): neither missed nor false; None for none.
        line: width of a line in pixels, which the hatching goes by.
    """
    scored = np.True_ if ignored is None else ~ignored
    layers = [
        (truth & ~predicted & scored, COLOUR_BLIND_SAFE.missed),
        (predicted & ~truth & scored, COLOUR_BLIND_SAFE.false),
        (truth & predicted & scored, COLOUR_BLIND_SAFE.both),
    ]
    return draw_unscored(tint(frame, layers, opacity), ignored, line)
