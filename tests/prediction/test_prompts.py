"""A prompt that can never work is refused in every place that takes one, before anything is loaded."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.data.dataset import open_dataset
from helpers.data.opening import Opening
from helpers.notebook.parameters import validate
from helpers.notebook.pipeline import PipelineRequest, run_pipeline
from helpers.notebook.settings import InferSettings
from helpers.prediction.precision import check_precision
from helpers.prediction.predictor import DEFAULT_PROMPT, check_prompt, check_prompts
from helpers.prediction.run import predict
from helpers.stages.refseg_stage import refseg
from helpers.train.fine_tuning.samples import SegmentationSamples
from helpers.train.test_route.test_model import Sa2VAForPrediction
from tests.support.expressions import write_sa2va
from tests.support.fixture_model import draw_angiograms

HOPELESS = {
    "no words": "",
    "blanks": " \n\t",
    "the image alone": "<image>\n ",
    "image tokens": "Segment <IMG_CONTEXT> the vessels.",
    "two images": "<image>\n<image>\nSegment the vessels.",
    "an answer": "Sure, it is [SEG].",
    "the image's frame": "<img></img> Segment the vessels.",
    "a region": "Segment <vp> here.",
    "a phrase": "Segment <p>vessels</p>.",
    "the end of a turn": "Segment.<|im_end|>",
    "a turn of Phi-3": "<|user|> Segment the vessels.",
    "bytes that are no UTF-8": "Gef\udce4\udcdfe",
    "half a surrogate": "vessels \ud83d",
}
hopeless = pytest.mark.parametrize("prompt", HOPELESS.values(), ids=HOPELESS)


@hopeless
def test_what_can_never_work_is_refused_with_the_prompt_shown(prompt):
    with pytest.raises(UsageProblem, match=r"^the question: expected .* (got|in) ") as caught:
        check_prompt(prompt, "the question")
    str(caught.value).encode()


@pytest.mark.parametrize(
    "prompt",
    [
        DEFAULT_PROMPT,
        "<image>\n Please segment {expression} in this image.",
        "Describe it <image>.",
        "Gefäße 血管 {input} 'y' & z \U0001f9e0",
        "a < b and b > c, [seg] <b>bold</b> <IMAGE> | x |>",
    ],
)
def test_words_of_any_kind_are_asked(prompt):
    check_prompt(prompt)


@given(st.text())
def test_any_text_is_taken_or_refused_in_words_that_can_be_printed(text):
    try:
        check_prompt(text)
    except UsageProblem as error:
        assert str(error).encode().isascii() or text
        assert len(str(error)) < 900


def test_a_long_prompt_is_cut_in_the_message():
    with pytest.raises(UsageProblem) as caught:
        check_prompt("vessel " * 1000 + "[SEG]")
    assert "vessel vessel" in str(caught.value) and len(str(caught.value)) < 300


def test_prompts_are_some_and_each_is_another():
    check_prompts(["a", "b"])
    for given_prompts, words in (([], "got none"), (["a", "a"], "got one twice"), (["a", "[SEG]"], "own sign")):
        with pytest.raises(UsageProblem, match=words):
            check_prompts(given_prompts)


class _Unloaded:
    """What stands for a predictor that nobody may touch."""

    def __getattr__(self, name):
        raise AssertionError("something was loaded")


def _loads(*_):
    raise AssertionError("something was loaded")


@pytest.fixture
def data(tmp_path):
    return draw_angiograms(tmp_path / "data", 1)


@hopeless
def test_no_place_loads_anything_for_it(prompt, data, tmp_path):
    """The command `predict`, notebook 02, the pipeline, check-precision, refseg and mmengine's two configs."""
    sources = {"checkpoint": tmp_path / "nowhere", "opening": Opening(data), "output": tmp_path / "out"}
    expressions = open_dataset(write_sa2va(tmp_path / "refs", [_entry("left")]))
    places = {
        "predict": lambda: predict([], _Unloaded(), tmp_path / "out", [prompt]),
        "02_infer": lambda: validate(InferSettings, {"data": str(data), "prompts": ["vessels", prompt]}),
        "pipeline": lambda: next(run_pipeline(PipelineRequest(**sources, prompts=("vessels", prompt)))),
        "check-precision": lambda: check_precision(tmp_path, [], prompt, load=_loads),
        "refseg": lambda: refseg(expressions, {}, _loads, tmp_path / "out", prompt),
        "runner": lambda: Sa2VAForPrediction(model_dir=str(tmp_path), prompt=prompt),
        "training": lambda: SegmentationSamples(str(tmp_path / "nowhere"), prompts=["{text}", prompt]),
    }
    for place, ask in places.items():
        with pytest.raises(UsageProblem, match="expected"):
            ask()
            pytest.fail(f"{place} went on")
    assert not (tmp_path / "out").exists()


def test_the_words_of_an_expression_are_checked_with_their_id(tmp_path):
    dataset = open_dataset(write_sa2va(tmp_path / "refs", [_entry("left"), _entry("the <image> and <image>")]))
    with pytest.raises(RefusedInput, match=r"expression a-E02: expected <image> at most once"):
        refseg(dataset, {}, _loads, tmp_path / "out")
    assert not Path(tmp_path / "out").exists()


def _entry(text):
    square = [1, 1, 4, 1, 4, 4, 1, 4]
    return {"image": "a.png", "mask": [[square]], "text": [text]}
