"""Frames beside their predicted masks and where the model was unsure of them; no ground truth."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.figure import Figure

from helpers.review.figures.figure_file import stamped
from helpers.review.figures.mask_drawing import contour

_SIDE = 3.0  # inches of a panel
_GREEN = (0.0, 0.62, 0.45)


@dataclass(frozen=True)
class DoubtRow:
    """One case.

    Attributes:
        frame: uint8 (H, W), grey.
        mask: bool (H, W), predicted.
        doubt: float (H, W), 0 .. 1.
    """

    case_id: str
    frame: np.ndarray = field(repr=False)
    mask: np.ndarray = field(repr=False)
    doubt: np.ndarray = field(repr=False)


def doubt_figure(rows: Sequence[DoubtRow], what: str, *, notice: str, stamp: str | None = None) -> Figure:
    """Original | Prediction, green | map of doubt, one row for each case; the notice alone without a case.

    Args:
        what: the maps are, such as `spread of the ensemble`.
        stamp: that the run carries, see `helpers.core.watermark`.
    """
    if not rows:
        figure = Figure(figsize=(6.0, 1.0))
        figure.text(0.5, 0.5, notice, ha="center", va="center")
        return figure
    figure = Figure(figsize=(3 * _SIDE, (_SIDE + 0.3) * len(rows) + 0.4), layout="constrained")
    axes = figure.subplots(len(rows), 3, squeeze=False)
    for (original, predicted, doubted), row in zip(axes, rows, strict=True):
        for axis in (original, predicted):
            axis.imshow(row.frame, cmap="gray", vmin=0, vmax=255)
        drawn = np.zeros((*row.mask.shape, 4), np.float32)
        drawn[contour(row.mask)] = (*_GREEN, 1.0)
        predicted.imshow(drawn)
        shown = doubted.imshow(row.doubt, cmap="magma", vmin=0, vmax=1)
        original.set_ylabel(row.case_id, parse_math=False)
        for axis in (original, predicted, doubted):
            axis.set(xticks=[], yticks=[])
    for axis, title in zip(axes[0], ("Original", "Prediction", "Where it was unsure"), strict=True):
        axis.set_title(title)
    figure.colorbar(shown, ax=axes[:, 2], label=f"{what}, 1 is the most there is", location="right", shrink=0.8)
    return stamped(figure, stamp)
