"""What goes to other tools and what comes back: a frame with its mask, and a mask under the name of its image."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.core.safe_json import read_json
from helpers.core.shown_text import counted
from helpers.core.vocabulary import Identity
from helpers.data.frames.frame import Frame
from helpers.data.truth.shape_labels import UNLABELLED

_NO_VESSEL = frozenset({"", "background", "bg"})  # labels, in lower case
# A file of run-length codes holds the masks of thousands of frames, each of thousands of numbers.
_MAX_BYTES, _MAX_VALUES, _MAX_VERTICES = 1_000_000_000, 100_000_000, 500_000_000


class Making(StrEnum):
    """How a mask came about, in DICOM's words."""

    AUTOMATIC = "AUTOMATIC"
    SEMIAUTOMATIC = "SEMIAUTOMATIC"
    MANUAL = "MANUAL"


@dataclass(frozen=True)
class MadeBy:
    """What made a mask.

    Attributes:
        weights: fingerprints of the models that took part, each once; empty where none is known.
    """

    making: Making
    weights: tuple[str, ...] = ()


@dataclass(frozen=True)
class SentCase:
    """A frame for another tool.

    Attributes:
        case_id: names all of its files.
        image: the frame in RGB.
        mask: bool (H, W); None where there is none, which is not an empty one.
        flags: words to show with it, such as verdicts.
        frame: where the frame lies; None where the format does not ask.
        patient: pseudonym of the frame's patient, which is no name that a user kept; None where there is none.
        made_by: what made the mask; None without one.
        probability: float32 (H, W) from 0 to 1, behind the mask; None where it is not asked for.
    """

    case_id: str
    image: Image.Image = field(repr=False)
    mask: np.ndarray | None = field(repr=False)
    flags: Sequence[str] = ()
    frame: Frame | None = field(default=None, repr=False)
    patient: str | None = None
    made_by: MadeBy | None = None
    probability: np.ndarray | None = field(default=None, repr=False)


@dataclass(frozen=True)
class SentSet:
    """How the masks of an export are called.

    Attributes:
        label: of every mask.
        description: a sentence on what they are.
        is_truth: whether they are to be trained on; else they are suggestions.
        identity: whose identity DICOM files carry.
    """

    label: str
    description: str
    is_truth: bool
    identity: Identity = Identity.DECLARED


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
        stated: whether the names are those that files state of their images, with the images' folders as far as they
            are stated; else where the masks lie.
        of_run: whether a file is a run's own `coco.json`, wherever it lies, which no other tool wrote.
    """

    masks: tuple[GivenMask, ...]
    untouched: int = 0
    notes: tuple[str, ...] = ()
    stated: bool = False
    of_run: bool = False

    @property
    def said(self) -> tuple[str, ...]:
        """What to tell the user, with the images that nothing was drawn on."""
        images = counted(self.untouched, "image")
        undone = f"{images} without a shape of vessel, which may be empty or undone: nothing says which"
        return (undone, *self.notes) if self.untouched else self.notes


def plain_image(image: Image.Image) -> Image.Image:
    """A frame as it is kept: in grey where it holds no colour, with the same pixels."""
    bands = [np.asarray(band) for band in image.convert("RGB").split()]
    grey = all(np.array_equal(bands[0], band) for band in bands[1:])
    return image.convert("RGB").getchannel(0) if grey else image.convert("RGB")


def box_of(mask: np.ndarray) -> tuple[int, int, int, int]:
    """The first and last column and row of a mask that is not empty: left, top, right, bottom, all within."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def read_annotations(path: Path) -> Any:
    """The value of an annotation file of many frames. Raises RefusedInput as `read_json`."""
    return read_json(path, max_bytes=_MAX_BYTES, max_vertices=_MAX_VERTICES, max_values=_MAX_VALUES)


def stated_name(where: str, given: Any) -> str:
    """The name of an image without its suffix, with the folders that are stated, whatever system wrote the path.

    The steps that lead there from the file, such as `../` and a drive, are no part of it.

    Args:
        where: file and entry, for the message.
    Raises:
        RefusedInput: for anything but a text that names a file.
    """
    path = PurePosixPath(given.replace("\\", "/")) if isinstance(given, str) else PurePosixPath()
    if path.name in ("", ".."):
        shown = repr(given) if given in (None, "", ".") else "another thing"
        raise RefusedInput(f"{where}: expected the file name of its image, found {shown}. Export it again")
    parts = path.with_suffix("").parts
    return "/".join(part for part in parts if part not in ("..", "/", "//") and not part.endswith(":"))


@dataclass(frozen=True)
class VesselChoice:
    """What a user says of masks that come.

    Attributes:
        vessel: labels that are vessel, all others play no part; empty where the masks have one label.
        threshold: probability above which a pixel is vessel; None where the masks hold no probabilities.
    """

    vessel: tuple[str, ...] = ()
    threshold: float | None = None

    def vessel_of(self, labels: Mapping[str, Path]) -> frozenset[str]:
        """The labels that are vessel.

        Args:
            labels: of all masks of an import: label -> the first file that has it.
        Raises:
            RefusedInput: where there are several and none is said to be, where the one that there is means the
                background or nothing, and where one that is said is of no mask.
        """
        found = ", ".join(sorted(map(repr, labels)))
        if not self.vessel and len(labels) > 1:
            files = " and ".join(dict.fromkeys(str(labels[label]) for label in sorted(labels)[:2]))
            raise RefusedInput(
                f"{files}: expected shapes of one label, found {found}. "
                "It is unclear which of them are vessel: say so with --vessel LABEL, once for each, "
                "or export the vessels alone"
            )
        doubtful = [label for label in labels if _says_no_vessel(label)]
        if not self.vessel and doubtful:
            raise RefusedInput(
                f"{labels[doubtful[0]]}: expected shapes whose label says what they are, found {found}, which means "
                "the background, or nothing. If these shapes are vessels, say so with --vessel "
                f"{doubtful[0]!r}; else label them, or export the vessels alone"
            )
        missing = sorted(set(self.vessel) - labels.keys())
        if missing and labels:
            file = min(map(str, labels.values()))
            raise RefusedInput(
                f"{file}: expected shapes labelled {missing[0]!r}, as --vessel requires, found {found}. "
                "Name existing labels"
            )
        return frozenset(self.vessel or labels)


def vessel_notes(vessel: Iterable[str]) -> tuple[str, ...]:
    """What to tell of the labels that were taken as vessel; nothing where there is none."""
    labels = ", ".join(sorted(map(repr, vessel)))
    return (f"taken as vessel: what is labelled {labels}",) if labels else ()


def _says_no_vessel(label: str) -> bool:
    plain = label.strip().strip("_").casefold()
    return label == UNLABELLED or plain in _NO_VESSEL


AS_LABELLED = VesselChoice()
"""Where nothing is said, masks of one label are vessel."""
