"""The main job on the demo's files: the pipeline that users run, on a model of a few million weights."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from helpers.core.paths import project_root
from helpers.core.watermark import VARIABLE
from helpers.data.opening import Opening
from helpers.dev.demo.tiny_files import DemoCheckpoint
from helpers.notebook.pipeline import Beginning, PipelineRequest, PipelineStep, run_pipeline

_FOLDER = Path(__file__).parent / "files"


MODEL = DemoCheckpoint(_FOLDER / "model")


DATA = _FOLDER / "data"


BASELINE = _FOLDER / "frangi.json"


SCORES, LOGITS = _FOLDER / "gate.json", _FOLDER / "logits.npz"


STAMP = "synthetic, tiny model"


def run_demo(begins: Callable[[Beginning], None] = lambda beginning: None) -> Iterator[PipelineStep]:
    """Convert the demo's checkpoint, predict its frames, hold it against Frangi; every figure and table is stamped."""
    request = PipelineRequest(
        checkpoint=MODEL.checkpoint,
        base=MODEL.base,
        sam2=MODEL.sam2,
        sam2_config=str(MODEL.sam2_sizes),
        opening=Opening(DATA),
        output=default_output(),
        baseline=BASELINE,
    )
    with _stamp():
        yield from run_pipeline(request, begins)


def default_output() -> Path:
    """outputs/demo of the project."""
    return project_root() / "outputs" / "demo"


def remove_results() -> None:
    """Remove what earlier runs of the demo left."""
    shutil.rmtree(default_output(), ignore_errors=True)


@contextmanager
def _stamp() -> Iterator[None]:
    """Kernels of notebooks take it from the environment."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = STAMP
    try:
        yield
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before
