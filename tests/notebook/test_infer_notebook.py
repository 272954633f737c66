"""Notebook 02's prediction: a run that predicted nothing fails the notebook, and so whatever runs it."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput, UsageProblem, VesselkitError
from helpers.core.vocabulary import Combine
from helpers.data.cases import Case
from helpers.notebook import infer_notebook
from helpers.notebook.infer_notebook import NOTICE, PromptBox, look, open_data, predict_data
from helpers.notebook.parameters import validate
from helpers.notebook.settings import InferSettings
from helpers.prediction.engine.case_result import Thresholding
from helpers.prediction.predictor import DEFAULT_PROMPT
from helpers.review.figures import panels
from helpers.runs.run_folder import open_run
from tests.support.drawn_frames import draw_frames
from tests.support.plain_predictor import PlainPredictor

THRESHOLDING = Thresholding(0.5, Combine.UNION)


def test_a_run_of_which_every_case_is_an_error_fails_the_notebook(fixture_folder, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.png").write_bytes(b"broken")
    settings = validate(InferSettings, {"data": str(data), "device": "cpu", "dtype": "float32"})
    with pytest.raises(VesselkitError, match=r"1 read_error[\s\S]*nothing was predicted; the first: ") as caught:
        predict_data(settings, fixture_folder, open_data(settings), tmp_path / "run")
    assert caught.value.exit_code == 1 and open_run(tmp_path / "run").rows[0].status == "read_error"


class Whole:
    """A ground truth of every pixel."""

    size = None

    def mask(self, width, height):
        return np.ones((height, width), bool)


@pytest.fixture
def cases(tmp_path):
    first, second = draw_frames(tmp_path, [1, 2])
    return [Case(first, Whole()), Case(second)]


@pytest.fixture
def drawn(monkeypatch):
    """What the panels were drawn of."""
    given = []
    monkeypatch.setattr(
        infer_notebook,
        "contact_sheet",
        lambda shown, **more: given.extend(shown) or panels.contact_sheet(shown, **more),
    )
    return given


def box_of(cases, predictor, loads=None):
    def opened():
        if loads is not None:
            loads.append(1)
        if isinstance(predictor, Exception):
            raise predictor
        return predictor

    return PromptBox(opened, cases, DEFAULT_PROMPT, THRESHOLDING)


def no_seg(answer):
    return replace(answer, text="I see none.", logits=answer.logits[:0], predicted_iou=None, object_score=None)


def test_a_press_shows_panels_answer_and_seconds_and_loads_once(cases, drawn):
    loads = []
    box = box_of(cases, PlainPredictor(), loads)
    assert not loads and box.picture.layout.display == "none"
    box.button.click()
    assert "answer: [SEG]." in box.said.value and "to load the model" in box.said.value
    assert Image.open(BytesIO(box.picture.value)).format == "PNG" and box.picture.layout.display == ""
    assert drawn[0].truth.mask.all() and drawn[0].prediction.mask.sum() == 1
    box.frame.value = "c02"
    box.button.click()
    assert loads == [1] and "to load" not in box.said.value and " s" in box.said.value
    assert drawn[1].case_id == "c02" and drawn[1].truth is None
    assert not box.button.disabled


def test_another_frame_or_prompt_takes_away_what_is_of_the_one_before(cases, drawn):
    box = box_of(cases, PlainPredictor())
    for choose in (lambda: setattr(box.frame, "value", "c02"), lambda: setattr(box.prompt, "value", "Segment.")):
        box.button.click()
        assert box.picture.layout.display == "" and "answer" in box.said.value
        choose()
        assert box.picture.layout.display == "none" and box.said.value == ""


def test_the_box_says_that_it_measures_nothing(cases):
    assert NOTICE == "looking, not measuring: nothing is kept or scored"
    (row,) = [child for child in box_of(cases, PlainPredictor()).widget.children if hasattr(child, "children")]
    assert any(NOTICE in getattr(child, "value", "") for child in row.children)


def test_the_predictor_gets_the_frame_and_the_text_alone(cases):
    seen = []

    class Watching(PlainPredictor):
        def predict(self, prepared, prompts):
            seen.append((len(prepared), prompts))
            return super().predict(prepared, prompts)

    truths = [look(Watching(), Case(cases[0].frame, truth), "vessels", THRESHOLDING) for truth in (None, Whole())]
    assert seen == [(1, ("vessels",))] * 2 and truths[0].answer == truths[1].answer


@pytest.mark.parametrize(
    ("prompt", "said"),
    [(" ", "prompt: expected words"), ("Segment [SEG]", "own sign [SEG]"), ("<image><image>x", "at most once")],
)
def test_a_prompt_that_cannot_work_is_a_line_and_loads_nothing(cases, prompt, said):
    loads = []
    box = box_of(cases, PlainPredictor(), loads)
    box.prompt.value = prompt
    box.button.click()
    assert said in box.said.value.replace("&#x27;", "'") and not loads
    assert box.picture.layout.display == "none" and not box.button.disabled


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (no_seg, "the answer holds no [SEG], so that there is no mask"),
        (MemoryError(), "does not fit in memory, even alone. Close other programs"),
        (ValueError("no kernel"), "ValueError: no kernel"),
    ],
)
def test_an_answer_without_a_mask_says_why_and_leaves_the_panel_empty(cases, drawn, fault, said):
    box = box_of(cases, PlainPredictor({1: fault}))
    box.button.click()
    assert said in box.said.value
    assert drawn[0].prediction is None and box.picture.layout.display == ""


def test_a_frame_that_cannot_be_read_is_a_line(cases):
    cases[0].frame.path.write_bytes(b"broken")
    box = box_of(cases, PlainPredictor())
    box.button.click()
    assert "read_error" in box.said.value and "Doe" not in box.said.value
    assert box.picture.layout.display == "none"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UsageProblem("the model needs about 16 GB on cpu"), "needs about 16 GB"),
        (RefusedInput("<b>config.json</b>"), "&lt;b&gt;config.json"),
        (MemoryError(), "Close other programs"),
        (RuntimeError("CUDA error"), "the model failed: RuntimeError: CUDA error"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_a_line_and_is_tried_again(cases, error, said):
    loads = []
    box = box_of(cases, error, loads)
    box.button.click()
    assert said in box.said.value and not box.button.disabled
    box.button.click()
    assert loads == [1, 1]
