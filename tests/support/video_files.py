"""Videos for tests: flat grey frames, so that a frame's value tells its position."""

from pathlib import Path

import av
import numpy as np


def write_video(path: Path, frames: np.ndarray, codec: str = "ffv1", pixels: str = "gray", **options: str) -> Path:
    """Encode `frames` (n, H, W) uint8 grey, or (n, H, W, 3) RGB; `ffv1` with `gray` or `bgr0` loses nothing.

    `options` are those of the encoder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixels
        stream.options = options
        for values in frames:
            frame = av.VideoFrame.from_ndarray(values, format="gray" if values.ndim == 2 else "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def steps(count: int, height: int = 32, width: int = 48) -> np.ndarray:
    """`count` flat frames, uint8 (count, height, width), of the values 0, 5, 10 and so on."""
    return np.zeros((count, height, width), np.uint8) + (5 * np.arange(count, dtype=np.uint8))[:, None, None]
