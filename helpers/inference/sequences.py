"""Frames as sequences: how a run goes through them, which frames belong together, which show the fullest vessels."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import numpy as np
from PIL import Image
from scipy.ndimage import grey_closing

from helpers.data.frame import Frame, in_sequences
from helpers.errors import UsageProblem
from helpers.inference.resuming import Reason

# Vessels are looked for on a grid of this side, and are narrower than this many of its pixels.
_SIDE = 256
_WIDEST = 15


class Mode(StrEnum):
    """How a run goes through the frames of a sequence."""

    FRAME = "frame"  # each frame by itself
    TRACK = "track"  # the first frames are prompted, the others followed: the official route
    TRACK_BOTH = "track-both"  # the frames of fullest vessels are prompted, the others followed both ways from there
    FUSED = "fused"  # the mean of FRAME and TRACK_BOTH

    @property
    def chooses(self) -> bool:
        """Whether the frames to prompt are chosen by their contrast."""
        return self in {Mode.TRACK_BOTH, Mode.FUSED}


def first_frames(frames: Sequence[Frame], limit: int | None, mode: Mode) -> tuple[Frame, ...]:
    """The frames of a limited run, in the order given: the first ones; where sequences are followed, the first in time
    of the first sequences.
    """
    if mode is Mode.FRAME or limit is None:
        return tuple(frames)[:limit]
    in_time = [frame.case_id for group in in_sequences(frames, lambda frame: frame) for frame in group]
    wanted = set(in_time[:limit])
    return tuple(frame for frame in frames if frame.case_id in wanted)


def own_limit(frames: Sequence[Frame], limit: int | None) -> int | None:
    """The limit; None where it takes all frames, since such a run is one of the whole data set."""
    return None if limit is None or limit >= len(frames) else limit


def sequences_of(frames: Sequence[Frame]) -> tuple[tuple[Frame, ...], ...]:
    """The frames of each sequence in order of time, sequences in the order of their first frames.

    A frame without a sequence is one of its own.

    Raises:
        UsageProblem: where no two frames belong together.
    """
    groups = in_sequences(frames, lambda frame: frame)
    if all(len(group) == 1 for group in groups):
        raise UsageProblem(
            f"mode: expected sequences of several frames, found {len(groups)} single ones. Say with --group-by which "
            "frames belong together, or use --mode frame"
        )
    return groups


def whole_sequences(
    reasons: Mapping[str, Reason], sequences: Iterable[Sequence[Frame]], depending: frozenset[Reason]
) -> dict[str, Reason]:
    """The cases to compute, with all frames of a sequence of which one is computed for a reason in `depending`."""
    found = dict(reasons)
    for frames in sequences:
        if any(reasons.get(frame.case_id) in depending for frame in frames):
            found.update({frame.case_id: Reason.SEQUENCE for frame in frames if frame.case_id not in reasons})
    return found


def fullness(image: Image.Image) -> float:
    """How much dark, narrow structure a frame shows, in grey levels: it rises and falls with the contrast agent.

    Ribs, wires and a catheter add the same to all frames of a sequence, so that values compare within one.
    """
    grey = np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float32)
    return float((grey_closing(grey, size=(_WIDEST, _WIDEST)) - grey).mean())


def fullest(scores: Sequence[float | None], count: int) -> tuple[int, ...]:
    """Positions of the `count` highest scores, in order of time; the earlier of equals. None, not readable, is out."""
    readable = [position for position, score in enumerate(scores) if score is not None]
    return tuple(sorted(sorted(readable, key=lambda position: (-scores[position], position))[:count]))
