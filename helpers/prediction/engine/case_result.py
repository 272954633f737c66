"""From what was read and answered for a frame to what a run stores of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields

import numpy as np
from PIL import Image
from pycocotools import mask as coco_masks
from scipy.special import expit

from helpers.core.errors import VesselkitError
from helpers.core.vocabulary import Combine
from helpers.data.frames.frame import Frame
from helpers.data.frames.frame_source import pixel_sha256
from helpers.prediction.disagreement import disagreement, spread
from helpers.prediction.engine.memory_estimate import is_out_of_memory
from helpers.prediction.predictor import FramePrediction
from helpers.runs.case_parts import CaseResult
from helpers.runs.result_rows import PredictionRow
from helpers.runs.status import PredictionStatus, status_of
from helpers.runs.stored_maps import (
    StoredLogits,
    combined_map,
    combined_mask,
    round_for_storage,
    threshold_logit,
)

# What a model may raise on a frame that it cannot take. Anything else is a mistake in the code and stops the run.
MODEL_ERRORS = (RuntimeError, ValueError, MemoryError, ArithmeticError, LookupError)
_MESSAGE_LIMIT = 300
_PATH = re.compile(r"(?:[A-Za-z]:)?[^\s'\"=(\[]*[/\\][^\s'\")\]]*")


@dataclass(frozen=True)
class FrameFacts:
    """What reading a frame told: its size in pixels and the SHA-256 of its pixels, see `pixel_sha256`."""

    width: int
    height: int
    image_sha256: str


@dataclass(frozen=True)
class Failure:
    """Why a frame, or one prompt of it, has no answer.

    Attributes:
        status: READ_ERROR, BAD_SIZE, OOM or ERROR.
        message: one line without names or paths.
    """

    status: PredictionStatus
    message: str


@dataclass(frozen=True)
class Thresholding:
    """How maps become masks.

    Attributes:
        threshold: the probability above which a pixel is inside.
        combine: how several maps become one.
        across_prompts: whether the answers to the other prompts of a frame are members of each one's ensemble.
    """

    threshold: float
    combine: Combine
    across_prompts: bool = False


@dataclass(frozen=True)
class _Drawn:
    """One answer's maps as stored and seen.

    Attributes:
        stored: None where there is no map or one holds NaN or infinity.
        masks: bool (n, H, W), that of each `[SEG]`; None as `stored`.
        mask: bool (H, W), the combined one; None as `stored`.
        bad: how many of the logits are not finite.
    """

    stored: StoredLogits | None = None
    masks: np.ndarray | None = field(default=None, repr=False)
    mask: np.ndarray | None = field(default=None, repr=False)
    bad: int = 0


def frame_facts(image: Image.Image) -> FrameFacts:
    """The facts of a frame in mode RGB."""
    return FrameFacts(image.width, image.height, pixel_sha256(image))


def answered(
    frame: Frame,
    facts: FrameFacts,
    answers: Mapping[str, FramePrediction | Failure],
    thresholding: Thresholding,
    timing: Mapping[str, float | int],
) -> CaseResult:
    """The result of a frame that the predictor answered for.

    Args:
        answers: by prompt id; a failure where one prompt has none.
    Raises:
        ValueError: where the maps of an answer do not fit their rule of upsampling.
    """
    rows: list[PredictionRow] = []
    logits, masks, spreads = {}, {}, {}
    for prompt_id, answer in answers.items():
        if isinstance(answer, Failure):
            rows.append(_row(frame, facts, prompt_id, status=answer.status, message=answer.message))
            continue
        drawn = _draw(answer, facts, thresholding)
        others = [other for other in answers.values() if other is not answer] if thresholding.across_prompts else []
        members = members_of(answer, [one for one in others if isinstance(one, FramePrediction)])
        maps = member_maps(members, facts, thresholding.combine) if drawn.mask is not None and len(members) > 1 else []
        compared = {} if len(maps) < 2 else _compared(maps, thresholding.threshold)
        rows += _rows(frame, facts, prompt_id, answer, drawn, compared)
        if drawn.stored is not None and drawn.mask is not None:
            logits[prompt_id], masks[prompt_id] = drawn.stored, drawn.mask
            if compared:
                spreads[prompt_id] = spread(maps)
    return CaseResult(frame.case_id, tuple(rows), logits, masks, dict(timing), spreads=spreads)


def failed(
    frame: Frame,
    facts: FrameFacts | None,
    failure: Failure,
    prompt_ids: Sequence[str],
    timing: Mapping[str, float | int],
) -> CaseResult:
    """The result of a frame that has no answers: one row for each prompt, no maps, no masks."""
    rows = tuple(
        _row(frame, facts, prompt_id, status=failure.status, message=failure.message) for prompt_id in prompt_ids
    )
    return CaseResult(frame.case_id, rows, {}, {}, dict(timing))


def nameless(message: str, frame: Frame | None = None) -> str:
    """`message` on one line and shortened, with `...` for every path and for the name of the frame's file."""
    for trace in () if frame is None else (str(frame.path), frame.path.name, frame.path.stem):
        message = re.sub(rf"(?<!\w){re.escape(trace)}(?!\w)", "...", message)
    return " ".join(_PATH.sub("...", message).split())[:_MESSAGE_LIMIT]


