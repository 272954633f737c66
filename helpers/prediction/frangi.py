"""The classical baseline: Frangi's vesselness as a predictor, its settings and their file (docs/baselines.md).

It says how much each pixel looks like a dark line on bright ground. No prompt is understood.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import distance_transform_edt
from skimage.filters import frangi, sato
from skimage.measure import label
from skimage.morphology import area_opening

from helpers.core.documents import read_document, refuse_damaged
from helpers.core.errors import UsageProblem
from helpers.prediction.predictor import FramePrediction
from helpers.runs.stored_maps import Upsampling

REFERENCE_SIDE = 512


# Of pixels of a frame of 512: ridges nearer to the frame's or the field's edge are edges, not vessels.
_MARGIN = 14


# The value that counts as vesselness 1: the vessels of an angiogram cover about 5 % of it.
_TOP_PERCENTILE = 95


# Grey values, of 0 .. 1. The image intensifier or the collimator leaves what lies outside the field nearly black.
_OUTSIDE = 0.12


_LEAST_OUTSIDE = 0.005


_DARKEST = 0.05


# Slope of the stored logit over the logarithm of vesselness, and the vesselness that is taken as nothing.
_SLOPE = 2.0


_NOTHING = 1e-3

SCHEMA = "vesselkit.vesselness"
SCHEMA_VERSION = 1
_TUNE = "`vesselkit tune frangi` writes such settings: tune again, or leave --model-config out for the defaults"


class Ridge(StrEnum):
    """The ridge filter."""

    FRANGI = "frangi"
    SATO = "sato"


class Intensity(StrEnum):
    """What the filter is given."""

    GREY = "grey"  # the grey values as they are
    LOGARITHM = "logarithm"  # of the grey values: what X-rays pass through adds up there


@dataclass(frozen=True)
class FrangiSettings:
    """The parameters. Lengths are pixels of a frame whose shorter side has 512; other frames scale them.

    Attributes:
        ridge: the filter.
        intensity: what it is given.
        scales: standard deviations of its Gaussians, at least one; the largest response counts.
        smallest: area in square pixels below which a region is dropped; 0 for no such rule.
        threshold: vesselness above which a pixel is vessel.
    """

    ridge: Ridge = Ridge.FRANGI
    intensity: Intensity = Intensity.LOGARITHM
    scales: tuple[float, ...] = (3.0, 4.0, 5.0)
    smallest: int = 500
    threshold: float = 0.55

    def __post_init__(self) -> None:
        numbers = (*self.scales, self.smallest, self.threshold)
        if not self.scales or not all(math.isfinite(number) for number in numbers):
            raise ValueError("expected finite numbers and at least one scale")
        if min(self.scales) <= 0 or self.smallest < 0 or self.threshold <= 0:
            raise ValueError("expected scales and a threshold above 0, smallest of at least 0")

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {**asdict(self), "scales": list(self.scales)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "FrangiSettings":
        """From `to_json`. Raises KeyError, TypeError or ValueError for anything else."""
        return cls(
            ridge=Ridge(values["ridge"]),
            intensity=Intensity(values["intensity"]),
            scales=tuple(float(scale) for scale in values["scales"]),
            smallest=int(values["smallest"]),
            threshold=float(values["threshold"]),
        )


@dataclass(frozen=True)
class TunedOn:
    """The cases whose ground truth chose the settings, and the fingerprint of the key of their ids; None for kept ids.

    Whoever scores on one of them scores on what was tuned.
    """

    cases: tuple[str, ...]
    key_fingerprint: str | None

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {"cases": list(self.cases), "key_fingerprint": self.key_fingerprint}


@dataclass(frozen=True)
class Tuned:
    """Settings and where they come from; `tuned_on` is None for the documented defaults."""

    settings: FrangiSettings = FrangiSettings()
    tuned_on: TunedOn | None = None


def read_settings(path: Path) -> Tuned:
    """The settings of a file that `vesselkit tune frangi` wrote. Raises RefusedInput for anything else."""
    values = read_document(path, SCHEMA, SCHEMA_VERSION, ("settings", "tuned_on"), _TUNE)
    with refuse_damaged(path, SCHEMA, SCHEMA_VERSION, _TUNE):
        given = values["tuned_on"]
        tuned_on = None if given is None else TunedOn(_names(given["cases"]), given["key_fingerprint"])
        return Tuned(FrangiSettings.from_json(values["settings"]), tuned_on)


def _names(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError("expected a list of case ids")
    return tuple(values)


def vesselness(grey: np.ndarray, settings: FrangiSettings) -> np.ndarray:
    """The final map of a frame.

    Args:
        grey: floating (H, W), 0 .. 1.
    Returns:
        float32 (H, W), 0 and more; about 1 at a typical vessel. It does not change with the frame's contrast for
        Intensity.GREY, nor with its exposure for Intensity.LOGARITHM (but for the darkest values).
    """
    field = field_of_view(grey)
    return cleaned(combined([ridge_map(grey, field, settings, scale) for scale in settings.scales]), settings)


def field_of_view(grey: np.ndarray) -> np.ndarray:
    """Where ridges can be vessels, bool (H, W): not the nearly black ground outside, nor its edge, nor the frame's."""
    dark = label(grey <= _OUTSIDE, connectivity=1)
    rim = np.unique(np.concatenate([dark[0], dark[-1], dark[:, 0], dark[:, -1]]))
    sizes = np.bincount(dark.ravel())
    outside = [number for number in rim if number and sizes[number] >= _LEAST_OUTSIDE * grey.size]
    inside = np.pad(~np.isin(dark, outside), 1)
    distance = distance_transform_edt(inside)[1:-1, 1:-1]
    return distance > _MARGIN * unit(grey.shape)


