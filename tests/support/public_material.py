"""Tiny material for the public functions, under the names that their examples use."""

import shutil
from pathlib import Path

import helpers
from helpers.data.opening import Opening
from helpers.prediction.model_choice import BASELINE, ModelChoice
from helpers.stages.predict_stage import PredictRequest
from tests.support.fixture_model import draw_angiograms
from tests.support.tiny_sources import fixture_sources

DEMO = Path(helpers.__file__).parent / "dev" / "demo" / "files"


def link_sources(folder: Path) -> None:
    """A checkpoint with its bases under the names of the example of `convert`."""
    sources = fixture_sources()
    names = {"iter_250.pth": sources.checkpoint, "internvl_base": sources.base, "sam2_base.pt": sources.sam2}
    for name, path in {**names, "sam2_sizes.json": sources.sizes}.items():
        (folder / name).symlink_to(path)


def demo_data(folder: Path, frames: int = 2) -> Path:
    """The first frames of two patients of the demo, with their ground truth."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
        for patient in ("P906", "P912"):
            for path in sorted((DEMO / "data" / part).glob(f"{patient}-S01-*"))[:frames]:
                shutil.copy(path, folder / part)
    shutil.copy(DEMO / "data" / "dataset.json", folder)
    return folder


def write_material(folder: Path, model: Path) -> None:
    """A model, two frames, a data set with ground truth of four frames, and a run of it."""
    (folder / "my-model").symlink_to(model)
    drawn = draw_angiograms(folder / "drawn", 2)
    (folder / "frames").mkdir()
    for name, path in zip("ab", sorted(drawn.iterdir()), strict=True):
        path.rename(folder / "frames" / f"{name}.png")
    drawn.rmdir()
    data = demo_data(folder / "demo-data")
    PredictRequest(Opening(data), folder / "demo-run", ModelChoice(BASELINE)).run()
