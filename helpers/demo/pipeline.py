"""The main job on the demo checkpoint: the notebooks, run without a browser."""

import logging
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from helpers.demo.checkpoint import DemoCheckpoint, build_checkpoint
from helpers.notebook.execution import execute_notebook
from helpers.paths import Stage, latest_complete, project_root, stage_folder

_log = logging.getLogger(__name__)
PROJECT = "demo"
_CELL_TIMEOUT = 600


@dataclass(frozen=True)
class Part:
    """One finished part of the demo: what it left behind, and how long it took, in seconds."""

    name: str
    result: Path
    seconds: float


def run_demo(checkpoint: Path | None = None, seed: int = 0) -> list[Part]:
    """Build the demo checkpoint where it is missing, convert it, predict its images, and score them.

    Args:
        checkpoint: a built checkpoint's folder; None builds one in outputs/demo/checkpoint.
        seed: of the fit.
    """
    parts = []
    folder = checkpoint or project_root() / "outputs" / PROJECT / "checkpoint"
    if not folder.exists():
        start = time.perf_counter()
        build_checkpoint(folder, seed)
        parts.append(Part("checkpoint", folder, time.perf_counter() - start))
    built = DemoCheckpoint(folder)
    parts.append(
        _run(
            "01_convert",
            Stage.CONVERT,
            {
                "checkpoint": str(built.checkpoint),
                "base": str(built.base),
                "sam2": str(built.sam2),
                "sam2_config": str(built.sam2_sizes),
            },
        )
    )
    parts.append(_run("02_infer", Stage.PREDICT, {"data": str(built.folder)}))
    parts.append(_run("03_evaluate", Stage.EVALUATE, {"data": str(built.folder)}))
    return parts


def remove_results() -> None:
    """Remove what earlier runs of the demo left, its checkpoint too."""
    shutil.rmtree(project_root() / "outputs" / PROJECT, ignore_errors=True)


def _run(notebook: str, stage: Stage, parameters: dict) -> Part:
    root = project_root()
    start = time.perf_counter()
    output = stage_folder(PROJECT, Stage.NOTEBOOKS) / f"{notebook}.ipynb"
    output.parent.mkdir(parents=True, exist_ok=True)
    _log.info("running %s", notebook)
    execute_notebook(
        root / "notebooks" / f"{notebook}.ipynb", output, {"project": PROJECT, **parameters}, _CELL_TIMEOUT
    )
    return Part(notebook, latest_complete(PROJECT, stage), time.perf_counter() - start)
