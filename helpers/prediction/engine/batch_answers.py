"""The answers of frames predicted together; where that fails, of fewer frames, then of fewer prompts at a time."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch

from helpers.prediction.engine.case_result import MODEL_ERRORS, Failure, device_failure, model_failure
from helpers.prediction.engine.chunks import chunks, image_chunks
from helpers.prediction.engine.io_threads import Loaded
from helpers.prediction.engine.memory_estimate import empty_cache, is_out_of_memory
from helpers.prediction.predictor import AsksEach, FramePrediction, Predictor
from helpers.runs.asked_prompts import AskedPrompts

logger = logging.getLogger(__name__)

# Of frames with prompts of their own, the prompts that are answered together: a batch of frames may have hundreds.
PROMPTS_AT_ONCE = 32

Answers = tuple[FramePrediction | Failure, ...]


@dataclass(frozen=True)
class _Question:
    """A frame that was read, with prompts to ask of it at once."""

    item: Loaded
    prompts: tuple[str, ...]


def answers_of(predictor: Predictor, ready: Sequence[Loaded], prompts: AskedPrompts) -> list[Answers | Failure]:
    """An answer or a failure for each prompt of each frame; one failure where all prompts of a frame share it.

    Frames that are all asked the same go through the predictor together. Of frames with prompts of their own, so many
    do as have `PROMPTS_AT_ONCE` together; a frame that has more by itself is asked in parts. Where a call fails, its
    frames are asked by halves (memory) or alone (error), and a frame alone by halves of its prompts.

    Raises:
        VesselkitError: where the device itself failed.
    """
    asked = [_Question(item, tuple(prompts.of(item.frame.case_id).values())) for item in ready]
    if prompts.own is None:
        return [_joined(found) for found in _answers(predictor, asked)]
    parts = [
        _Question(one.item, one.prompts[some]) for one in asked for some in chunks(len(one.prompts), PROMPTS_AT_ONCE)
    ]
    calls = image_chunks([len(part.prompts) for part in parts], PROMPTS_AT_ONCE)
    answers = [found for places in calls for found in _answers(predictor, [parts[place] for place in places])]
    whole = groupby(zip(parts, answers, strict=True), key=lambda pair: pair[0].item.frame.case_id)
    return [_joined([answer for _, found in pairs for answer in found]) for _, pairs in whole]


def _joined(answers: Sequence[FramePrediction | Failure]) -> Answers | Failure:
    first = answers[0]
    return first if isinstance(first, Failure) and all(one == first for one in answers) else tuple(answers)


def _answers(predictor: Predictor, questions: Sequence[_Question]) -> list[list[FramePrediction | Failure]]:
    """Answers to questions asked together. Where that fails, to fewer at a time, see `answers_of`."""
    failed, found = _attempt(predictor, questions)
    if failed is None:
        return found
    out_of_memory = is_out_of_memory(failed)
    if out_of_memory:
        empty_cache()
    words = "does not fit in memory" if out_of_memory else "failed"
    if len(questions) > 1:
        logger.warning("a batch of %d frames %s; trying fewer at a time", len(questions), words)
        step = (len(questions) + 1) // 2 if out_of_memory else 1
        shares = (questions[start : start + step] for start in range(0, len(questions), step))
        return [answers for share in shares for answers in _answers(predictor, share)]
    (one,) = questions
    case_id, count = one.item.frame.case_id, len(one.prompts)
    if count > 1:
        logger.warning("%s: a pass of %d prompts %s; trying fewer at a time", case_id, count, words)
        halves = (one.prompts[: count // 2], one.prompts[count // 2 :])
        return [[answer for half in halves for answer in _answers(predictor, [_Question(one.item, half)])[0]]]
    if out_of_memory:
        failed, found = _attempt(predictor, questions)
        if failed is None:
            return found
    failure = model_failure(failed, one.item.frame)
    logger.warning("%s: %s (%s)", case_id, failure.status, failure.message)
    return [[failure]]


def _attempt(
    predictor: Predictor, questions: Sequence[_Question]
) -> tuple[Exception | None, list[list[FramePrediction | Failure]]]:
    """What the model raised, or the answers. Only the error's text is kept: its frames would hold device memory."""
    try:
        return None, [[*answers] for answers in _ask(predictor, questions)]
    except torch.AcceleratorError as error:
        raise device_failure(error) from error
    except MODEL_ERRORS as error:
        return error.with_traceback(None), []


def _ask(predictor: Predictor, questions: Sequence[_Question]) -> list[list[FramePrediction]]:
    """The predictor's answers: of all frames in one call where it takes prompts for each, else of those asked alike."""
    prepared = [one.item.prepared for one in questions]
    asked = [one.prompts for one in questions]
    if len(set(asked)) > 1 and isinstance(predictor, AsksEach):
        return predictor.predict_each(prepared, asked)
    found: dict[int, list[FramePrediction]] = {}
    for prompts in dict.fromkeys(asked):
        places = [place for place, own in enumerate(asked) if own == prompts]
        answers = predictor.predict([prepared[place] for place in places], prompts)
        found |= dict(zip(places, answers, strict=True))
    return [found[place] for place in range(len(questions))]
