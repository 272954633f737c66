"""One correction: which mask, of which frame, by whom, and what it began from (docs/corrections-format.md)."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from helpers.core.vocabulary import BeganFrom
from helpers.data.exported_masks import BASE_LISTS
from helpers.review.verdicts import moment_of

SCHEMA, SCHEMA_VERSION = "vesselkit.correction", 1
_DIGEST = 64  # hexadecimal digits of a SHA-256
_TEXTS = ("id", "time", "reviewer", "case_id", "image_sha256")
_OPTIONAL_TEXTS = ("run", "config", "prompt", "prediction", "weights", "mask_sha256")


class CorrectionTool(StrEnum):
    """What a mask was changed with."""

    BRUSH = "brush"
    ERASER = "eraser"
    PIECE = "piece"  # a connected part removed or kept by a click
    THRESHOLD = "threshold"  # pixels of a lower threshold taken in under the brush
    CLICKS = "clicks"  # points or a box for the model
    ELSEWHERE = "elsewhere"  # another program, whose file was imported


@dataclass(frozen=True)
class Base:
    """What a correction began from.

    Attributes:
        began_from: of what kind it is.
        mask_sha256: of that mask, as `helpers.metrics.case_scores.mask_digest`; None for an empty one.
        run: fingerprint of the run as a whole; this and all to `prediction` None but for a prediction.
        config: SHA-256 of the configuration that the run began with, which it keeps where frames are predicted again.
        prompt: its id.
        prediction: fingerprint of what the run said of the case.
        weights: fingerprint of what predicted or carried, as `helpers.runs.weights`; None for other beginnings, and
            where unknown.
        carried_from: of a carried mask, ids of the corrections that it was carried from.
    """

    began_from: BeganFrom
    mask_sha256: str | None = None
    run: str | None = None
    config: str | None = None
    prompt: str | None = None
    prediction: str | None = None
    weights: str | None = None
    carried_from: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        of_run, is_carried = (self.run, self.config, self.prompt, self.prediction), self.began_from is BeganFrom.CARRIED
        if is_carried is not bool(self.carried_from):
            raise ValueError("base: expected carried_from with ids of corrections for a carried mask, and for it alone")
        if self.began_from is BeganFrom.PREDICTION:
            if None in (*of_run, self.mask_sha256):
                raise ValueError("base: expected run, config, prompt, prediction and mask_sha256 of the prediction")
        elif any(one is not None for one in (*of_run, None if is_carried else self.weights)):
            raise ValueError("base: expected a run of predictions alone")
        if (self.mask_sha256 is None) is not (self.began_from is BeganFrom.EMPTY):
            raise ValueError("base: expected mask_sha256 unless it began from empty")


@dataclass(frozen=True)
class HiddenPrediction:
    """The prediction that was withheld while a mask was drawn, and how that mask lies to it.

    Attributes:
        config, prompt, mask_sha256: of the prediction, as of a base.
        tp, fp, fn: pixels in both, in the prediction only, and in the drawn mask only.
    """

    config: str
    prompt: str
    mask_sha256: str
    tp: int
    fp: int
    fn: int

    @classmethod
    def from_json(cls, values: Any) -> "HiddenPrediction":
        """That of a parsed line. Raises ValueError for anything else."""
        if not isinstance(values, Mapping):
            raise ValueError("expected an object as hidden")
        _require_texts(values, ("config", "prompt", "mask_sha256"))
        counts = [one for name in ("tp", "fp", "fn") if type(one := values.get(name)) is int and one >= 0]
        if len(counts) < 3:
            raise ValueError("hidden: expected numbers of pixels as tp, fp and fn")
        tp, fp, fn = counts
        return cls(values["config"], values["prompt"], values["mask_sha256"], tp, fp, fn)


@dataclass(frozen=True)
class CorrectionRecord:
    """One line of a reader's record.

    Attributes:
        id: 32 hexadecimal digits, drawn for the record.
        time: ISO 8601 with its zone, in UTC where the kit wrote it.
        case_id, image_sha256: the frame, and its size and pixels as in a run's table.
        width, height: of frame and mask, in pixels.
        base: what it began from.
        mask_sha256: of the corrected mask, as that of the base; None where the record takes the correction back.
        seconds: spent on it; None where unknown.
        tools: each once; empty where none was used.
        truth_seen: whether the ground truth was on the screen meanwhile; None where unknown.
        click_weights: fingerprints of the models that answered clicks, as that of the base.
        further_configs, further_weights: fingerprints, as those of the base, of the runs that took part beside it.
        prediction_seen: False where the viewer showed no prediction of the case before this was drawn; None where that
            is not known.
        hidden: what was not shown then; None where that is not known.
    """

    id: str
    time: str
    reviewer: str
    case_id: str
    image_sha256: str
    width: int
    height: int
    base: Base
    mask_sha256: str | None
    seconds: float | None = None
    tools: tuple[CorrectionTool, ...] = ()
    truth_seen: bool | None = None
    click_weights: tuple[str, ...] = ()
    further_configs: tuple[str, ...] = ()
    further_weights: tuple[str, ...] = ()
    prediction_seen: bool | None = None
    hidden: HiddenPrediction | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None and not (math.isfinite(self.seconds) and self.seconds >= 0):
            raise ValueError(f"seconds: expected a number from 0, got {self.seconds}")
        if min(self.width, self.height) < 1:
            raise ValueError(f"expected width and height in pixels, got {self.width} and {self.height}")

    @property
    def moment(self) -> datetime:
        """When it was made, aware."""
        return moment_of(self.time)

    def to_line(self) -> str:
        """The record as JSON on one line, with its line feed."""
        values = {**asdict(self), "tools": list(self.tools)}
        for part, name in (*((values, name) for name in BASE_LISTS), (values["base"], "carried_from")):
            if not part[name]:
                del part[name]
        if self.prediction_seen is None:
            del values["prediction_seen"]
        if self.hidden is None:
            del values["hidden"]
        return json.dumps({"schema": SCHEMA, "schema_version": SCHEMA_VERSION, **values}, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, values: Any) -> "CorrectionRecord":
        """The record of a parsed line. Raises ValueError for anything else."""
        if not isinstance(values, Mapping) or values.get("schema") != SCHEMA:
            raise ValueError(f"expected an object of schema {SCHEMA}")
        if values.get("schema_version") != SCHEMA_VERSION:
            raise ValueError(f"expected version {SCHEMA_VERSION}, got {values.get('schema_version')!r}")
        base = values.get("base")
        if not isinstance(base, Mapping):
            raise ValueError("expected an object as base")
        _require_texts(values, _TEXTS)
        moment_of(values["time"])
        for part in (values, base):
            _require_texts(part, [name for name in _OPTIONAL_TEXTS if part.get(name) is not None])
        origins, lists = base.get("carried_from", []), {name: values.get(name, []) for name in BASE_LISTS}
        for name, texts in {"carried_from": origins, **lists}.items():
            if not isinstance(texts, list | tuple) or not all(isinstance(one, str) and one for one in texts):
                raise ValueError(f"expected a list of texts as {name}")
        for digest in (values["image_sha256"], values.get("mask_sha256"), base.get("mask_sha256")):
            if digest is not None and (len(digest) != _DIGEST or set(digest) - set("0123456789abcdef")):
                raise ValueError(f"expected a SHA-256, got {digest[: _DIGEST + 1]!r}")
        width, height, seconds = values.get("width"), values.get("height"), values.get("seconds")
        seen, tools = values.get("truth_seen"), values.get("tools")
        if type(width) is not int or type(height) is not int:
            raise ValueError("expected width and height in whole pixels")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float | None):
            raise ValueError("expected a number of seconds, or null")
        if not all(isinstance(one, bool | None) for one in (seen, values.get("prediction_seen"))):
            raise ValueError("expected truth_seen and prediction_seen as true, false or null")
        if not isinstance(tools, list):
            raise ValueError("expected a list as tools")
        return cls(
            **{name: values[name] for name in _TEXTS},
            width=width,
            height=height,
            base=Base(
                BeganFrom(str(base.get("began_from"))),
                **{name: base.get(name) for name in _OPTIONAL_TEXTS},
                carried_from=tuple(origins),
            ),
            mask_sha256=values.get("mask_sha256"),
            seconds=None if seconds is None else float(seconds),
            tools=tuple(dict.fromkeys(CorrectionTool(tool) for tool in tools)),
            truth_seen=seen,
            click_weights=tuple(lists["click_weights"]),
            further_configs=tuple(lists["further_configs"]),
            further_weights=tuple(lists["further_weights"]),
            prediction_seen=values.get("prediction_seen"),
            hidden=None if values.get("hidden") is None else HiddenPrediction.from_json(values["hidden"]),
        )


def standing(records: Iterable[CorrectionRecord]) -> dict[str, dict[str, CorrectionRecord]]:
    """Reader -> case id -> the correction that stands: the last one, unless it takes the correction back.

    Args:
        records: in any order but among those of the same moment.
    """
    latest: dict[str, dict[str, CorrectionRecord]] = {}
    for record in sorted(records, key=lambda record: record.moment):
        latest.setdefault(record.reviewer, {})[record.case_id] = record
    return {
        reviewer: kept
        for reviewer, by_case in latest.items()
        if (kept := {case_id: one for case_id, one in by_case.items() if one.mask_sha256 is not None})
    }


def _require_texts(values: Mapping[str, Any], names: Iterable[str]) -> None:
    wrong = [name for name in names if not isinstance(values.get(name), str) or not values[name]]
    if wrong:
        raise ValueError(f"expected texts as {', '.join(wrong)}")
    "".join(values[name] for name in names).encode()  # half a character is a ValueError
