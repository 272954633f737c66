"""Predictors as commands open them: what the options say is checked before anything is loaded.

The packages are imported inside the functions, so that `--help` need not wait for torch.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import Launcher, Mode, Quantization

if TYPE_CHECKING:
    from helpers.prediction.predictor import Predictor

_log = logging.getLogger(__name__)


ModelFolder = Annotated[Path, typer.Option("--model", metavar="DIR", help="Folder that `convert` wrote.")]
ModelConfig = Annotated[
    Path | None,
    typer.Option("--model-config", metavar="FILE", help="Settings of frangi, as `vesselkit tune` wrote them."),
]
BatchSize = Annotated[
    str, typer.Option("--batch-size", metavar="auto", help="Frames predicted together, or auto: what suits the device.")
]
Device = Annotated[str, typer.Option("--device", metavar="auto", help="auto, cpu, cuda, cuda:N or mps.")]
Dtype = Annotated[
    str,
    typer.Option(
        "--dtype", metavar="auto", help="auto, mixed (bfloat16, SAM2 in float16), bfloat16, float16 or float32."
    ),
]
Quantize = Annotated[
    Quantization | None,
    typer.Option(
        "--quantize",
        metavar="|".join(Quantization),
        help="Hold the language model's weights in 8 or 4 bits; vision tower and SAM2 stay as they are.",
    ),
]
CudaGraphs = Annotated[
    bool,
    typer.Option("--cuda-graphs", help="On a GPU, replay the model's passes: sooner, after a slow first batch."),
]
Threshold = Annotated[
    float, typer.Option("--threshold", metavar="0.5", help="Probability above which a pixel is in the mask.")
]
LauncherOption = Annotated[
    Launcher,
    typer.Option(
        "--launcher", metavar="|".join(Launcher), help="What started the processes; torchrun needs no naming."
    ),
]
TokenLimit = Annotated[int, typer.Option("--max-new-tokens", metavar="64", help="Most tokens of an answer.")]


@dataclass(frozen=True)
class Running:
    """What a model runs on and how, as the options say it.

    Attributes:
        device, dtype, quantize, mode, cuda_graphs: values of the options of these names.
        token_limit: most tokens of an answer.
    """

    device: str
    dtype: str
    token_limit: int
    mode: Mode = Mode.FRAME
    quantize: Quantization | None = None
    cuda_graphs: bool = False

    def quantization(self) -> Quantization | None:
        """How weights are held. Raises UsageProblem where the device or the model cannot do what is asked."""
        if self.token_limit < 1:
            raise UsageProblem(f"--max-new-tokens: expected at least 1, got {self.token_limit}")
        return checked_quantization(self.device, self.dtype, self.quantize, cuda_graphs=self.cuda_graphs)

    def predictor(self, model: Any, tokenizer: Any, identity: Mapping[str, Any]) -> Any:
        """The predictor of frames or of sequences around a loaded model."""
        from helpers.prediction.engine.cuda_graphs import GraphedModel
        from helpers.prediction.sa2va_predictor import Sa2VAPredictor
        from helpers.prediction.sequences.sequence_tracking import SequencePredictor

        model = GraphedModel(model) if self.cuda_graphs else model
        if self.mode is Mode.FRAME:
            return Sa2VAPredictor(model, tokenizer, identity, self.token_limit)
        return SequencePredictor(model, tokenizer, identity, self.token_limit, mode=self.mode)


def exported(folder: Path, running: Running) -> tuple[Mapping[str, Any], Callable[[], Any]]:
    """Check an exported folder and what it shall run on; its identity, and a function that loads it."""
    from helpers.prediction.engine.model_loading import check_folder, check_memory, load_model

    quantization = running.quantization()
    identity = asdict(check_folder(folder))
    check_memory(folder, running.device, running.dtype, quantization)
    return identity, lambda: running.predictor(
        *load_model(folder, running.device, running.dtype, quantization), identity
    )


def composed(checkpoint: Path, sources: Mapping[str, Any], running: Running) -> Callable[[], Any]:
    """Check what a composed model shall run on; the function that is returned composes it.

    Args:
        sources: as `helpers.prediction.engine.composition.compose` takes them.
    """
    from helpers.evaluation.leakage.keeping import keep_training_names
    from helpers.prediction.engine.composition import compose

    quantization = running.quantization()

    def load() -> Any:
        options = {"device": running.device, "dtype": running.dtype, "quantization": quantization}
        model, tokenizer, identity = compose(checkpoint, **sources, **options)
        kept = keep_training_names(checkpoint, sources["train_config"], identity["tensors_sha256"])
        _log.info("%s", kept.text)
        return running.predictor(model, tokenizer, identity)

    return load


def vesselness(config: Path | None) -> tuple[Mapping[str, Any], Callable[[], "Predictor"]]:
    """The baseline under the settings of a file, or its defaults."""
    from helpers.prediction.frangi.frangi_predictor import VesselnessPredictor
    from helpers.prediction.frangi.frangi_settings import Tuned, read_settings

    predictor = VesselnessPredictor(Tuned() if config is None else read_settings(config))
    return predictor.identity, lambda: predictor


def checked_quantization(
    device: str, dtype: str, quantize: Quantization | None, *, cuda_graphs: bool = False
) -> Quantization | None:
    """Check that a device does what is asked of it; the quantization."""
    from helpers.prediction.engine.model_loading import choose_device, choose_dtype

    chosen = choose_device(device)
    choose_dtype(dtype, chosen)
    if cuda_graphs and chosen.type != "cuda":
        raise UsageProblem(f"--cuda-graphs: expected a CUDA device, got {chosen.type}. Leave it out")
    return quantize


def batch_size_of(given: str) -> int | None:
    """What `--batch-size` says; None for auto."""
    if given == "auto":
        return None
    if not given.isdecimal():
        raise UsageProblem(f"--batch-size: expected auto or a number of at least 1, got {given!r}")
    return int(given)
