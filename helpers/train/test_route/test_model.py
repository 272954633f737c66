"""Sa2VA as mmengine's Runner tests it: the predictor of `vesselkit predict` behind `test_step`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import nn

from helpers.core.errors import UsageProblem
from helpers.core.given_values import known_word
from helpers.core.vocabulary import Combine
from helpers.data.frames.frame import Frame
from helpers.prediction.engine.case_result import Thresholding
from helpers.prediction.engine.case_writer import full_map, results_of
from helpers.prediction.engine.composition import NOTHING
from helpers.prediction.engine.io_threads import load
from helpers.prediction.model_choice import Composition, ModelChoice
from helpers.prediction.predictor import DEFAULT_PROMPT
from helpers.prediction.run import check_parameters
from helpers.prediction.sa2va_predictor import TOKEN_LIMIT, Sa2VAPredictor
from helpers.runs.case_parts import CaseResult
from helpers.train.test_route.mmengine_scope import MODEL_WRAPPERS, MODELS

_PROMPT_ID = "p1"


@MODELS.register_module()
class Sa2VAForPrediction(BaseModel):
    """Predicts frames with an exported folder, or with a model composed from a training checkpoint (`load_from`).

    The weights are not parameters of this module: the kit puts them on their device, in their dtype.
    """

    def __init__(
        self,
        model_dir: str | None = None,
        *,
        base: str | None = None,
        sam2: str | None = None,
        sam2_config: str | None = None,
        train_config: str | None = None,
        lora_alpha: float | None = None,
        template: str | None = None,
        pretrained: str | None = None,
        prompt: str = DEFAULT_PROMPT,
        threshold: float = 0.5,
        combine: str = "union",
        device: str = "auto",
        dtype: str = "auto",
        token_limit: int = TOKEN_LIMIT,
    ):
        """Check the parameters, and load the folder where one is given.

        Args:
            model_dir: folder that `vesselkit convert` wrote; None where `load_from` names a checkpoint.
            base, sam2, sam2_config, train_config, lora_alpha, template, pretrained: what a checkpoint is composed with,
                see `helpers.prediction.engine.composition.compose`.
            prompt: the user's words.
            threshold, combine: as in `vesselkit predict`.
            device, dtype, token_limit: likewise.
        Raises:
            UsageProblem: for parameters that cannot work.
            RefusedInput: for a folder that cannot be loaded.
        """
        super().__init__()
        check_parameters([prompt], threshold)
        sources = Composition(
            _path(base),
            _path(sam2),
            sam2_config,
            _path(train_config),
            lora_alpha,
            template,
            pretrained if pretrained == NOTHING else _path(pretrained),
        )
        if model_dir and sources.given:
            raise UsageProblem(
                f"model.{sources.given[0]}: expected load_from beside it, got model.model_dir. Leave one of them out"
            )
        self._choice = ModelChoice(
            _path(model_dir or None), None, sources, device=device, dtype=dtype, max_new_tokens=token_limit
        )
        self._choice.check_device(_spelling)
        self._prompts = {_PROMPT_ID: prompt}
        self._thresholding = Thresholding(threshold, known_word(Combine, combine, "model.combine"))
        self._predictor: Sa2VAPredictor | None = None
        if model_dir:
            self._predictor = self._choice.open(_spelling).load()

    @property
    def has_weights(self) -> bool:
        """Whether a model was loaded or composed."""
        return self._predictor is not None

    @property
    def identity(self) -> Mapping[str, Any]:
        """JSON object that says which weights these are. Raises UsageProblem where there are none."""
        return self._loaded().identity

    def compose(self, checkpoint: Path) -> None:
        """Compose the model from a checkpoint by the kit's reader, every tensor accounted for.

        Raises:
            UsageProblem: where `model_dir` was given too.
            RefusedInput: as `vesselkit convert`.
        """
        if self._predictor is not None:
            raise UsageProblem("load_from: model.model_dir was given too. Leave one of them out")
        self._predictor = replace(self._choice, checkpoint=checkpoint).open(_spelling).load()

    def test_step(self, data: Mapping[str, Sequence[Frame]]) -> list[BaseDataElement]:
        """One element for each frame, see `forward`. Called by mmengine's test loop."""
        return self(data["frame"])

    def val_step(self, data: Mapping[str, Sequence[Frame]]) -> list[BaseDataElement]:
        """As `test_step`."""
        return self.test_step(data)

    def forward(self, frames: Sequence[Frame]) -> list[BaseDataElement]:
        """Predict one batch.

        Each element has `case_id`, `status`, `text`, `logits` (float32 (H, W), the combined map from what a run would
        store in float16) and `mask` (bool (H, W)); logits and mask are None for a frame that failed.
        """
        predictor = self._loaded()
        loaded = [load(frame, predictor) for frame in frames]
        results = results_of(predictor, loaded, self._prompts, self._thresholding)
        return [self._element(result) for result in results]

    def _element(self, result: CaseResult) -> BaseDataElement:
        row = result.rows[0]
        element = BaseDataElement(metainfo={"case_id": result.case_id, "status": str(row.status), "text": row.text})
        element.logits = full_map(result, _PROMPT_ID, self._thresholding.combine)
        element.mask = result.masks.get(_PROMPT_ID)
        return element

    def _loaded(self) -> Sa2VAPredictor:
        if self._predictor is None:
            raise UsageProblem(
                "expected weights, got none: give model.model_dir (a folder that `vesselkit convert` wrote), or "
                "load_from (a checkpoint) with the hook vesselkit.ComposeHook"
            )
        return self._predictor


@MODEL_WRAPPERS.register_module()
class SeparateProcesses(nn.Module):
    """In place of mmengine's DistributedDataParallel, which refuses a model without gradients: nothing is shared."""

    def __init__(self, module: Sa2VAForPrediction):
        super().__init__()
        self.module = module

    def test_step(self, data: Mapping[str, Sequence[Frame]]) -> list[BaseDataElement]:
        """That of the model."""
        return self.module.test_step(data)

    def val_step(self, data: Mapping[str, Sequence[Frame]]) -> list[BaseDataElement]:
        """That of the model."""
        return self.module.val_step(data)


def _path(given: str | None) -> Path | None:
    return None if given is None else Path(given).expanduser()


def _spelling(parameter: str) -> str:
    """How a config writes the name of a parameter of this module."""
    names = {"model": "model_dir", "checkpoint": "load_from", "max_new_tokens": "token_limit"}
    name = names.get(parameter, parameter)
    return name if name == "load_from" else f"model.{name}"
