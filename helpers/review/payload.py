"""One case as the browser gets it: a picture, masks as packed bits, and logits in 8 bits."""

import base64
import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image

from helpers.core.vocabulary import BeganFrom
from helpers.review.corrections.record import Base
from helpers.review.figures.panels import GroundTruth, PredictedMask
from helpers.review.logit_coding import CodedMap


@dataclass(frozen=True)
class CodedPrediction:
    """What one run said of a case.

    Attributes:
        status: how the prediction ended.
        words: the answer, or why there is none; None where unknown.
        mask: at the run's own threshold; None where there is none.
        maps: for other thresholds; None where the run stores none.
    """

    status: str
    words: str | None
    mask: PredictedMask | None
    maps: CodedMap | None = field(repr=False, default=None)


@dataclass(frozen=True)
class CaseView:
    """All that the viewer shows of a case.

    Attributes:
        width, height: of the frame in pixels.
        image: of that size; None where the frame cannot be read.
        truth: None leaves its panel empty.
        truth_note: why it is empty; None otherwise.
        centreline: of the truth, bool (H, W); None where there is none.
        predictions: of each run, in order, those beside last; None for a run that does not have the case.
        image_sha256: of the frame, as in a run's table; None where it cannot be read.
        bases: what a correction of it can begin from; empty where the frame cannot be read.
    """

    case_id: str
    width: int
    height: int
    image: Image.Image | None = field(repr=False)
    truth: GroundTruth | None
    truth_note: str | None
    centreline: np.ndarray | None = field(repr=False)
    predictions: Sequence[CodedPrediction | None]
    image_sha256: str | None = None
    bases: Mapping[BeganFrom, Base] = field(default_factory=dict, repr=False)

    def to_json(self) -> dict[str, Any]:
        """The case as a JSON object, docs/review.md."""
        ignored = None if self.truth is None else self.truth.ignored
        return {
            "case_id": self.case_id,
            "width": self.width,
            "height": self.height,
            "image": None if self.image is None else _png(self.image),
            "truth": None if self.truth is None else packed(self.truth.mask),
            "ignored": None if ignored is None or not ignored.any() else packed(ignored),
            "truth_note": self.truth_note,
            "centreline": None if self.centreline is None else packed(self.centreline),
            "predictions": [None if one is None else _prediction(one) for one in self.predictions],
            "image_sha256": self.image_sha256,
            "bases": {str(began_from): asdict(base) for began_from, base in self.bases.items()},
        }


# In place of a prediction that is not to be seen yet.
_HIDDEN = CodedPrediction(
    "not shown yet", "Draw this case from empty first (E) and save it (s): then its prediction is shown.", None
)


def without_predictions(view: CaseView) -> CaseView:
    """A case as who draws it from empty first may see it: no mask of any run, and nothing else to begin from."""
    bases: dict[BeganFrom, Base] = {
        began_from: base for began_from, base in view.bases.items() if began_from is BeganFrom.EMPTY
    }
    return replace(view, predictions=[_HIDDEN] * len(view.predictions), bases=bases)


def packed(mask: np.ndarray) -> str:
    """A mask, bool (H, W), row after row, 8 pixels a byte with the first in the highest bit; zlib, base64."""
    return _text(zlib.compress(np.packbits(mask).tobytes(), 9))


def _prediction(one: CodedPrediction) -> dict[str, Any]:
    return {
        "status": one.status,
        "words": one.words,
        "mask": None if one.mask is None else packed(one.mask.mask),
        "maps": None if one.maps is None else maps_json(one.maps),
    }


def maps_json(maps: CodedMap) -> dict[str, Any]:
    """Coded maps as a JSON object, docs/review.md."""
    _, height, width = maps.codes.shape
    return {
        "width": width,
        "height": height,
        "network_size": maps.network_size,
        "levels": _text(maps.levels.astype("<f4").tobytes()),
        "codes": [_text(zlib.compress(np.ascontiguousarray(codes).tobytes(), 9)) for codes in maps.codes],
    }


def _png(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.convert("L").save(buffer, "PNG")
    return f"data:image/png;base64,{_text(buffer.getvalue())}"


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
