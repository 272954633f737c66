"""Answers of frames that are predicted together, and what becomes of those whose call fails."""

import pytest

from helpers.prediction.engine import batch_answers
from helpers.prediction.engine.batch_answers import answers_of
from helpers.prediction.engine.case_result import Failure
from helpers.prediction.engine.io_threads import load
from helpers.runs.asked_prompts import AskedPrompts
from tests.support.drawn_frames import draw_frames


class Recorder:
    """Answers a prompt with the frame's mark and the words; `most` prompts fit in memory, and `boom` fails."""

    identity, settings = {}, {"device": "cpu"}

    def __init__(self, most=99):
        self.most, self.calls = most, []

    def prepare(self, image):
        return image.getpixel((0, 0))[0]

    def predict(self, prepared, prompts):
        return self.predict_each(prepared, [prompts] * len(prepared))

    def predict_each(self, prepared, prompts):
        self.calls.append([len(own) for own in prompts])
        if sum(map(len, prompts)) > self.most:
            raise MemoryError
        if any("boom" in own for own in prompts):
            raise ValueError("boom")
        return [[(mark, words) for words in own] for mark, own in zip(prepared, prompts, strict=True)]


@pytest.fixture
def ready(tmp_path):
    return [load(frame, Recorder()) for frame in draw_frames(tmp_path, [1, 2, 3])]


def own(*counts):
    return {f"c{number:02d}": [f"w{word}" for word in range(count)] for number, count in enumerate(counts, start=1)}


@pytest.mark.parametrize(
    ("counts", "calls"),
    [
        ((3, 1, 2), [[3, 1], [2]]),
        ((1, 1, 2), [[1, 1, 2]]),
        ((4, 4, 4), [[4], [4], [4]]),
        ((9, 1, 3), [[4], [4], [1, 1], [3]]),
        ((2, 5, 1), [[2], [4], [1, 1]]),
    ],
)
def test_frames_with_few_prompts_go_together_and_many_prompts_apart(ready, monkeypatch, counts, calls):
    monkeypatch.setattr(batch_answers, "PROMPTS_AT_ONCE", 4)
    predictor, prompts = Recorder(), AskedPrompts.numbered(own(*counts))
    found = answers_of(predictor, ready, prompts)
    assert predictor.calls == calls
    assert found == [
        tuple((mark, f"w{word}") for word in range(count)) for mark, count in zip((1, 2, 3), counts, strict=True)
    ]


def test_frames_that_are_all_asked_the_same_are_one_call(ready, monkeypatch):
    monkeypatch.setattr(batch_answers, "PROMPTS_AT_ONCE", 4)
    predictor = Recorder()
    answers_of(predictor, ready, AskedPrompts.numbered(["a", "b", "c"]))
    assert predictor.calls == [[3, 3, 3]]


def test_what_does_not_fit_is_halved_first_by_frames_then_by_prompts(ready):
    predictor = Recorder(most=2)
    found = answers_of(predictor, ready, AskedPrompts.numbered(own(1, 5, 1)))
    assert predictor.calls == [[1, 5, 1], [1, 5], [1], [5], [2], [3], [1], [2], [1]]
    assert [len(answers) for answers in found] == [1, 5, 1] and found[1][4] == (2, "w4")


def test_a_prompt_too_large_even_alone_is_tried_once_more(ready):
    predictor = Recorder(most=0)
    (failure,) = answers_of(predictor, ready[:1], AskedPrompts.numbered(["a"]))
    assert isinstance(failure, Failure) and str(failure.status) == "oom" and predictor.calls == [[1], [1]]


def test_a_prompt_that_fails_fails_alone_and_failures_of_one_kind_are_one(ready):
    prompts = AskedPrompts.numbered({"c01": ["a", "boom", "b"], "c02": ["boom"], "c03": ["c"]})
    first, second, third = answers_of(Recorder(), ready, prompts)
    assert first[0] == (1, "a") and first[2] == (1, "b") and str(first[1].status) == "error"
    assert isinstance(second, Failure) and third == ((3, "c"),)
    both = answers_of(Recorder(most=0), ready[:1], AskedPrompts.numbered(["a", "b"]))
    assert isinstance(both[0], Failure)
