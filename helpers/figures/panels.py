"""The 4-panel picture of a case: Original | Ground truth | Prediction | Overlay.

Figures are built without pyplot: they need no display, and leave no state behind.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from helpers.errors import UsageProblem
from helpers.figures.stamp import stamped

_PANEL_INCHES = 3.0
_HEADER_INCHES = 0.9
_DPI = 110
_TITLES = ("Original", "Ground truth", "Prediction", "Overlay")


@dataclass(frozen=True)
class GroundTruth:
    """An annotated mask, bool (H, W)."""

    mask: np.ndarray = field(repr=False)

    def __post_init__(self) -> None:
        _check_mask("ground truth", self.mask)


@dataclass(frozen=True)
class PredictedMask:
    """A mask from a model, bool (H, W)."""

    mask: np.ndarray = field(repr=False)

    def __post_init__(self) -> None:
        _check_mask("prediction", self.mask)


@dataclass(frozen=True)
class Palette:
    """Colours as RGB in 0 .. 1. `missed` is truth without prediction, `false` prediction without truth."""

    truth: tuple[float, float, float] = (1.0, 0.0, 0.0)
    prediction: tuple[float, float, float] = (0.0, 0.85, 0.0)
    missed: tuple[float, float, float] = (0.84, 0.37, 0.0)
    false: tuple[float, float, float] = (0.34, 0.71, 0.91)
    both: tuple[float, float, float] = (0.94, 0.89, 0.26)


# Vermilion, sky blue and yellow of Okabe and Ito stay apart in all common forms of colour blindness; red and green,
# alone in their own panels, need not be told apart.
COLOUR_BLIND_SAFE = Palette()
RED_GREEN = Palette(missed=(1.0, 0.0, 0.0), false=(0.0, 0.85, 0.0), both=(1.0, 1.0, 0.0))


@dataclass(frozen=True)
class PanelCase:
    """What one row of panels shows.

    Attributes:
        image: the frame, any mode that Pillow turns into RGB.
        truth, prediction: of the image's size; None leaves the panel empty, and labelled so.
        status: how the prediction ended, for instance 'ok' or 'no_seg'.
        scores: name -> value, shown in the title with three decimals; None for a value shows as 'n/a'.
    """

    image: Image.Image = field(repr=False)
    truth: GroundTruth | None
    prediction: PredictedMask | None
    case_id: str
    status: str
    scores: Mapping[str, float | None] = field(default_factory=dict)

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
        """Case id, status and scores on one line."""
        scores = [f"{name} {'n/a' if value is None else f'{value:.3f}'}" for name, value in self.scores.items()]
        parts = [self.case_id, self.status, *scores]
        # Two empty masks are alike without having anything to do with each other.
        both = self.truth and self.prediction and self.truth.mask.any()
        if both and np.array_equal(self.truth.mask, self.prediction.mask):
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
    opacity: float = 0.6,
) -> Figure:
    """Original | Ground truth | Prediction | Overlay of one case, with title and legend.

    Raises TypeError where a prediction is given as truth or the reverse, UsageProblem where sizes differ.
    """
    case = PanelCase(image, truth, prediction, case_id, status, scores or {})
    return contact_sheet([case], opacity=opacity)


def contact_sheet(
    cases: Sequence[PanelCase],
    *,
    heading: str | None = None,
    opacity: float = 0.6,
    stamp: str | None = None,
) -> Figure:
    """One row of four panels for each case, one legend for all.

    Args:
        stamp: that the run carries, see `helpers.stamp`.
        opacity: of the colours over the frame, 0 .. 1.
    Raises:
        UsageProblem: where there is no case, or `opacity` is out of range.
    """
    if not cases:
        raise UsageProblem("contact sheet: expected at least one case, got none")
    if not 0.0 <= opacity <= 1.0:
        raise UsageProblem(f"opacity: expected 0 to 1, got {opacity}")
    height = _HEADER_INCHES + len(cases) * (_PANEL_INCHES + 0.55)
    figure = Figure(figsize=(4 * _PANEL_INCHES, height), dpi=_DPI, layout="constrained")
    if heading:
        figure.suptitle(heading, parse_math=False)
    rows = figure.subfigures(len(cases), 1, squeeze=False)[:, 0]
    for row, case in zip(rows, cases, strict=True):
        _draw_case(row.subplots(1, 4), case, opacity)
        row.suptitle(case.title, fontsize=10, parse_math=False)
    meanings = {
        "ground truth": COLOUR_BLIND_SAFE.truth,
        "prediction": COLOUR_BLIND_SAFE.prediction,
        "missed (truth only)": COLOUR_BLIND_SAFE.missed,
        "false (prediction only)": COLOUR_BLIND_SAFE.false,
        "both": COLOUR_BLIND_SAFE.both,
    }
    patches = [Patch(facecolor=colour, edgecolor="black", label=label) for label, colour in meanings.items()]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(patches), fontsize=9, frameon=False)
    return stamped(figure, stamp)


def png_bytes(figure: Figure) -> bytes:
    """The figure as a PNG that holds pixels alone: no software, time or path. Also what a notebook can display."""
    buffer = io.BytesIO()
    stamped(figure).savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def save_panel(figure: Figure, path: Path) -> Path:
    """Write the figure as `path`, a PNG without metadata; its folder must exist.

    Raises UsageProblem for another suffix than .png.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise UsageProblem(f"{path.name}: expected a name that ends in .png")
    path.write_bytes(png_bytes(figure))
    return path


