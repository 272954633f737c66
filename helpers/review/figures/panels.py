"""The 4-panel picture of a case: Original | Ground truth | Prediction | Overlay.

A panel has the frame's own pixels: at 100 dots per inch one of the picture for each of the frame, and for small frames
a whole number of them. Figures are built without pyplot: they need no display, and leave no state behind.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import Patch
from PIL import Image

from helpers.core.errors import UsageProblem
from helpers.data.cases import Truth, ignored_of
from helpers.review.figures.figure_file import png_bytes, stamped
from helpers.review.figures.mask_drawing import COLOUR_BLIND_SAFE, OPACITY, draw_agreement, draw_mask, draw_unscored
from helpers.review.figures.sheet_layout import (
    DPI,
    MaskStyle,
    SheetLayout,
    check_dpi,
    line_width,
    panel_factor,
    panel_size,
)

_MOST_PIXELS = 80_000_000
_TITLES = ("Original", "Ground truth", "Prediction", "Overlay")


@dataclass(frozen=True)
class GroundTruth:
    """An annotated mask, bool (H, W), and the pixels of it that are not scored, bool (H, W); None for none."""

    mask: np.ndarray = field(repr=False)
    ignored: np.ndarray | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check_mask("ground truth", self.mask)
        if self.ignored is not None:
            _check_mask("ignored pixels", self.ignored)
            if self.ignored.shape != self.mask.shape:
                raise TypeError(f"ignored pixels: expected shape {self.mask.shape}, got {self.ignored.shape}")

    @classmethod
    def of(cls, truth: Truth, width: int, height: int) -> "GroundTruth":
        """The truth of a frame of that size. Raises RefusedInput as `Truth.mask`."""
        return cls(truth.mask(width, height), ignored_of(truth, width, height))


@dataclass(frozen=True)
class PredictedMask:
    """A mask from a model, bool (H, W)."""

    mask: np.ndarray = field(repr=False)

    def __post_init__(self) -> None:
        _check_mask("prediction", self.mask)


@dataclass(frozen=True)
class PanelCase:
    """What one row of panels shows.

    Attributes:
        image: the frame, any mode that Pillow turns into RGB.
        truth, prediction: of the image's size; None leaves the panel empty, and labelled so.
        status: how the prediction ended, for instance 'ok' or 'no_seg'.
        scores: name -> value, shown in the title with three decimals; None for a value shows as 'n/a'.
        note: what the scores are not to be read without, such as 'TRAINING patient'; empty for nothing.
    """

    image: Image.Image = field(repr=False)
    truth: GroundTruth | None
    prediction: PredictedMask | None
    case_id: str
    status: str
    scores: Mapping[str, float | None] = field(default_factory=dict)
    note: str = ""

    def __post_init__(self) -> None:
        for name, value, kind in (("truth", self.truth, GroundTruth), ("prediction", self.prediction, PredictedMask)):
            if value is None:
                continue
            if not isinstance(value, kind):
                raise TypeError(f"{name}: expected {kind.__name__} or None, got {type(value).__name__}")
            if value.mask.shape != (self.image.height, self.image.width):
                expected = f"({self.image.height}, {self.image.width})"
                raise UsageProblem(
                    f"{self.case_id}: {name} mask has shape {value.mask.shape}, the image {expected}. "
                    "Use the mask of the same frame; masks are not resized here"
                )

    @property
    def title(self) -> str:
        """Case id, status, scores and what they are not to be read without, on one line."""
        scores = [f"{name} {'n/a' if value is None else f'{value:.3f}'}" for name, value in self.scores.items()]
        parts = [self.case_id, self.status, *scores, *filter(None, [self.note])]
        # Two empty masks are alike without having anything to do with each other.
        if self.truth is not None and self.prediction is not None:
            scored = True if self.truth.ignored is None else ~self.truth.ignored
            truth, predicted = self.truth.mask & scored, self.prediction.mask & scored
            if truth.any() and np.array_equal(truth, predicted):
                parts.append("prediction IDENTICAL to ground truth: check its origin")
        return "  |  ".join(parts)


def four_panel(
    image: Image.Image,
    truth: GroundTruth | None,
    prediction: PredictedMask | None,
    *,
    case_id: str,
    status: str,
    scores: Mapping[str, float | None] | None = None,
    opacity: float = OPACITY,
    style: MaskStyle = MaskStyle.CONTOUR,
    dpi: float = DPI,
) -> Figure:
    """Original | Ground truth | Prediction | Overlay of one case, with title and legend.

    Raises TypeError where a prediction is given as truth or the reverse, UsageProblem where sizes differ.
    """
    case = PanelCase(image, truth, prediction, case_id, status, scores or {})
    return contact_sheet([case], opacity=opacity, style=style, dpi=dpi)


def contact_sheet(
    cases: Sequence[PanelCase],
    *,
    heading: str | None = None,
    opacity: float = OPACITY,
    stamp: str | None = None,
    style: MaskStyle = MaskStyle.CONTOUR,
    dpi: float = DPI,
) -> Figure:
    """One row of four panels for each case, one legend for all.

    Args:
        opacity: of the colours over the frame, 0 .. 1.
        stamp: that the run carries, see `helpers.core.watermark`.
        style: of the masks in their own panels.
        dpi: scale of the picture: at 100 a pixel of the frame is one of the picture, at 200 two by two; its size in
            inches stays. A sheet of more than 80 million pixels is drawn smaller, and says so.
    Raises:
        UsageProblem: without a case, and for an `opacity` or a `dpi` out of range.
    """
    if not cases:
        raise UsageProblem("contact sheet: expected at least one case, got none")
    if not 0.0 <= opacity <= 1.0:
        raise UsageProblem(f"opacity: expected 0 to 1, got {opacity}")
    check_dpi(dpi)
    layout = SheetLayout.of([case.image.size for case in cases], heading)
    shrunk = math.ceil(math.sqrt(layout.width * layout.height * (dpi / DPI) ** 2 / _MOST_PIXELS))
    figure = Figure(figsize=(layout.width / DPI, layout.height / DPI), dpi=dpi / shrunk)
    if heading:
        top = 1 - layout.line / 4 / layout.height
        figure.suptitle("\n".join(layout.heading), y=top, fontsize=layout.points * 1.1, parse_math=False)
    grid = figure.add_gridspec(
        len(layout.heights), left=0, right=1, top=1, bottom=0, hspace=0, height_ratios=layout.heights
    )
    drawing = _Drawing(layout, style, opacity, is_exact=dpi / shrunk % DPI == 0)
    for place, case in enumerate(cases, start=1):
        drawing.draw_row(figure.add_subfigure(grid[place]), case, layout.heights[place])
    _draw_legend(figure, layout, cases, shrunk)
    return stamped(figure, stamp)


def save_panel(figure: Figure, path: Path) -> Path:
    """Write the figure as `path`, a PNG without metadata; its folder must exist.

    Raises UsageProblem for another suffix than .png.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise UsageProblem(f"{path.name}: expected a name that ends in .png")
    path.write_bytes(png_bytes(figure))
    return path


