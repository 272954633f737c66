"""Options that several commands share, each with one name and one meaning.

A command asks for the options of data sets by a parameter `options`, see `with_data_options`.
"""

import inspect
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from helpers.cli.arguments import input_path, optional_input_path, typed_path
from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import AskedIds, Language, Launcher, Quantization

if TYPE_CHECKING:  # so that --help need not wait
    from helpers.data.opening import Opening
    from helpers.review.review_source import ReviewSource

Data = Annotated[Path, typer.Option("--data", metavar="DATASET", help="Folder, annotation file, one image or film.")]
DataArgument = Annotated[Path, typer.Argument(metavar="DATASET", help="Folder, annotation file, one image or film.")]
IdKey = Annotated[
    Path | None,
    typer.Option("--id-key", metavar="FILE", help="Key of the case ids. Default: .vesselkit/id.key in the data set."),
]
_DATA_OPTIONS: dict[str, Any] = {
    "layout": Annotated[
        str | None, typer.Option("--layout", metavar="NAME", help="See docs/datasets.md. Default: detected.")
    ],
    "ids": Annotated[
        AskedIds | None,
        typer.Option(
            "--ids", metavar="|".join(AskedIds), help="Default: keep for public data sets, pseudonym for others."
        ),
    ],
    "id_key": IdKey,
    "group_by": Annotated[
        str | None,
        typer.Option(
            "--group-by", metavar="RULE", help="Regular expression with (?P<patient>...), or column:NAME of a CSV."
        ),
    ],
    "split": Annotated[str | None, typer.Option("--split", metavar="NAME", help="Only cases of this split.")],
    "rescale": Annotated[
        bool, typer.Option("--rescale", help="Rescale ground truths of another size to their frames.")
    ],
    "rescale_from": Annotated[
        str | None,
        typer.Option("--rescale-from", metavar="WxH", help="Image size assumed for annotations that do not state one."),
    ],
}
FRAMES_ONLY = ("rescale", "rescale_from")
"""What a command leaves out that reads no ground truth."""