def _draw_case(axes: Sequence[Axes], case: PanelCase, opacity: float) -> None:
    """Draw the four panels of `case` into four axes."""
    frame = np.asarray(case.image.convert("RGB"), dtype=np.float32) / 255.0
    truth = case.truth.mask if case.truth else None
    predicted = case.prediction.mask if case.prediction else None
    panels = [
        frame,
        None if truth is None else tint(frame, [(truth, COLOUR_BLIND_SAFE.truth)], opacity),
        None if predicted is None else tint(frame, [(predicted, COLOUR_BLIND_SAFE.prediction)], opacity),
        _overlay(frame, truth, predicted, opacity),
    ]
    no_truth, no_prediction = "no ground truth", f"no prediction: {case.status}"
    labels = ["", no_truth, no_prediction, f"{no_truth},\n{no_prediction}"]
    for axis, title, panel, label in zip(axes, _TITLES, panels, labels, strict=True):
        axis.set_title(title, fontsize=9)
        axis.set_xticks([])
        axis.set_yticks([])
        if panel is None:
            _draw_empty(axis, case, label)
        else:
            axis.imshow(panel, interpolation="nearest")


def _draw_empty(axis: Axes, case: PanelCase, label: str) -> None:
    """An empty panel of the frame's proportions that says why it is empty."""
    axis.set_xlim(0, case.image.width)
    axis.set_ylim(case.image.height, 0)
    axis.set_aspect("equal")
    axis.set_facecolor("0.92")
    axis.text(0.5, 0.5, label, transform=axis.transAxes, ha="center", va="center", fontsize=10, parse_math=False)


def _overlay(
    frame: np.ndarray, truth: np.ndarray | None, predicted: np.ndarray | None, opacity: float
) -> np.ndarray | None:
    """The overlay panel, float32 (H, W, 3); None without truth and prediction.

    With only one of them nothing is missed or false, so it keeps the colour of its own panel.
    """
    if truth is None and predicted is None:
        return None
    if truth is None:
        return tint(frame, [(predicted, COLOUR_BLIND_SAFE.prediction)], opacity)
    if predicted is None:
        return tint(frame, [(truth, COLOUR_BLIND_SAFE.truth)], opacity)
    layers = [
        (truth & ~predicted, COLOUR_BLIND_SAFE.missed),
        (predicted & ~truth, COLOUR_BLIND_SAFE.false),
        (truth & predicted, COLOUR_BLIND_SAFE.both),
    ]
    return tint(frame, layers, opacity)


def tint(
    frame: np.ndarray, layers: Sequence[tuple[np.ndarray, tuple[float, float, float]]], opacity: float
) -> np.ndarray:
    """Blend colours into `frame`, float32 (H, W, 3) in 0 .. 1, wherever the layers' bool masks (H, W) are true."""
    tinted = frame.copy()
    for mask, colour in layers:
        tinted[mask] = (1.0 - opacity) * frame[mask] + opacity * np.asarray(colour, np.float32)
    return tinted


def _check_mask(name: str, mask: np.ndarray) -> None:
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.ndim != 2:
        found = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
        raise TypeError(f"{name}: expected a bool array (H, W), got {found}")
