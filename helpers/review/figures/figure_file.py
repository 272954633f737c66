"""Figures as files: PNG and SVG with the same bytes for the same figure, and nothing in them but picture and stamp."""

import io
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from helpers.core.atomic import write_bytes_atomic
from helpers.core.watermark import stamp_text

# Ids inside an SVG are drawn from this; matplotlib takes random ones otherwise.
_SALT = "vesselkit"

_MARK = "vesselkit-stamp"
_LEAST_POINTS, _POINTS_AN_INCH = 8.0, 0.65


def png_bytes(figure: Figure) -> bytes:
    """The figure as a PNG that holds pixels alone: no software, time or path. Also what a notebook can display."""
    buffer = io.BytesIO()
    stamped(figure).savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


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


def stamped(figure: Figure, *carried: str | None) -> Figure:
    """The figure, with the stamp in its lower right corner where there is one. Stamping twice stamps once.

    Args:
        carried: as for `helpers.core.watermark.stamp_text`.
    """
    text = stamp_text(*carried)
    if text and all(one.get_gid() != _MARK for one in figure.texts):
        size = max(_LEAST_POINTS, _POINTS_AN_INCH * figure.get_figwidth())  # wide pictures are shown smaller
        figure.text(
            0.995, 0.004, text, ha="right", va="bottom", fontsize=size, color="0.35", parse_math=False, gid=_MARK
        )
    return figure