def members_of(answer: FramePrediction, others: Sequence[FramePrediction]) -> list[FramePrediction]:
    """An answer, its members, and other answers to the same question with theirs; the answer first."""
    return [one for own in (answer, *others) for one in (own, *own.members)]


def member_maps(members: Sequence[FramePrediction], facts: FrameFacts, combine: Combine) -> list[np.ndarray]:
    """Probabilities of vessel, float32 (H, W), of each member; one without `[SEG]` found none anywhere.

    A member whose logits are not finite is left out, and is missed in the number of members.
    """
    maps = []
    for one in members:
        logits = np.asarray(one.logits, np.float32)
        if len(logits) == 0:
            maps.append(np.zeros((facts.height, facts.width), np.float32))
        elif np.isfinite(logits).all():
            stored = _stored(one, logits, facts)
            maps.append(expit(combined_map(stored.full_size(), combine, one.predicted_iou)))
    return maps


def _compared(maps: Sequence[np.ndarray], threshold: float) -> dict[str, float | int]:
    """What a row keeps of an ensemble. Masks are compared: where all are empty, maps are noise that never agrees."""
    masks = [one > np.float32(threshold) for one in maps]
    return {"members": len(maps), "disagreement": round(disagreement(masks), 6)}


def _stored(answer: FramePrediction, maps: np.ndarray, facts: FrameFacts) -> StoredLogits:
    return StoredLogits(
        logits=round_for_storage(maps),
        upsampling=answer.upsampling,
        network_size=answer.network_size,
        width=facts.width,
        height=facts.height,
    )


def _draw(answer: FramePrediction, facts: FrameFacts, thresholding: Thresholding) -> _Drawn:
    maps = np.asarray(answer.logits, np.float32)
    bad = int((~np.isfinite(maps)).sum())
    if len(maps) == 0 or bad:
        return _Drawn(bad=bad)
    stored = _stored(answer, maps, facts)
    full = stored.full_size()
    mask = combined_mask(full, thresholding.threshold, thresholding.combine, answer.predicted_iou)
    return _Drawn(stored, full > np.float32(threshold_logit(thresholding.threshold)), mask)


def _rows(
    frame: Frame,
    facts: FrameFacts,
    prompt_id: str,
    answer: FramePrediction,
    drawn: _Drawn,
    compared: Mapping[str, float | int],
) -> list[PredictionRow]:
    """A row for each `[SEG]`, or the one of an answer without any; `compared` is what its ensemble came to."""
    count = len(answer.logits)
    fraction = None if drawn.mask is None else float(drawn.mask.mean())
    shared = {
        "status": status_of(finite=not drawn.bad, truncated=answer.truncated, seg_count=count, mask_fraction=fraction),
        "text": answer.text,
        "message": _not_finite(drawn.bad, answer) if drawn.bad else None,
        "seg_count": count,
        "mask_pixels": None if drawn.mask is None else int(drawn.mask.sum()),
        "mask_fraction": None if fraction is None else round(fraction, 6),
        "token_count": answer.token_count,
        "tiles": answer.tiles,
        **compared,
    }
    if count == 0:
        return [_row(frame, facts, prompt_id, **shared)]
    return [
        _row(
            frame,
            facts,
            prompt_id,
            seg_index=index,
            predicted_iou=_finite(answer.predicted_iou, index),
            object_score=_finite(answer.object_score, index),
            rle=None if drawn.masks is None else _rle(drawn.masks[index]),
            **shared,
        )
        for index in range(count)
    ]


def _not_finite(bad: int, answer: FramePrediction) -> str:
    said = f"{bad} of {np.size(answer.logits)} logits are not finite"
    if answer.dtype is None:
        return said
    return f"{said} in {answer.dtype}" + ("; predict with --dtype bfloat16" if answer.dtype == "float16" else "")


def _row(frame: Frame, facts: FrameFacts | None, prompt_id: str, **known) -> PredictionRow:
    unknown = dict.fromkeys(column.name for column in fields(PredictionRow))
    given = {
        "case_id": frame.case_id,
        "frame": frame.number,
        "prompt_id": prompt_id,
        "patient": frame.patient,
        "sequence": frame.sequence,
        "split": frame.split,
        "position": frame.position,
        **({} if facts is None else asdict(facts)),
    }
    return PredictionRow(**{**unknown, **given, **known})


def _finite(values: np.ndarray | None, index: int) -> float | None:
    """One value; None where there is none or it is NaN or infinite, which JSON lacks."""
    if values is None or not np.isfinite(values[index]):
        return None
    return float(values[index])


def _rle(mask: np.ndarray) -> str:
    """COCO's compressed run lengths of a mask, bool (H, W)."""
    return coco_masks.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode("ascii")


def failure_of(frame: Frame, status: PredictionStatus, message: str) -> Failure:
    """A failure of a frame, its message without names."""
    return Failure(status, nameless(message, frame))


def model_failure(error: Exception, frame: Frame) -> Failure:
    """The failure of a frame that one of `MODEL_ERRORS` was raised for."""
    if is_out_of_memory(error):
        return Failure(PredictionStatus.OOM, "the frame does not fit in memory, even alone")
    return failure_of(frame, PredictionStatus.ERROR, f"{type(error).__name__}: {error}")


def device_failure(error: Exception) -> VesselkitError:
    """What to tell the user where the device itself failed."""
    return VesselkitError(
        f"the device failed ({nameless(str(error))}); the cases computed before are kept. Check the device and run "
        "the same command again"
    )