@dataclass(frozen=True)
class _Drawing:
    """How rows are drawn. `is_exact`: each pixel of a panel becomes a whole number of pixels."""

    layout: SheetLayout
    style: MaskStyle
    opacity: float
    is_exact: bool

    def draw_row(self, row: SubFigure, case: PanelCase, tall: int) -> None:
        """Draw a case into a row, `tall` pixels high."""
        layout, (width, height) = self.layout, panel_size(case.image.size)
        middle = 1 - layout.line / 2 / tall
        row.suptitle(case.title, y=middle, va="center", fontsize=layout.points, parse_math=False)
        between = (layout.width - 4 * width) // 5
        for place, (title, panel) in enumerate(zip(_TITLES, self._panels(case), strict=True)):
            left = between + place * (width + between)
            below = tall - 2 * layout.line - height
            axis = row.add_axes((left / layout.width, below / tall, width / layout.width, height / tall))
            axis.set_title(title, fontsize=layout.points * 0.9, pad=layout.points * 0.35)
            axis.set_xticks([])
            axis.set_yticks([])
            if isinstance(panel, str):
                _draw_empty(axis, panel, layout.points)
                continue
            axis.axis("off")  # a frame around it would cover its outermost pixels
            axis.imshow(panel, interpolation="nearest" if self.is_exact else "hanning", aspect="auto")

    def _panels(self, case: PanelCase) -> tuple[np.ndarray | str, ...]:
        """A picture, uint8 (H, W, 3), or the words that say why there is none, for each panel."""
        factor = panel_factor(case.image.size)
        line = line_width(case.image.size)
        frame = _enlarged(np.asarray(case.image.convert("RGB"), dtype=np.float32) / 255.0, factor)
        opacity, colours = self.opacity, COLOUR_BLIND_SAFE
        truth = predicted = ignored = None
        panels: list[np.ndarray | str] = [frame, "no ground truth", f"no prediction: {case.status}"]
        if case.truth is not None:
            truth = _enlarged(case.truth.mask, factor)
            ignored = None if case.truth.ignored is None else _enlarged(case.truth.ignored, factor)
            hatched = draw_unscored(frame, ignored, line)
            panels[1] = draw_mask(hatched, truth, colours.truth, self.style, opacity, line)
        if case.prediction is not None:
            predicted = _enlarged(case.prediction.mask, factor)
            panels[2] = draw_mask(frame, predicted, colours.prediction, self.style, opacity, line)
        if truth is not None and predicted is not None:
            panels.append(draw_agreement(frame, truth, predicted, ignored, opacity, line))
        else:  # nothing is missed or false, so what is there looks as in its own panel
            drawn = [panel for panel in panels[1:] if not isinstance(panel, str)]
            panels.append(drawn[0] if drawn else ",\n".join(map(str, panels[1:])))
        return tuple(one if isinstance(one, str) else _as_bytes(one) for one in panels)