Training = Annotated[
    Path | None,
    typer.Option("--training", metavar="FILE", help="Training images: names, annotations, or the config.py."),
]
ExcludeTraining = Annotated[
    bool,
    typer.Option("--exclude-training", help="Leave out patients of whom training saw frames; count them."),
]
Processes = Annotated[int, typer.Option("--processes", metavar="N", min=1, help="Parallel processes.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="The same seed gives the same result.")]

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Finished run folder.")]
RunData = Annotated[Path, typer.Option("--data", metavar="DATASET", help="Data set that the run was made from.")]
Metrics = Annotated[
    Path | None, typer.Option("--metrics", metavar="DIR", help="Evaluation of the run, for scores and their order.")
]
PromptId = Annotated[
    str | None, typer.Option("--prompt-id", metavar="ID", help="Such as p1. Default: the first of the run.")
]
ViewerLanguage = Annotated[
    Language | None,
    typer.Option(
        "--language", metavar="|".join(Language), help="Language at the start; a button changes it. Default: en."
    ),
]
Cases = Annotated[list[str] | None, typer.Option("--cases", metavar="ID", help="Only this case. May be given again.")]


@dataclass(frozen=True)
class DataOptions:
    """How a data set shall be opened, as typed; None leaves the choice to the data set.

    Attributes:
        layout, ids, id_key, group_by, split, rescale, rescale_from: values of the options of these names.
    """

    layout: str | None = None
    ids: AskedIds | None = None
    id_key: Path | None = None
    group_by: str | None = None
    split: str | None = None
    rescale: bool = False
    rescale_from: str | None = None

    def opening(self, data: Path, option: str = "--data") -> "Opening":
        """The data set, yet to be opened.

        Args:
            data: as typed.
            option: its name, for the message.
        Raises:
            UsageProblem: where the data set is not there.
        """
        from helpers.data.opening import Opening  # here, so that --help need not wait

        folder = input_path(data, option)
        policy, key = None if self.ids is None else self.ids.value, self._key
        return Opening(folder, self.layout, policy, key, self.group_by, self.split, self.rescale, self.rescale_from)

    @property
    def _key(self) -> Path | None:
        return None if self.id_key is None else typed_path(self.id_key)

    def typed(self, **more: Any) -> dict[str, Any]:
        """These options and more by name, as `helpers.cli.arguments.option_words` takes them."""
        return asdict(self) | more


AS_FOUND = DataOptions()
"""Where nothing is said, the data set decides."""


def with_data_options(*, without: Collection[str] = (), **others: Any) -> Callable[[Callable], Callable]:
    """Give a command the options of data sets, in place of its parameter `options` of type `DataOptions`.

    Args:
        without: names of fields of `DataOptions` that the command does not offer.
        others: options that the command words otherwise, by field.
    """
    offered = {name: kind for name, kind in (_DATA_OPTIONS | others).items() if name not in without}

    def decorate(command: Callable) -> Callable:
        parameters = []
        for parameter in inspect.signature(command, eval_str=True).parameters.values():
            if parameter.name == "options":
                parameters += [
                    inspect.Parameter(name, parameter.KEYWORD_ONLY, default=getattr(AS_FOUND, name), annotation=kind)
                    for name, kind in offered.items()
                ]
            else:
                parameters.append(parameter.replace(kind=parameter.KEYWORD_ONLY))

        @wraps(command)
        def called(**values: Any) -> Any:
            options = DataOptions(**{name: values.pop(name) for name in offered})
            return command(options=options, **values)

        # Typer reads the options off these two.
        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return called

    return decorate


ModelFolder = Annotated[Path, typer.Option("--model", metavar="DIR", help="Folder that `convert` wrote.")]
ModelConfig = Annotated[
    Path | None,
    typer.Option("--model-config", metavar="FILE", help="Settings of frangi, as `vesselkit tune` wrote them."),
]
BatchSize = Annotated[
    str, typer.Option("--batch-size", metavar="auto", help="Frames predicted together; auto: what fits the device.")
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
        help="Store the language model's weights in 8 or 4 bits; vision tower and SAM2 do not change.",
    ),
]
CudaGraphs = Annotated[
    bool,
    typer.Option("--cuda-graphs", help="On a GPU, replay the model's passes: faster after a slow first batch."),
]
Threshold = Annotated[
    float, typer.Option("--threshold", metavar="0.5", help="Probability above which a pixel is in the mask.")
]
LauncherOption = Annotated[
    Launcher,
    typer.Option("--launcher", metavar="|".join(Launcher), help="What started the processes; torchrun is detected."),
]
TokenLimit = Annotated[
    int, typer.Option("--max-new-tokens", metavar="64", help="Largest number of tokens in an answer.")
]


def checked_quantization(device: str, dtype: str, quantize: Quantization | None) -> Quantization | None:
    """Check that a device does what is asked of it; the quantization."""
    from helpers.prediction.engine.model_loading import choose_device, choose_dtype

    choose_dtype(dtype, choose_device(device))
    return quantize


def batch_size_of(given: str) -> int | None:
    """What `--batch-size` says; None for auto."""
    if given == "auto":
        return None
    if not given.isdecimal():
        raise UsageProblem(f"--batch-size: expected auto or a number of at least 1, got {given!r}")
    return int(given)


def source_of(
    run: Path,
    opening: "Opening",
    metrics: Path | None,
    prompt: str | None,
    against: Path | None,
    beside: Sequence[Path] = (),
    queue: int | None = None,
    option: str = "RUN",
) -> "ReviewSource":
    """What is reviewed. The data set is opened last.

    Args:
        run: folder of the run, as typed.
        metrics: folder of its evaluation, as typed; None for none.
        prompt: id of a prompt; None for the run's first.
        against: run to show in its place.
        beside: runs to show beside it.
        queue: how many cases to look at; None for all.
        option: name of the run's option, for the message.
    Raises:
        UsageProblem: where a folder is not there.
        RefusedInput: where data set or scores are not those of the run.
    """
    from helpers.evaluation.metrics_folder import open_metrics
    from helpers.review.review_source import open_source

    folder = input_path(run, option)
    scores = optional_input_path(metrics, "--metrics")
    opened = None if scores is None else open_metrics(scores)
    dataset = opening.open()
    return open_source(folder, dataset, against=against, beside=beside, metrics=opened, prompt=prompt, queue=queue)
