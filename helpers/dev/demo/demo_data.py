"""`python -m helpers.dev.demo.demo_data FOLDER`: the demo's data set, synthetic patients that no training drew."""

import argparse
import io
from pathlib import Path

import numpy as np
from PIL import Image

from helpers.core.atomic import partial_folder, write_json_atomic
from helpers.core.progress import track
from helpers.dev.synthesis.sequence import draw_frame

# Of the test's ranges, and behind all numbers that a recipe draws.
PATIENTS = (906, 912, 918, 924, 930, 936)
SEQUENCES, FRAMES, SEED, SIDE = 2, 8, 0, 512
_QUALITY = 92


def write_demo_data(folder: Path) -> None:
    """Write images (JPEG, as small as stored angiograms are) and masks (PNG) to a folder, which must not exist."""
    places = [(p, s, n) for p in PATIENTS for s in range(1, SEQUENCES + 1) for n in range(1, FRAMES + 1)]
    with partial_folder(folder) as partial:
        for name in ("images", "masks"):
            (partial / name).mkdir(parents=True)
        for place in track(places, "drawing", unit="frame"):
            drawn = draw_frame(SEED, *place, SIDE)
            _write(partial / "images" / f"{drawn.frame_id}.jpg", drawn.image, quality=_QUALITY)
            _write(partial / "masks" / f"{drawn.frame_id}.png", drawn.mask.astype(np.uint8) * 255, optimize=True)
        write_json_atomic(partial / "dataset.json", {"ids": "public", "layout": "paired"})


def _write(path: Path, pixels: np.ndarray, **options: object) -> None:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, {".jpg": "JPEG", ".png": "PNG"}[path.suffix], **options)
    path.write_bytes(buffer.getvalue())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m helpers.dev.demo.demo_data", description=__doc__)
    parser.add_argument("folder", type=Path, help="to write; it must not exist")
    write_demo_data(parser.parse_args().folder)


if __name__ == "__main__":
    main()
