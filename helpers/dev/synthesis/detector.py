"""From attenuation to 8 bits: scatter, blur, Poisson and electronic noise, windowing, vignette, collimator."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from helpers.dev.synthesis.background import wide_blur
from helpers.dev.synthesis.sequence_parameters import GeneratorRanges, Parameters

# Standard deviation of the electronic noise, as a share of the unattenuated signal.
ELECTRONIC = 0.004


@dataclass(frozen=True)
class Field:
    """What the collimator leaves open.

    Attributes:
        inside: bool (H, W).
        outside_grey: level elsewhere, 0 to 255.
    """

    inside: np.ndarray
    outside_grey: float


@dataclass(frozen=True)
class DetectorDisplay:
    """How a sequence is shown.

    Attributes:
        sharpening: amount of an unsharp mask.
        flattening_px: width over which the background is evened out.
    """

    sharpening: float
    flattening_px: float


def draw_field(size: int, random: np.random.Generator, of: GeneratorRanges) -> Field:
    """A collimator: round, rectangular or none."""
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32) + 0.5
    kind = random.random()
    inside = np.ones((size, size), dtype=bool)
    if kind < of.shares.round_field:
        x, y = size * (0.5 + random.uniform(-of.field_offset, of.field_offset, 2))
        inside = np.hypot(columns - x, rows - y) < size * random.uniform(*of.field_radius)
    elif kind < of.shares.round_field + of.shares.rectangular_field:
        left, right, top, bottom = size * random.uniform(0, 0.09, 4)
        inside = (columns > left) & (columns < size - right) & (rows > top) & (rows < size - bottom)
    return Field(inside, float(random.choice([0, random.uniform(0, 40)])))


def draw_display(random: np.random.Generator) -> DetectorDisplay:
    """Processing that a console adds."""
    return DetectorDisplay(float(random.choice([0, random.uniform(0.2, 1.2)])), float(random.uniform(18, 60)))


def expose(
    attenuation: np.ndarray,
    parameters: Parameters,
    display: DetectorDisplay,
    field: Field,
    random: np.random.Generator,
    before: np.ndarray | None = None,
) -> np.ndarray:
    """A frame, uint8 (H, W), by Beer and Lambert: the signal is exp(-attenuation).

    Args:
        attenuation: float (H, W), the exponent along each ray.
        random: of this frame alone; draws its noise.
        before: of a frame before contrast, which is subtracted as a console does; None for the frame as it is.
    """
    scale = attenuation.shape[0] / 512
    level = _level(attenuation, parameters, random)
    if before is not None:
        level -= _level(before, parameters, random)
    level -= parameters.flattening * wide_blur(level, display.flattening_px * scale)
    if display.sharpening:
        level += display.sharpening * (level - gaussian_filter(level, 2.5 * scale))
    return _shown(level, parameters, field)


def _level(attenuation: np.ndarray, parameters: Parameters, random: np.random.Generator) -> np.ndarray:
    """The logarithm of what the detector measures, float32 (H, W)."""
    scale = attenuation.shape[0] / 512
    signal = np.exp(-(attenuation - np.median(attenuation)))
    signal = (signal + parameters.scatter * wide_blur(signal, 40 * scale)) / (1 + parameters.scatter)
    signal = gaussian_filter(signal, parameters.blur_px * scale)
    noise = random.poisson(signal * parameters.photons) / parameters.photons - signal
    noise += random.normal(0, ELECTRONIC, signal.shape)
    grain = max(parameters.grain_px * scale, 0.05)
    # A detector's noise is not white: blurred, and part of what the blur takes is given back.
    noise = gaussian_filter(noise, grain) * (1 + grain)
    level: np.ndarray = np.log(np.maximum(signal + noise, 0.02)).astype(np.float32)
    return level


def _shown(level: np.ndarray, parameters: Parameters, field: Field) -> np.ndarray:
    low, middle, high = np.percentile(level[field.inside][::7], (1, 50, 99))
    value = (level - middle) / max(high - low, 0.6) * parameters.window + parameters.brightness
    rows, columns = np.mgrid[-1 : 1 : level.shape[0] * 1j, -1 : 1 : level.shape[1] * 1j]
    value = value * (1 - parameters.vignette * (rows**2 + columns**2) / 2)
    value = 255 * np.clip(value, 0, 1) ** parameters.gamma
    value = np.where(field.inside, value, field.outside_grey)
    return np.round(_softened(value, field)).astype(np.uint8)


def _softened(value: np.ndarray, field: Field) -> np.ndarray:
    """Values in 0 to 255, with the collimator's edge softened over a pixel."""
    if field.inside.all():
        return value
    soft = gaussian_filter(field.inside.astype(np.float32), 1.0)
    return np.clip(value * soft + field.outside_grey * (1 - soft), 0, 255)
