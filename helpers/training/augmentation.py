"""Changes of a training frame and its mask, as angiograms differ: turned, mirrored, nearer, fainter, noisier."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from helpers.runner.registry import TRANSFORMS


@TRANSFORMS.register_module()
@dataclass(frozen=True)
class AngiogramChanges:
    """Random changes; each range is drawn from evenly, in its logarithm where it is a factor.

    Attributes:
        mirror: whether to mirror half of the frames.
        turn: largest angle, degrees.
        zoom: factors of magnification.
        shift: largest displacement, share of the side.
        gamma, contrast: factors.
        brightness: largest change, share of the grey scale.
        noise: largest standard deviation, grey values.
        blur: largest radius, pixels.
        invert: share of frames whose grey values are turned round.
    """

    mirror: bool = True
    turn: float = 20.0
    zoom: tuple[float, float] = (0.8, 1.4)
    shift: float = 0.08
    gamma: tuple[float, float] = (0.7, 1.4)
    contrast: tuple[float, float] = (0.7, 1.4)
    brightness: float = 0.12
    noise: float = 8.0
    blur: float = 1.2
    invert: float = 0.0

    def __call__(
        self, image: Image.Image, mask: np.ndarray, random: np.random.Generator
    ) -> tuple[Image.Image, np.ndarray]:
        """The changed image, mode L and of the same size, and its mask, bool (H, W)."""
        grey = image.getchannel(0)
        matrix, fill = self._matrix(grey.size, random), int(np.median(np.asarray(grey)))
        moved = grey.transform(grey.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC, fillcolor=fill)
        truth = Image.fromarray(mask.astype(np.uint8) * 255).transform(
            grey.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
        )
        if random.random() < 0.5:
            moved = moved.filter(ImageFilter.GaussianBlur(random.uniform(0, self.blur)))
        return Image.fromarray(self._greys(np.asarray(moved), random)), np.asarray(truth) > 127

    def _matrix(self, size: tuple[int, int], random: np.random.Generator) -> tuple[float, ...]:
        """Coefficients from a pixel of the result to its place in the given image."""
        angle = np.deg2rad(random.uniform(-self.turn, self.turn))
        scale = 1 / _factor(self.zoom, random)
        flip = -1.0 if self.mirror and random.random() < 0.5 else 1.0
        linear = (
            scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag((flip, 1))
        )
        middle = np.array(size) / 2
        offset = middle + random.uniform(-self.shift, self.shift, 2) * size - linear @ middle
        return (*linear[0], offset[0], *linear[1], offset[1])

    def _greys(self, pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Pixels uint8 (H, W) under other exposure, uint8."""
        curve = np.linspace(0, 1, 256, dtype=np.float32) ** _factor(self.gamma, random)
        middle = np.bincount(pixels.ravel(), minlength=256) @ curve / pixels.size
        curve = middle + (curve - middle) * _factor(self.contrast, random)
        curve += random.uniform(-self.brightness, self.brightness)
        noise = random.uniform(0, self.noise) / 255
        grey = curve.astype(np.float32)[pixels] + noise * random.standard_normal(pixels.shape, dtype=np.float32)
        if random.random() < self.invert:
            grey = 1 - grey
        return (np.clip(grey, 0, 1) * 255).round().astype(np.uint8)


def _factor(ends: tuple[float, float], random: np.random.Generator) -> float:
    return float(np.exp(random.uniform(*np.log(ends))))
