"""Steps of `02_infer`: open a data set, predict it into a run folder, and try prompts on its frames in a box.

The box shows one frame, one text, the panels, the answer and the seconds. Nothing of it is kept or scored.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path

import ipywidgets as widgets

from helpers.core.errors import MORE_MEMORY, UsageProblem, VesselkitError
from helpers.core.vocabulary import Combine, Quantization
from helpers.data.cases import Case
from helpers.data.dataset import Dataset
from helpers.notebook.settings import InferSettings
from helpers.prediction.engine.case_result import MODEL_ERRORS, Thresholding
from helpers.prediction.engine.case_writer import results_of
from helpers.prediction.engine.io_threads import load
from helpers.prediction.engine.memory_estimate import is_out_of_memory
from helpers.prediction.engine.model_loading import ModelIdentity
from helpers.prediction.ensemble import parse_ensemble
from helpers.prediction.model_choice import ModelChoice
from helpers.prediction.predictor import Predictor, check_prompt
from helpers.review.case_panels import case_panel
from helpers.review.figures.figure_file import png_bytes
from helpers.review.figures.panels import contact_sheet
from helpers.runs.asked_prompts import FIRST_PROMPT_ID
from helpers.runs.run_folder import Run
from helpers.runs.status import PredictionStatus
from helpers.stages.predict_stage import Predicted, PredictRequest

NOTICE = "looking, not measuring: nothing is kept or scored"
_NO_SEG = "the answer holds no [SEG], so that there is no mask. Name what to segment: such prompts were trained"


def open_data(settings: InferSettings) -> Dataset:
    """The data set of the notebook; a limit takes the first of its cases."""
    return settings.opening.open()


def first_cases(settings: InferSettings, dataset: Dataset) -> Dataset:
    """The data set with no more cases than are predicted."""
    return replace(dataset, cases=dataset.cases[: settings.limit])


def check_call(settings: InferSettings, model: Path, output: Path) -> ModelIdentity:
    """Which model it is, once all that is cheap to check has been: device, number type, memory, folders."""
    identity = _request(settings, model, output).check().identity
    if identity is None:
        raise UsageProblem(f"model: expected a model folder with its fingerprints, got {model}. Name one")
    return ModelIdentity(**identity)


def predict_data(settings: InferSettings, model: Path, dataset: Dataset, output: Path) -> Run:
    """Predict the frames of a data set, going on where an earlier run of the same configuration stopped.

    The model gets frames alone; the ground truth stays in `dataset`. Raises as `PredictRequest.run`, and VesselkitError
    where every case ended in an error.
    """
    run = Predicted(_request(settings, model, output).check().predict(dataset), dataset).finished_run()
    if run is None:
        raise VesselkitError(f"{output}: the run is not complete; run this notebook again with the same parameters")
    return run


@dataclass(frozen=True)
class PromptResult:
    """What one prompt gave on one frame.

    Attributes:
        picture: PNG of the four panels; None where the frame cannot be read.
        answer: the model's words, special tokens included; None where there is no answer.
        problem: why there is no mask; None where there is one.
        seconds: of preparing and predicting the frame.
    """

    picture: bytes | None = field(repr=False)
    answer: str | None
    problem: str | None
    seconds: float


class PromptBox:
    """The box as a widget. The model is loaded when the button is first pressed, and kept.

    Attributes:
        widget: to be displayed.
    """

    def __init__(
        self,
        open_predictor: Callable[[], Predictor],
        cases: Sequence[Case],
        prompt: str,
        thresholding: Thresholding,
        stamp: str | None = None,
    ):
        """Make a box.

        Args:
            open_predictor: loads the model; may raise VesselkitError.
            cases: to choose from, at least one.
            prompt: that stands in the box first.
            stamp: that the pictures carry, see `helpers.core.watermark`.
        """
        self._open_predictor = open_predictor
        self._predictor: Predictor | None = None
        self._cases = {case.case_id: case for case in cases}
        self._thresholding = thresholding
        self._stamp = stamp
        wide = widgets.Layout(width="auto")  # within the margins, which 100 % would go beyond
        self.prompt = widgets.Text(prompt, description="prompt", layout=wide)
        self.frame = widgets.Dropdown(options=list(self._cases), description="frame")
        self.button = widgets.Button(description="Try", button_style="primary")
        self.said = widgets.HTML()
        self.picture = widgets.Image(format="png", layout=widgets.Layout(width="100%", display="none"))
        self.button.on_click(lambda _: self.press())
        for chosen in (self.prompt, self.frame):  # what is shown is of another frame or prompt then
            chosen.observe(lambda _: self._clear(), "value")
        self.widget = widgets.VBox(
            [
                self.prompt,
                widgets.HBox([self.frame, self.button, widgets.HTML(f"<em>{NOTICE}</em>")]),
                self.said,
                self.picture,
            ]
        )

    def press(self) -> None:
        """Look at the chosen frame with the text in the box; what goes wrong is a line in the box."""
        self.button.disabled = True
        self._clear()
        try:
            check_prompt(self.prompt.value)
            predictor, loaded = self._load()
            self._say("predicting ...")
            found = look(predictor, self._cases[self.frame.value], self.prompt.value, self._thresholding, self._stamp)
        except VesselkitError as error:
            self._say(str(error))
        except MODEL_ERRORS as error:
            self._say(MORE_MEMORY if is_out_of_memory(error) else f"the model failed: {type(error).__name__}: {error}")
        else:
            self._show(found, loaded)
        finally:
            self.button.disabled = False

    def _load(self) -> tuple[Predictor, float | None]:
        """The predictor, and the seconds of loading it; None where it was loaded before."""
        if self._predictor is not None:
            return self._predictor, None
        self._say("loading the model ...")
        started = time.perf_counter()
        self._predictor = self._open_predictor()
        return self._predictor, time.perf_counter() - started

    def _show(self, found: PromptResult, loaded: float | None) -> None:
        timed = f"{found.seconds:.2f} s" + ("" if loaded is None else f", and {loaded:.1f} s to load the model")
        answer = [] if found.answer is None else [f"answer: {found.answer}"]
        self._say(*answer, *filter(None, [found.problem]), timed)
        if found.picture is not None:
            self.picture.value = found.picture
            self.picture.layout.display = ""

    def _clear(self) -> None:
        self.picture.layout.display = "none"
        self._say()

    def _say(self, *lines: str) -> None:
        self.said.value = "<br>".join(escape(line) for line in lines)


def prompt_box(settings: InferSettings, model: Path, dataset: Dataset, run: Run) -> PromptBox:
    """A box to try prompts in, on the frames of a data set; it loads the model when it is first used."""
    thresholding = Thresholding(settings.threshold, Combine(settings.combine))
    return PromptBox(
        lambda: _choice(settings, model).open().load(), dataset.cases, settings.prompts[0], thresholding, run.stamp
    )


def _request(settings: InferSettings, model: Path, output: Path) -> PredictRequest:
    return PredictRequest(
        settings.opening,
        output,
        _choice(settings, model),
        tuple(settings.prompts),
        settings.threshold,
        Combine(settings.combine),
        settings.batch_size,
        settings.limit,
        ensemble=parse_ensemble(settings.ensemble),
    )


def _choice(settings: InferSettings, model: Path) -> ModelChoice:
    quantize = None if settings.quantize is None else Quantization(settings.quantize)
    return ModelChoice(model, device=settings.device, dtype=settings.dtype, quantize=quantize)


def look(
    predictor: Predictor, case: Case, prompt: str, thresholding: Thresholding, stamp: str | None = None
) -> PromptResult:
    """Predict one frame, then draw its panels beside its ground truth, which the predictor is not given.

    Raises:
        UsageProblem: for a prompt that can never work.
    """
    check_prompt(prompt)
    started = time.perf_counter()
    (result,) = results_of(predictor, [load(case.frame, predictor)], {FIRST_PROMPT_ID: prompt}, thresholding)
    seconds = time.perf_counter() - started
    row = result.rows[0]
    panel = case_panel(case, result.masks.get(FIRST_PROMPT_ID), str(row.status))
    picture = None if panel is None else png_bytes(contact_sheet([panel], stamp=stamp))
    return PromptResult(picture, row.text, _problem(row.status, row.message), seconds)


def _problem(status: PredictionStatus, message: str | None) -> str | None:
    if status is PredictionStatus.NO_SEG:
        return _NO_SEG
    if status is PredictionStatus.OOM:
        return f"{message}. {MORE_MEMORY}"
    return None if message is None else f"{status}: {message}"
