"""Masks from full-size logits: the threshold, several `[SEG]` in one mask, and mask files."""

import io
import math
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.vocabulary import Combine


def threshold_logit(threshold: float) -> float:
    """The logit of a probability. Raises UsageProblem where `threshold` is not inside 0 .. 1."""
    if not 0.0 < threshold < 1.0:
        raise UsageProblem(f"threshold: expected a probability between 0 and 1, both excluded, got {threshold}")
    return math.log(threshold / (1.0 - threshold))


def combined_map(full: np.ndarray, combine: Combine, predicted_iou: np.ndarray | None = None) -> np.ndarray:
    """The one map, float32 (H, W), that any threshold turns into the combined mask.

    Args:
        full: float32 (n, H, W), n at least 1.
        predicted_iou: (n,), NaN or infinite where unknown; None where all are.
    """
    if combine is Combine.UNION:
        combined: np.ndarray = full.max(axis=0)
    elif combine is Combine.FIRST or predicted_iou is None:
        combined = full[0]
    else:
        combined = full[int(np.argmax(np.where(np.isfinite(predicted_iou), predicted_iou, -np.inf)))]
    return combined


def combined_mask(
    full: np.ndarray, threshold: float, combine: Combine, predicted_iou: np.ndarray | None = None
) -> np.ndarray:
    """The mask, bool (H, W), of `combined_map` above the threshold's logit, compared in float32."""
    return combined_map(full, combine, predicted_iou) > np.float32(threshold_logit(threshold))


def png_bytes(mask: np.ndarray) -> bytes:
    """A mask, bool (H, W), as an 8-bit grey PNG of 0 and 255 without metadata."""
    buffer = io.BytesIO()
    # A mask is runs: looking for these alone takes half to a fifth of the time, and the file is no larger.
    Image.fromarray(mask.astype(np.uint8) * 255).save(buffer, "PNG", compress_type=zlib.Z_RLE)
    return buffer.getvalue()


def read_png(path: Path, content: bytes | None = None) -> np.ndarray:
    """A stored mask, bool (H, W). Raises RefusedInput for a damaged file.

    Args:
        content: of the file, where it was read already.
    """
    try:
        with Image.open(path if content is None else io.BytesIO(content)) as image:
            return np.asarray(image.convert("L")) > 0
    except (OSError, SyntaxError, ValueError) as error:
        raise RefusedInput(f"{path}: expected a mask as PNG, found {error}. Predict the case again") from error
