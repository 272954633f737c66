"""Options of what predicts, and what they say.

The packages are imported inside the functions, so that `--help` need not wait for torch.
"""

from pathlib import Path
from typing import Annotated

import typer

from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import Launcher, Quantization

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
