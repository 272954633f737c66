"""From masks to polygons that draw the same masks again."""

import numpy as np
from skimage.measure import find_contours, label


def polygons(mask: np.ndarray) -> list[list[float]]:
    """One polygon for each connected part of a mask, bool (H, W).

    Returns:
        Lists x0, y0, x1, y1, ... in pixels, drawn again as `helpers.data.rasterise` does. A hole is joined to its
        outline by a slit without width, since the even-odd rule then leaves it open.
    """
    parts = label(mask, connectivity=1)
    return [_outline(np.pad(parts == number, 1)) for number in range(1, parts.max() + 1)]


def _outline(padded: np.ndarray) -> list[float]:
    # Contours run half a pixel from the centres of the pixels, of which those of the padded part begin at -1.
    rings = sorted(find_contours(padded.astype(float), 0.5), key=len, reverse=True)
    anchor = rings[0][:1]
    points = np.concatenate([np.concatenate([ring, anchor]) for ring in rings])
    return (points[:, ::-1] - 0.5).ravel().tolist()
