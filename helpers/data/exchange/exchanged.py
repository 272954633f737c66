"""What goes to other tools and what comes back: a frame with its mask, and a mask under the name of its image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from helpers.core.errors import RefusedInput


@dataclass(frozen=True)
class SentCase:
    """A frame for another tool.

    Attributes:
        case_id: names all of its files.
        image: the frame in RGB.
        mask: bool (H, W); None where there is none, which is not an empty one.
        flags: words to show with it, such as verdicts.
    """

    case_id: str
    image: Image.Image = field(repr=False)
    mask: np.ndarray | None = field(repr=False)
    flags: Sequence[str] = ()


@dataclass(frozen=True)
class SentSet:
    """How the masks of an export are called.

    Attributes:
        label: of every mask.
        description: a sentence on what they are.
        is_truth: whether they are to be trained on; else they are suggestions.
    """

    label: str
    description: str
    is_truth: bool


@dataclass(frozen=True)
class GivenMask:
    """A mask from another tool.

    Attributes:
        name: of its image without the suffix, with '/' between the parts where folders are stated.
        read: the mask, bool (H, W). Raises RefusedInput where it is damaged or its meaning is not certain.
    """

    name: str = field(repr=False)
    read: Callable[[], np.ndarray] = field(repr=False)


@dataclass(frozen=True)
class GivenMasks:
    """The masks of a folder or file from another tool.

    Attributes:
        untouched: number of images that nothing was drawn on, of which no tool says whether they are empty or undone.
        notes: what to tell.
    """

    masks: tuple[GivenMask, ...]
    untouched: int = 0
    notes: tuple[str, ...] = ()


def plain_image(image: Image.Image) -> Image.Image:
    """A frame as it is kept: in grey where it holds no colour, with the same pixels."""
    bands = [np.asarray(band) for band in image.convert("RGB").split()]
    grey = all(np.array_equal(bands[0], band) for band in bands[1:])
    return image.convert("RGB").getchannel(0) if grey else image.convert("RGB")


def box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    """The first and last column and row of a mask that is not empty: left, top, right, bottom, all within."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def require_one_label(path: Path, labels: set[str]) -> None:
    """Raise RefusedInput where shapes have several labels: which of them is vessel is not said."""
    if len(labels) > 1:
        raise RefusedInput(
            f"{path}: expected shapes of one label, found {', '.join(sorted(map(repr, labels)))}. Which of them are "
            "vessel is not certain: export the vessels alone"
        )
