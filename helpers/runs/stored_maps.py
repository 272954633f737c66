"""Logits and masks as a run stores them, and the rules from one to the other.

Logits lie on the predictor's own grid in float16; one rule makes them frame-sized, one makes a mask of them.
"""

import io
import math
import zlib
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

import numpy as np
from PIL import Image

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.vocabulary import Combine

_FLOAT16_LIMIT = float(np.finfo(np.float16).max)

# Of zlib. More takes three times as long on logits of bfloat16 and saves nothing.
_COMPRESSION = 1

_SPREAD_STEPS = 510  # grey values a unit: probabilities spread by at most a half


class Upsampling(StrEnum):
    """How stored logits become maps of the frame's size."""

    SAM2_TWO_STEP = "sam2_two_step"  # bilinear to the square network input, then bilinear to the frame
    NONE = "none"  # the maps have the frame's size


@dataclass(frozen=True)
class StoredLogits:
    """The maps of one case and prompt.

    Attributes:
        logits: float16 (n, h, w), finite, one map for each `[SEG]`.
        upsampling: how they become maps of the frame's size.
        network_size: side of the square between the two steps of SAM2_TWO_STEP, in pixels; None for NONE.
        width, height: of the frame, in pixels.
    """

    logits: np.ndarray = field(repr=False)
    upsampling: Upsampling
    network_size: int | None
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.logits.ndim != 3 or self.logits.dtype != np.float16:
            raise ValueError(f"logits: expected float16 (n, h, w), got {self.logits.dtype} {self.logits.shape}")
        if self.upsampling is Upsampling.NONE and self.logits.shape[1:] != (self.height, self.width):
            raise ValueError(f"logits: expected maps of {(self.height, self.width)}, got {self.logits.shape[1:]}")
        if not np.isfinite(self.logits).all():
            raise ValueError("logits: expected finite values, got NaN or infinity")
        if (self.network_size is None) is not (self.upsampling is Upsampling.NONE):
            raise ValueError(f"network_size: does not fit the rule {self.upsampling}, got {self.network_size}")

    def full_size(self) -> np.ndarray:
        """Maps of the frame's size, float32 (n, H, W); on the CPU, so that they do not depend on the GPU at hand."""
        values = self.logits.astype(np.float32)
        if self.upsampling is Upsampling.NONE:
            return values
        import torch  # here, since a run is opened without it

        from helpers.model.processing_sa2va import upsample_logits

        network = self.network_size or 0  # there is one, by the check above
        maps: np.ndarray = upsample_logits(torch.from_numpy(values), network, self.height, self.width).numpy()
        return maps


def round_for_storage(logits: np.ndarray) -> np.ndarray:
    """Logits of any shape as float16, limited to its range. Raises ValueError for NaN or infinity."""
    if not np.isfinite(logits).all():
        raise ValueError("logits: expected finite values to store, got NaN or infinity")
    return np.asarray(np.clip(logits, -_FLOAT16_LIMIT, _FLOAT16_LIMIT), np.float16)


def npz_bytes(stored: StoredLogits) -> bytes:
    """The .npz file: `logits`, `upsampling`, `network_size` (0: none), `size` (H, W). Equal maps give equal bytes."""
    arrays = {
        "logits": stored.logits,
        "upsampling": np.array(stored.upsampling.value),
        "network_size": np.array(stored.network_size or 0, np.int64),
        "size": np.array([stored.height, stored.width], np.int64),
    }
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:  # as `numpy.savez_compressed` makes it, but for the level of compression
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, array)
            archive.writestr(ZipInfo(f"{name}.npy"), content.getvalue(), ZIP_DEFLATED, _COMPRESSION)
    return buffer.getvalue()


def read_npz(path: Path, content: bytes | None = None) -> StoredLogits:
    """The maps of a stored file. Raises RefusedInput for a file that is damaged or of another form.

    Args:
        content: of the file, where it was read already.
    """
    try:
        with np.load(path if content is None else io.BytesIO(content), allow_pickle=False) as archive:
            height, width = (int(value) for value in archive["size"])
            return StoredLogits(
                archive["logits"],
                Upsampling(str(archive["upsampling"])),
                int(archive["network_size"]) or None,
                width,
                height,
            )
    except (BadZipFile, EOFError, KeyError, OSError, TypeError, ValueError, zlib.error) as error:
        raise RefusedInput(
            f"{path}: expected logits as docs/run-format.md has them, found {error}. Predict the case again"
        ) from error


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


def spread_bytes(spread: np.ndarray) -> bytes:
    """A map of spread, float (H, W), 0 .. 0.5, as an 8-bit grey PNG of 0 .. 255 without metadata."""
    buffer = io.BytesIO()
    Image.fromarray(np.round(np.asarray(spread, np.float64) * _SPREAD_STEPS).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def read_spread(path: Path, content: bytes) -> np.ndarray:
    """A stored map of spread, float32 (H, W), 0 .. 0.5. Raises RefusedInput for a damaged file."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            return np.asarray(image.convert("L"), np.float32) / np.float32(_SPREAD_STEPS)
    except (OSError, SyntaxError, ValueError) as error:
        raise RefusedInput(f"{path}: expected a map as PNG, found {error}. Predict the case again") from error


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