def ridge_map(grey: np.ndarray, field: np.ndarray, settings: FrangiSettings, scale: float) -> np.ndarray:
    """The response of one scale, float32 (H, W), 0 outside the field. Only `ridge` and `intensity` are looked at."""
    if min(grey.shape) < 2:  # no second derivative
        return np.zeros(grey.shape, np.float32)
    given = np.log(np.maximum(grey, 0) + _DARKEST) if settings.intensity is Intensity.LOGARITHM else grey
    ridge_filter = frangi if settings.ridge is Ridge.FRANGI else sato
    filtered = ridge_filter(given, sigmas=[scale * unit(grey.shape)], black_ridges=True, mode="reflect")
    # What rounding leaves of a flat frame is not a ridge.
    return np.where(field & (filtered > 1e-9), filtered, 0).astype(np.float32)


def combined(maps: list[np.ndarray]) -> np.ndarray:
    """The largest of the maps of all scales, such that the top twentieth of the frame lies above 1."""
    largest = np.maximum.reduce(maps)
    top = float(np.percentile(largest, _TOP_PERCENTILE)) or float(largest.max())
    return largest / np.float32(top) if top > 0 else largest


def cleaned(ridges: np.ndarray, settings: FrangiSettings) -> np.ndarray:
    """A map of `combined` without regions below `smallest`, whatever the threshold, float32 (H, W)."""
    area = round(settings.smallest * unit(ridges.shape) ** 2)
    return area_opening(ridges, area, connectivity=2) if area > 1 else ridges


def to_logits(ridges: np.ndarray, threshold: float) -> np.ndarray:
    """Logits, float32 (H, W), rising with vesselness, 0 at `threshold`."""
    return _SLOPE * np.log((ridges + np.float32(_NOTHING)) / np.float32(threshold + _NOTHING))


def threshold_at(logit: float, threshold: float) -> float:
    """The vesselness that `to_logits` of this threshold takes to `logit`."""
    return float((threshold + _NOTHING) * np.exp(logit / _SLOPE) - _NOTHING)


def unit(shape: tuple[int, ...]) -> float:
    """Length in pixels of a frame, (H, W), of what is one pixel where the shorter side has 512."""
    return min(shape) / REFERENCE_SIDE


class VesselnessPredictor:
    """A `helpers.prediction.predictor.Predictor`. Probability 0.5 of its maps is the threshold of the settings."""

    def __init__(self, tuned: Tuned) -> None:
        self._tuned = tuned

    @property
    def identity(self) -> Mapping[str, Any]:
        tuned_on = self._tuned.tuned_on
        return {
            "kind": "vesselness",
            **self._tuned.settings.to_json(),
            "tuned_on": None if tuned_on is None else tuned_on.to_json(),
        }

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"device": "cpu", "dtype": "float32", "scikit_image": version("scikit-image")}

    def prepare(self, image: Image.Image) -> np.ndarray:
        return to_logits(vesselness(grey_values(image), self._tuned.settings), self._tuned.settings.threshold)

    def predict(self, prepared: Sequence[np.ndarray], prompts: Sequence[str]) -> list[list[FramePrediction]]:
        if len(prompts) != 1:
            raise UsageProblem(f"prompt: expected one, since vesselness understands none, got {len(prompts)}")
        return [[FramePrediction(None, False, logits[None], Upsampling.NONE)] for logits in prepared]


def grey_values(image: Image.Image) -> np.ndarray:
    """The grey values of a frame (mode RGB), float32 (H, W), 0 .. 1."""
    return np.asarray(image.convert("L"), np.float32) / 255
