"""Layout of a sheet of pictures: scale, style, and the places of panels and words in pixels."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from helpers.core.errors import UsageProblem

DPI = 100  # dots per inch at which a pixel of the layout is one of the picture
_LEAST_DPI, _MOST_DPI = 10, 1200
_LEAST_SIDE = 256  # pixels of a panel's longer side; smaller frames are multiplied
_SIDE_OF_A_LINE = 340  # pixels of a panel for each of a line
_LEAST_WIDTH = 1000  # pixels of a sheet, so that its words fit
_FONTS = 76  # a sheet's width in font sizes: words can still be read where a page shrinks the sheet to 1000 pixels
_COLUMNS = 4

Size = tuple[int, int]  # width, height


class MaskStyle(StrEnum):
    """How the masks of the panels with one mask are drawn. Overlays are filled: their areas tell errors apart."""

    CONTOUR = "contour"
    FILL = "fill"


def check_dpi(dpi: float) -> None:
    """Raise UsageProblem for a scale that no picture has."""
    if not _LEAST_DPI <= dpi <= _MOST_DPI:
        raise UsageProblem(f"dpi: expected {_LEAST_DPI} to {_MOST_DPI}, got {dpi:g}")


def panel_factor(size: Size) -> int:
    """How many pixels of a panel, either way, a pixel of a frame of that size is."""
    return math.ceil(_LEAST_SIDE / max(size))


def panel_size(size: Size) -> Size:
    """Width and height of the panel of a frame of that size: the same, or a whole multiple for a small one."""
    factor = panel_factor(size)
    return size[0] * factor, size[1] * factor


def line_width(size: Size) -> int:
    """Width in pixels of lines over the panel of a frame of that size; they stay visible where a page shrinks it."""
    return max(1, round(max(panel_size(size)) / _SIDE_OF_A_LINE))


@dataclass(frozen=True)
class SheetLayout:
    """A sheet with a row of panels for each frame: above it two lines of words, above all a heading, below a legend.

    Attributes:
        width: of the sheet.
        heights: of the heading, of each row, and of the legend.
        gap: between panels, and between rows.
        line: height of a line of words.
        points: font size of most words.
        heading: its lines.
    """

    width: int
    heights: tuple[int, ...]
    gap: int
    line: int
    points: float
    heading: tuple[str, ...]

    @classmethod
    def of(cls, frames: Sequence[Size], heading: str | None = None) -> "SheetLayout":
        """The layout for frames of these sizes; the widest row decides on the sheet, and that on the size of words."""
        panels = [panel_size(size) for size in frames]
        widest = _COLUMNS * max(width for width, _ in panels)
        gap = max(4, widest // 200)
        width = max(_LEAST_WIDTH, widest + (_COLUMNS + 1) * gap)
        font = width / _FONTS
        line = round(1.7 * font)
        lines = tuple(textwrap.wrap(heading, round(1.5 * _FONTS))) if heading else ()
        rows = [2 * line + height + 2 * gap for _, height in panels]
        heights = (len(lines) * line + line // 4, *rows, round(1.2 * line))
        return cls(width, heights, gap, line, font * 72 / DPI, lines)

    @property
    def height(self) -> int:
        """Of the sheet."""
        return sum(self.heights)
