"""Which predictor a run takes, and what it runs on: all of it is checked before anything is loaded."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from helpers.core.errors import UsageProblem
from helpers.core.given_values import Spelling, input_path, optional_input_path
from helpers.core.vocabulary import Baseline, Mode, Quantization
from helpers.model.graphed_model import GraphedModel
from helpers.prediction.engine import composition, model_loading
from helpers.prediction.frangi import Tuned, VesselnessPredictor, read_settings
from helpers.prediction.sa2va_predictor import TOKEN_LIMIT, Sa2VAPredictor
from helpers.prediction.sequences.sequence_tracking import SequencePredictor

# The classical baseline. A folder of this name is given as a path, such as ./frangi.
BASELINE = Baseline.FRANGI.value

# A predictor of frames, or a `SequencePredictor` where the mode follows sequences: who asks for the mode knows which.
AnyPredictor = Any


@dataclass(frozen=True)
class Composition:
    """What a checkpoint is composed with; the fields are those of `ConversionRequest`, None lets the sources decide."""

    base: Path | None = None
    sam2: Path | None = None
    sam2_config: str | None = None
    train_config: Path | None = None
    lora_alpha: float | None = None
    template: str | None = None
    pretrained: Path | str | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """The names of the fields that are not None."""
        return tuple(name for name, value in vars(self).items() if value is not None)

    def found(self, spell: Spelling = str) -> "Composition":
        """The same with absolute paths. Raises UsageProblem where nothing is at one of them."""
        paths: dict[str, Any] = {
            name: optional_input_path(getattr(self, name), spell(name)) for name in ("base", "sam2")
        }
        paths["train_config"] = optional_input_path(self.train_config, spell("train_config"))
        sizes, pretrained = self.sam2_config, self.pretrained
        if sizes is not None and sizes.endswith(".json"):
            sizes = str(input_path(sizes, spell("sam2_config")))
        if pretrained is not None and pretrained != composition.NOTHING:
            pretrained = input_path(pretrained, spell("pretrained"))
        return replace(self, **paths, sam2_config=sizes, pretrained=pretrained)


@dataclass(frozen=True)
class OpenedChoice:
    """A choice that was checked as far as it can be without loading.

    Attributes:
        identity: JSON object that says which weights these are; None for a checkpoint that is yet to be composed.
        load: loads the predictor.
    """

    identity: Mapping[str, Any] | None
    load: Callable[[], AnyPredictor] = field(repr=False)


@dataclass(frozen=True)
class ModelChoice:
    """Which model predicts, and how.

    Attributes:
        model: folder that `convert` wrote, or BASELINE; None where a checkpoint is given.
        checkpoint: to compose a model from, in memory, with `composition`.
        model_config: settings of the baseline, as `vesselkit tune` wrote them; None for the documented defaults.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        dtype: `auto` or a name of `helpers.prediction.engine.dtypes.DTYPES`.
        quantize: how the weights of the language model are held; None leaves them in the dtype.
        mode: whether each frame is predicted by itself, or sequences are followed.
        cuda_graphs: replay the model's passes on a GPU.
        max_new_tokens: most tokens of an answer.
    """

    model: Path | str | None = None
    checkpoint: Path | None = None
    composition: Composition = Composition()
    model_config: Path | None = None
    device: str = "auto"
    dtype: str = "auto"
    quantize: Quantization | None = None
    mode: Mode = Mode.FRAME
    cuda_graphs: bool = False
    max_new_tokens: int = TOKEN_LIMIT

    @property
    def is_baseline(self) -> bool:
        """Whether the classical baseline predicts, which knows no network, prompt or sequence."""
        return self.model == BASELINE

    def check(self, spell: Spelling = str) -> None:
        """Raise UsageProblem where parameters do not go together; no file is looked at."""
        if (self.model is None) == (self.checkpoint is None):
            raise UsageProblem(
                f"model: expected {spell('model')} DIR (a folder that `vesselkit convert` wrote) or "
                f"{spell('checkpoint')} CKPT, got "
                f"{'neither; there is no default model' if self.model is None else 'both'}"
            )
        plain, follows = self.is_baseline, self.mode is not Mode.FRAME
        model, checkpoint, mode, graphs = map(spell, ("model", "checkpoint", "mode", "cuda_graphs"))
        baseline = f"{model} {BASELINE}"
        # What was given, whether something stands against it, and what to do; the first is told.
        against = (
            *(
                (spell(name), self.model is not None, f"goes with {checkpoint}, and {model} was given. Leave it out")
                for name in self.composition.given
            ),
            (spell("model_config"), self.model_config and not plain, f"goes with {baseline}. Leave it out"),
            (
                f"{mode} {self.mode}",
                plain and follows,
                f"follows sequences with a Sa2VA model, frame by frame. Leave {baseline} out",
            ),
            (spell("quantize"), plain and self.quantize, f"{baseline} is not a network. Leave it out"),
            (graphs, plain and self.cuda_graphs, f"{baseline} is not a network. Leave it out"),
            (graphs, follows and self.cuda_graphs, f"goes with {mode} frame, got {self.mode}. Leave it out"),
        )
        for given, stands, advice in against:
            if stands:
                raise UsageProblem(f"{given}: {advice}")

    def found(self, spell: Spelling = str) -> "ModelChoice":
        """The same with absolute paths. Raises UsageProblem where nothing is at one of them."""
        return replace(
            self,
            model=self.model if self.model in (None, BASELINE) else input_path(self.model, spell("model")),
            checkpoint=optional_input_path(self.checkpoint, spell("checkpoint")),
            composition=self.composition.found(spell),
            model_config=optional_input_path(self.model_config, spell("model_config")),
        )

    def open(self, spell: Spelling = str) -> OpenedChoice:
        """Check the files, the device and its memory.

        Raises:
            UsageProblem: where the device cannot do what is asked.
            RefusedInput: for a folder other than an export, or settings that cannot be read.
        """
        if self.is_baseline:
            predictor = VesselnessPredictor(Tuned() if self.model_config is None else read_settings(self.model_config))
            return OpenedChoice(predictor.identity, lambda: predictor)
        self.check_device(spell)
        checkpoint = self.checkpoint
        if checkpoint is not None:
            return OpenedChoice(None, lambda: self._composed(checkpoint))
        if self.model is None:
            raise UsageProblem(f"{spell('model')}: expected a folder or a checkpoint, got neither")
        folder = Path(self.model)
        identity = asdict(model_loading.check_folder(folder))
        model_loading.check_memory(folder, self.device, self.dtype, self.quantize)
        return OpenedChoice(identity, lambda: self._exported(folder, identity))

    def check_device(self, spell: Spelling = str) -> None:
        """Raise UsageProblem where the device or the dtype cannot be used, or no token of an answer is allowed."""
        if self.max_new_tokens < 1:
            raise UsageProblem(f"{spell('max_new_tokens')}: expected at least 1, got {self.max_new_tokens}")
        device = model_loading.choose_device(self.device)
        model_loading.choose_dtype(self.dtype, device)
        if self.cuda_graphs and device.type != "cuda":
            raise UsageProblem(f"{spell('cuda_graphs')}: expected a CUDA device, got {device.type}. Leave it out")

    def _exported(self, folder: Path, identity: Mapping[str, Any]) -> AnyPredictor:
        return self._predictor(*model_loading.load_model(folder, self.device, self.dtype, self.quantize), identity)

    def _composed(self, checkpoint: Path) -> AnyPredictor:
        options: dict[str, Any] = {"device": self.device, "dtype": self.dtype, "quantization": self.quantize}
        return self._predictor(*composition.compose(checkpoint, **vars(self.composition), **options))

    def _predictor(self, model: Any, tokenizer: Any, identity: Mapping[str, Any]) -> AnyPredictor:
        """The predictor of frames or of sequences that a loaded model makes."""
        model = GraphedModel(model) if self.cuda_graphs else model
        if self.mode is Mode.FRAME:
            return Sa2VAPredictor(model, tokenizer, identity, self.max_new_tokens)
        return SequencePredictor(model, tokenizer, identity, self.max_new_tokens, mode=self.mode)
