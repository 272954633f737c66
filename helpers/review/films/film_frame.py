"""One frame of a film: what is there of it and what is not, and its picture with panels, titles, name and legend."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from helpers.core.watermark import stamp_text
from helpers.data.cases import Case
from helpers.data.dataset import Dataset
from helpers.data.frames.frame import in_sequences
from helpers.evaluation.scored_runs import ScoredRun, require_predicted
from helpers.review.case_panels import frame_and_truth
from helpers.review.figures.mask_drawing import COLOUR_BLIND_SAFE, draw_agreement, draw_mask, draw_unscored
from helpers.review.figures.panels import GroundTruth
from helpers.review.figures.sheet_layout import MaskStyle

_LONGER_SIDE = 448
_LINE, _GAP, _TEXT = 26, 4, 16  # pixels
_INK, _PAPER, _GREY = (235, 235, 235), (20, 22, 26), (70, 74, 82)


@dataclass(frozen=True)
class CineFrame:
    """One frame of a sequence.

    Attributes:
        case_id: plain name.
        image: mode RGB; None where it cannot be read, which is a gap.
        truth: of the frame's size; None without ground truth that fits.
        masks: of each run, bool (H, W); None where there is none.
        statuses: how the prediction of each run ended.
    """

    case_id: str
    image: Image.Image | None = field(repr=False)
    truth: GroundTruth | None
    masks: tuple[np.ndarray | None, ...] = field(repr=False)
    statuses: tuple[str, ...] = ()


def sequence_cases(dataset: Dataset) -> dict[str, tuple[Case, ...]]:
    """The cases of each sequence of two or more frames, in order of time, gaps included."""
    groups = in_sequences(dataset.cases, lambda case: case.frame)
    named = ((cases[0].frame.sequence, cases) for cases in groups if len(cases) > 1)
    return {sequence: cases for sequence, cases in named if sequence is not None}


def cine_frames(cases: Sequence[Case], scored_runs: Sequence[ScoredRun]) -> Iterator[CineFrame]:
    """The frames of one sequence, each read when it is its turn.

    Raises:
        RefusedInput: where a frame is not the one that was predicted, or a run's file is damaged.
    """
    for case in cases:
        image, truth = frame_and_truth(case)
        if image is not None:
            require_predicted(case.case_id, image, scored_runs)
        yield CineFrame(
            case.case_id,
            image,
            truth,
            tuple(None if image is None else scored_run.mask(case.case_id) for scored_run in scored_runs),
            tuple(scored_run.status(case.case_id) for scored_run in scored_runs),
        )


class MaximumOpacity:
    """Gathers frame after frame; frames of another size than the first are left out."""

    def __init__(self, runs: int):
        """Begin a sequence.

        Args:
            runs: how many there are.
        """
        self._darkest: np.ndarray | None = None
        self._truth: GroundTruth | None = None
        self._masks: list[np.ndarray | None] = [None] * runs

    def add(self, frame: CineFrame) -> None:
        """Take a frame; a gap adds nothing."""
        if frame.image is None:
            return
        pixels = np.asarray(frame.image)
        if self._darkest is None:
            self._darkest = pixels.copy()
        if pixels.shape != self._darkest.shape:
            return
        np.minimum(self._darkest, pixels, out=self._darkest)
        self._truth = _together(self._truth, frame.truth)
        self._masks = [_united(one, other) for one, other in zip(self._masks, frame.masks, strict=True)]

    def frame(self, name: str) -> CineFrame | None:
        """The darkest value of each pixel with the union of the truths and of each run's masks; None without frames."""
        if self._darkest is None:
            return None
        statuses = tuple("none in the sequence" if mask is None else "ok" for mask in self._masks)
        return CineFrame(name, Image.fromarray(self._darkest), self._truth, tuple(self._masks), statuses)


def _together(one: GroundTruth | None, other: GroundTruth | None) -> GroundTruth | None:
    """What is vessel in either; what is not scored in either cannot be said to be missed or false."""
    if one is None or other is None:
        return one if other is None else other
    return GroundTruth(one.mask | other.mask, _united(one.ignored, other.ignored))


def _united(one: np.ndarray | None, other: np.ndarray | None) -> np.ndarray | None:
    if one is None or other is None:
        return one if other is None else other
    return one | other