def _enlarged(array: np.ndarray, factor: int) -> np.ndarray:
    return array.repeat(factor, axis=0).repeat(factor, axis=1)


def _as_bytes(picture: np.ndarray) -> np.ndarray:
    return np.rint(picture * 255).astype(np.uint8)


def _draw_empty(axis: Axes, label: str, points: float) -> None:
    """An empty panel of the frame's proportions that says why it is empty."""
    axis.set_facecolor("0.92")
    axis.text(0.5, 0.5, label, transform=axis.transAxes, ha="center", va="center", fontsize=points, parse_math=False)


def _draw_legend(figure: Figure, layout: SheetLayout, cases: Sequence[PanelCase], shrunk: int) -> None:
    """What the colours mean, in the last line."""
    meanings = {
        "ground truth": COLOUR_BLIND_SAFE.truth,
        "prediction": COLOUR_BLIND_SAFE.prediction,
        "missed (truth only)": COLOUR_BLIND_SAFE.missed,
        "false (prediction only)": COLOUR_BLIND_SAFE.false,
        "found (both)": COLOUR_BLIND_SAFE.both,
    }
    if any(case.truth is not None and case.truth.ignored is not None and case.truth.ignored.any() for case in cases):
        meanings["not scored"] = COLOUR_BLIND_SAFE.unscored
    patches = [
        Patch(facecolor=colour, edgecolor="black", label=label, hatch="//" if label == "not scored" else None)
        for label, colour in meanings.items()
    ]
    if shrunk > 1:
        patches.append(Patch(alpha=0, label=f"(panels at 1/{shrunk} of the scale)"))
    figure.legend(
        handles=patches,
        loc="lower left",
        bbox_to_anchor=(layout.gap / layout.width, 0.0),
        borderaxespad=0.3,
        ncols=len(patches),
        fontsize=layout.points * 0.85,
        columnspacing=1.2,
        handlelength=1.2,
        frameon=False,
    )


def _check_mask(name: str, mask: np.ndarray) -> None:
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.ndim != 2:
        given = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
        raise TypeError(f"{name}: expected a bool array (H, W), got {given}")
