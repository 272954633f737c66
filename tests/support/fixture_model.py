"""The tiny fixture's model and small frames, for runs of the real command."""

import os
import subprocess
import sys
from pathlib import Path

from PIL import Image

from helpers.checkpoints.convert import convert
from tests.support.tiny_sources import FIXTURES, fixture_sources

ROOT = Path(__file__).resolve().parents[2]

# One thread, so that sums are taken in the same order in every process.
ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ["PYTHONPATH"])),
    "PYTHONWARNINGS": "ignore",
}
COMMAND = (sys.executable, "-c", "from helpers.cli.app import main; main()")


def convert_fixture(folder: Path) -> Path:
    convert(fixture_sources().request(folder))
    return folder


def draw_angiograms(folder: Path, count: int) -> Path:
    """So many different 64 x 64 frames, cut from the fixture's."""
    folder.mkdir()
    sources = [Image.open(path).convert("L") for path in sorted((FIXTURES / "images").glob("*.png"))]
    for number in range(count):
        turned = sources[number % len(sources)].rotate(6 * number).resize((64, 64))
        turned.save(folder / f"Doe_Jane_{number:02d}.png")
    return folder


def command(*arguments: str | Path) -> list[str]:
    return [*COMMAND, *map(str, arguments)]


def start(arguments: list[str]) -> subprocess.Popen:
    return subprocess.Popen(
        arguments, env=ENVIRONMENT, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def run(arguments: list[str]) -> str:
    """What the command printed; it must end well."""
    process = start(arguments)
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return said
