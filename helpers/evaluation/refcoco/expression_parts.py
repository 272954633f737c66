"""Predictions of one image in a file of its own, so that an interrupted run resumes; each read checks it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from helpers.data.frames.frame import Frame
from helpers.data.truth.rle import BadRle, decode
from helpers.prediction.resume import RecomputeReason
from helpers.runs.durable import sealed, unsealed, write_durable
from helpers.runs.provenance import current_sha256, file_state


@dataclass(frozen=True)
class PredictedExpression:
    """What was predicted for one expression.

    Attributes:
        status: as in docs/run-format.md.
        answer: the model's text; None where there is none.
        message: what went wrong; None where nothing did.
        rle: COCO code of the mask; None where there is none.
    """

    expression_id: str
    status: str
    answer: str | None
    message: str | None
    rle: Mapping[str, Any] | None = field(repr=False)

    def mask(self) -> np.ndarray | None:
        """The mask, bool (H, W); None where there is none."""
        return None if self.rle is None else decode(self.rle)


@dataclass(frozen=True)
class ImagePart:
    """The predictions on one image.

    Attributes:
        config_sha256: of the configuration they were made with.
        expressions: of all expressions of the image, in order.
        image_sha256: of the frame's pixels, None where it could not be read; and of older parts, which do not say it.
        source: state of the image file before it was read, see `sources.file_state`; None where unknown.
        made_with: versions and machine; None where they were not kept.
        checked: whether the part holds a digest, and it fits.
    """

    config_sha256: str
    expressions: Sequence[PredictedExpression]
    image_sha256: str | None = None
    source: str | None = None
    made_with: Mapping[str, str | None] | None = None
    checked: bool = True


def part_path(folder: Path, case_id: str) -> Path:
    """The part of an image."""
    return folder / "parts" / f"{case_id}.json"


def write_part(path: Path, part: ImagePart) -> None:
    """Write a part, with the digest of all that it says. Raises OSError where it cannot be written."""
    values = asdict(part)
    del values["checked"]
    write_durable(path, sealed(values))


def read_part(path: Path, config_sha256: str, expression_ids: Sequence[str]) -> ImagePart | None:
    """A part of this configuration and of these expressions; None where there is none, or it was changed.

    Parts of earlier versions hold no digest; they are taken where all else fits.
    """
    try:
        content = path.read_bytes()
        values = json.loads(content)
        checked = "sha256" in values
        values = json.loads(unsealed(content)) if checked else values
        expressions = [PredictedExpression(**one) for one in values.pop("expressions")]
        part = ImagePart(**values, expressions=expressions, checked=checked)
        for one in expressions:
            one.mask()
    except (OSError, ValueError, KeyError, TypeError, BadRle):
        return None
    fits = [one.expression_id for one in expressions] == list(expression_ids)
    return part if fits and part.config_sha256 == config_sha256 else None


def reason_to_predict(path: Path, part: ImagePart | None, frame: Frame) -> RecomputeReason | None:
    """Why an image is predicted, though it may have been before; None where its part stands."""
    if part is None:
        return RecomputeReason.DAMAGED if path.exists() else RecomputeReason.NEW
    if not part.checked or part.source == file_state(frame.path, frame.bits):
        return None
    pixels_sha256 = current_sha256(frame)  # None as on a disk that is away, which takes back no result
    return RecomputeReason.CHANGED if pixels_sha256 not in (None, part.image_sha256) else None
