"""Masks in the formats of other tools as a folder of mask files, which is what an import reads."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.core.progress import track
from helpers.core.vocabulary import Exchange
from helpers.data.exchange.exchange_formats import read_masks
from helpers.data.exchange.exchanged import AS_LABELLED, GivenMasks, VesselChoice
from helpers.data.frames.frame import Frame
from helpers.data.layouts.file_walk import inside


@contextmanager
def unpacked(
    path: Path, kind: Exchange, frames: Sequence[Frame], choice: VesselChoice = AS_LABELLED
) -> Iterator[tuple[Path, GivenMasks]]:
    """A folder of PNG files of 0 and 255 under the names of the masks' images, gone when the block ends.

    Args:
        frames: of the data set that the masks are of.
        choice: what the user says of the masks.
    Raises:
        RefusedInput: where masks are not certain, two are of one image, or a name leads elsewhere.
    """
    given = read_masks(path, kind, frames, choice)
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for one in track(given.masks, "masks", unit="case"):
            target = inside(folder, f"{one.name}.png")
            if target.exists():
                raise RefusedInput(f"{path}: expected one mask for each image, found two of {one.name!r}")
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(one.read()).convert("L").save(target)
        yield folder, given
