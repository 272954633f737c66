"""Pictures in a row as a file that plays: MP4 with H.264, and GIF."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from helpers.errors import UsageProblem

# 4:2:0 is what browsers play; the index in front lets them begin before the end is there. One thread gives the same
# bytes each time.
_CONTAINER = {"movflags": "+faststart", "fflags": "+bitexact"}
_ENCODER = {"crf": "18", "preset": "medium", "threads": "1"}
_GIF_WIDTH = 960


def check_rate(rate: float) -> None:
    """Raise UsageProblem for a rate, frames a second, that no film has."""
    if not 0.5 <= rate <= 60:
        raise UsageProblem(f"rate: expected 0.5 to 60 frames a second, got {rate}")


def write_mp4(path: Path, pictures: Iterable[np.ndarray], rate: float) -> int:
    """Write pictures as H.264, one after the other; returns how many.

    Args:
        pictures: uint8 (H, W, 3) of one size, H and W even.
        rate: frames a second.
    """
    count = 0
    with av.open(str(path), "w", format="mp4", container_options=_CONTAINER) as container:
        stream = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1000), options=_ENCODER)
        stream.pix_fmt = "yuv420p"
        for count, picture in enumerate(pictures, start=1):
            if count == 1:
                stream.height, stream.width = picture.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode(None))
    return count


def gif_frame(picture: np.ndarray) -> Image.Image:
    """A picture, uint8 (H, W, 3), as a GIF holds it: at most 960 pixels wide, 256 colours."""
    image = Image.fromarray(picture)
    image.thumbnail((_GIF_WIDTH, image.height))
    return image.quantize(256, dither=Image.Dither.NONE)


def write_gif(path: Path, frames: Sequence[Image.Image], rate: float) -> None:
    """Write a GIF that repeats.

    Args:
        frames: as `gif_frame` makes them, at least one.
        rate: frames a second; a GIF counts in hundredths of a second.
    """
    duration = max(2, round(100 / rate)) * 10
    frames[0].save(path, "GIF", save_all=True, append_images=frames[1:], duration=duration, loop=0)
