"""Settings of a vesselness prediction, and the file that holds them (docs/baselines.md)."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from helpers.core.documents import read_document, refuse_damaged

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