@dataclass(frozen=True)
class Sheet:
    """The layout that all frames of a film share.

    Attributes:
        runs: names. One run has a panel of its mask and one of the overlay; of several each has its overlay.
        panel: width and height of a panel in pixels.
        stamp: that the runs carry, see `helpers.core.watermark`.
    """

    runs: tuple[str, ...]
    panel: tuple[int, int]
    stamp: str | None = None

    @classmethod
    def of(cls, runs: Sequence[str], width: int, height: int, stamp: str | None = None) -> "Sheet":
        """The sheet for frames of that size, in pixels; frames of another size are stretched to the same panel."""
        scale = _LONGER_SIDE / max(width, height)
        return cls(tuple(runs), (max(1, round(width * scale)), max(1, round(height * scale))), stamp=stamp)

    @property
    def titles(self) -> tuple[str, ...]:
        """Of the panels, in order."""
        own = ("Prediction", "Overlay") if len(self.runs) == 1 else self.runs
        return ("Original", "Ground truth", *own)

    @property
    def columns(self) -> int:
        """Panels in a row."""
        return 4 if len(self.titles) <= 4 else 3

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture in pixels; even, as H.264 wants them."""
        columns, rows = min(self.columns, len(self.titles)), -(-len(self.titles) // self.columns)
        width = columns * (self.panel[0] + _GAP) + _GAP
        height = 2 * _LINE + rows * (self.panel[1] + _LINE + _GAP)
        return width + width % 2, height + height % 2


def draw_frame(sheet: Sheet, frame: CineFrame, heading: str) -> np.ndarray:
    """The picture of a frame, uint8 (H, W, 3), under a heading of one line."""
    picture = Image.new("RGB", sheet.size, _PAPER)
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(_TEXT)
    pen.text((_GAP, 4), heading, _INK, font)
    for place, (title, panel) in enumerate(zip(sheet.titles, _panels(sheet, frame), strict=True)):
        left = _GAP + place % sheet.columns * (sheet.panel[0] + _GAP)
        top = _LINE + place // sheet.columns * (sheet.panel[1] + _LINE + _GAP)
        pen.text((left, top + 3), title, _INK, font)
        box = (left, top + _LINE)
        if isinstance(panel, str):
            pen.rectangle((*box, box[0] + sheet.panel[0] - 1, box[1] + sheet.panel[1] - 1), _GREY)
            middle = (box[0] + sheet.panel[0] // 2, box[1] + sheet.panel[1] // 2)
            pen.multiline_text(middle, panel, _INK, font, anchor="mm", align="center")
        else:
            picture.paste(panel.resize(sheet.panel, Image.Resampling.BICUBIC), box)
    unscored = frame.truth is not None and frame.truth.ignored is not None and frame.truth.ignored.any()
    _legend(pen, font, sheet, ["missed", "false", "both", *(["unscored"] if unscored else [])])
    return np.asarray(picture)


def png_of(picture: np.ndarray) -> bytes:
    """A picture, uint8 (H, W, 3), as a PNG without metadata."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()


def _panels(sheet: Sheet, frame: CineFrame) -> list[Image.Image | str]:
    """A picture for each panel, or the words that stand in its place."""
    if frame.image is None:
        gap = "this frame cannot be read"
        return [gap, gap, *[f"{gap}\n{_lacking(sheet, frame, place)}" for place in range(len(sheet.titles) - 2)]]
    grey = np.asarray(frame.image, np.float32) / 255
    palette, truth = COLOUR_BLIND_SAFE, frame.truth
    shown: list[Image.Image | str] = [frame.image]
    line = max(1, round(max(frame.image.size) / _LONGER_SIDE))
    if truth is None:
        shown.append("no ground truth")
    else:
        hatched = draw_unscored(grey, truth.ignored, line)
        shown.append(_as_image(draw_mask(hatched, truth.mask, palette.truth, MaskStyle.FILL)))
    if len(sheet.runs) == 1:
        mask = frame.masks[0]
        shown.append(_lacking(sheet, frame, 0) if mask is None else _predicted(grey, mask))
    for place, mask in enumerate(frame.masks):
        if mask is None:
            shown.append(_lacking(sheet, frame, place))
        elif truth is None:
            shown.append(_predicted(grey, mask))
        else:
            shown.append(_as_image(draw_agreement(grey, truth.mask, mask, truth.ignored, line=line)))
    return shown


def _lacking(sheet: Sheet, frame: CineFrame, place: int) -> str:
    """Why a run has no mask of the frame."""
    return f"no prediction: {frame.statuses[min(place, len(sheet.runs) - 1)]}"


def _predicted(grey: np.ndarray, mask: np.ndarray) -> Image.Image:
    return _as_image(draw_mask(grey, mask, COLOUR_BLIND_SAFE.prediction, MaskStyle.FILL))


def _as_image(picture: np.ndarray) -> Image.Image:
    return Image.fromarray(np.rint(picture * 255).astype(np.uint8))


def _legend(
    pen: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, sheet: Sheet, words: Sequence[str]
) -> None:
    left, top = _GAP, sheet.size[1] - _LINE + 4
    for word in words:
        colour = getattr(COLOUR_BLIND_SAFE, word)
        pen.rectangle((left, top + 2, left + 14, top + 16), tuple(round(255 * part) for part in colour))
        pen.text((left + 20, top), word, _INK, font)
        left += 34 + round(pen.textlength(word, font))
    if stamp := stamp_text(sheet.stamp):
        pen.text((sheet.size[0] - _GAP, top), stamp, _INK, font, anchor="ra")
