"""Figures as files: PNG and SVG with the same bytes for the same figure, and nothing in them but the picture."""

import io
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from helpers.core.atomic import write_bytes_atomic
from helpers.review.figures.figure_watermark import stamped
from helpers.review.figures.panels import png_bytes

# Ids inside an SVG are drawn from this; matplotlib takes random ones otherwise.
_SALT = "vesselkit"


def svg_bytes(figure: Figure) -> bytes:
    """The figure as an SVG of paths alone: no software, time, path or font of this machine is named."""
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": _SALT, "svg.fonttype": "path"}):
        stamped(figure).savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def save_figure(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write `<name>.png` and `<name>.svg` into a folder, made where missing, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = (folder / f"{name}.png", folder / f"{name}.svg")
    for path, content in zip(paths, (png_bytes(figure), svg_bytes(figure)), strict=True):
        write_bytes_atomic(path, content)
    return paths
