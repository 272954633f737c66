"""Whether ground truth lies on what the frames show: a mask that was turned, mirrored or paired wrongly does not.

Vessels are darker, or brighter, than what is around them. A mask as it lies marks them better than the same mask
mirrored or turned; where one way of turning marks them better throughout, an export has turned the masks, and where
none does, they are those of other frames.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import cycle, islice

import numpy as np
from scipy.ndimage import uniform_filter

from helpers.core.errors import RefusedInput
from helpers.data.audit.findings import AuditFinding, AuditSeverity
from helpers.data.cases import Case
from helpers.data.frames.frame_source import read_frame
from helpers.data.frames.image_reading import UnreadableImage

# Frames that are looked at, spread over all patients; and fewer than which nothing is said.
_LOOKED_AT, _FEWEST = 24, 6
_FEWEST_UNMARKED = 12  # of thick masks some mark little; of so many in a row none
_SMALLEST, _LARGEST_SHARE = 50, 0.3  # pixels of a mask that tells anything, and its share of the frame
_SURROUNDINGS = 16  # of the frame's shorter side, one part is the width of what counts as around a pixel
_SEEN = 0.6  # standard deviations of the local contrast by which a mask marks something
# Of the frames: one way is right in so many, the masks as they lie in so few at most.
_MOST, _HARDLY = 2 / 3, 1 / 6
_CHANCE = 1 / 4

_TURNS = {
    "mirrored left to right": lambda mask: mask[:, ::-1],
    "mirrored upside down": lambda mask: mask[::-1],
    "turned by a half": lambda mask: mask[::-1, ::-1],
    "with rows and columns exchanged": lambda mask: mask.T,
    "turned to the left": lambda mask: np.rot90(mask),
    "turned to the right": lambda mask: np.rot90(mask, -1),
    "with rows and columns exchanged from the other corner": lambda mask: mask[::-1, ::-1].T,
}


@dataclass(frozen=True)
class MaskFit:
    """How masks lie on frames.

    Attributes:
        looked_at: how many frames with masks were looked at.
        turned: the way of turning by which the masks fit their frames, for people; None where they lie right.
        fitting: how many fit better as they lie than turned in any way.
        darker, brighter: how many of these mark what is darker, and brighter, than what is around it.
    """

    looked_at: int
    turned: str | None
    fitting: int
    darker: int
    brighter: int

    @property
    def unrelated(self) -> bool:
        """Whether the masks fit no better than chance, in whatever way they are turned, or none marks anything."""
        by_chance = self.looked_at >= _FEWEST and self.fitting <= _CHANCE * self.looked_at
        marks_nothing = self.looked_at >= _FEWEST_UNMARKED and self.darker + self.brighter == 0
        return self.turned is None and (by_chance or marks_nothing)

    @property
    def mixed(self) -> bool:
        """Whether some frames show vessels dark and others bright."""
        fewer = min(self.darker, self.brighter)
        return self.looked_at >= _FEWEST and fewer >= 2 and fewer >= 0.1 * (self.darker + self.brighter)


def mask_fit(cases: Iterable[Case]) -> MaskFit | None:
    """How the masks of a sample of the cases lie on their frames; None where too few can be told."""
    contrasts = []
    for case in sampled([case for case in cases if case.truth is not None]):
        try:
            image = read_frame(case.frame.path, case.frame.index, case.frame.bits)
            if case.truth is None or case.truth.problems(*image.size):
                continue
            contrasts.append(contrasts_of(np.asarray(image.convert("L")), case.truth.mask(*image.size)))
        except (UnreadableImage, RefusedInput):  # their findings say so
            continue
    return fit_of([one for one in contrasts if one is not None])


def fit_findings(cases: Iterable[Case]) -> Iterator[AuditFinding]:
    """Masks that do not lie on what the frames show, once for the data set."""
    fit = mask_fit(cases)
    if fit is None:
        return
    if fit.turned is not None:
        said = f"the masks of {fit.looked_at} frames that were looked at fit what these show {fit.turned}"
        advice = "look at some panels; export the masks as the frames lie, or turn them so"
        yield AuditFinding(AuditSeverity.WARNING, "turned_truth", None, said, advice)
    if fit.unrelated:
        said = (
            f"of {fit.looked_at} masks that were looked at {fit.fitting} fit their frame better than mirrored or "
            f"turned, and {fit.darker + fit.brighter} mark what is darker or brighter than what is around it, as "
            "vessels are"
        )
        advice = "look at some panels: masks may belong to other frames, or to another part or size of these"
        yield AuditFinding(AuditSeverity.WARNING, "unrelated_truth", None, said, advice)
    if fit.mixed:
        said = (
            f"vessels are darker than what is around them in {fit.darker} of the frames that were looked at, brighter "
            f"in {fit.brighter}"
        )
        advice = "look whether some frames are negatives or subtractions, and save all in one way"
        yield AuditFinding(AuditSeverity.WARNING, "mixed_polarity", None, said, advice)


def fit_warning(contrasts: Iterable[Mapping[str, float] | None]) -> str | None:
    """What to tell of masks that come from elsewhere; None where they lie on what their frames show, or too few tell.

    Args:
        contrasts: of frames and masks, as `contrasts_of` gives them.
    """
    fit = fit_of([one for one in contrasts if one is not None])
    if fit is None or not (fit.turned or fit.unrelated):
        return None
    way = "in no way" if fit.turned is None else fit.turned
    return (
        f"WARNING: {fit.looked_at} masks were compared with their frames: as they lie {fit.fitting} fit what these "
        f"show, and they fit it {way}. Check how they were exported, and which frame each belongs to"
    )


def contrasts_of(grey: np.ndarray, mask: np.ndarray) -> Mapping[str, float] | None:
    """How much darker than around them the pixels of a mask are, as it lies ("") and turned, in standard deviations.

    Args:
        grey: (H, W) of any type of number.
        mask: bool (H, W).
    Returns:
        By the way of turning, those that keep the shape alone; None for a mask or frame that tells nothing.
    """
    if not _SMALLEST <= mask.sum() <= _LARGEST_SHARE * mask.size:
        return None
    values = grey.astype(np.float32)
    darkness = uniform_filter(values, max(5, min(values.shape) // _SURROUNDINGS | 1), mode="nearest") - values
    spread = float(darkness.std())
    if spread == 0:
        return None
    turned = {"": mask, **{name: turn(mask) for name, turn in _TURNS.items()}}
    return {name: float(darkness[one].mean()) / spread for name, one in turned.items() if one.shape == mask.shape}


def fit_of(contrasts: Sequence[Mapping[str, float]]) -> MaskFit | None:
    """What the contrasts of several frames say together; None of fewer than tell anything."""
    count = len(contrasts)
    if count < _FEWEST:
        return None
    best = [max(one, key=lambda name: abs(one[name])) for one in contrasts]
    wins = Counter(best)
    name, most = max(((name, wins[name]) for name in _TURNS), key=lambda pair: pair[1])
    is_turned = most >= _MOST * count and wins[""] <= _HARDLY * count
    right = [one[""] for one, way in zip(contrasts, best, strict=True) if way == "" and abs(one[""]) >= _SEEN]
    return MaskFit(
        count,
        name if is_turned else None,
        wins[""],
        darker=sum(value > 0 for value in right),
        brighter=sum(value < 0 for value in right),
    )


def sampled(cases: Sequence[Case]) -> list[Case]:
    """Some of the cases, always the same, by turns of each patient."""
    by_patient: dict[str, list[Case]] = {}
    for case in sorted(cases, key=lambda case: sha256(case.case_id.encode()).digest()):
        by_patient.setdefault(case.frame.patient or case.case_id, []).append(case)
    turns = cycle([iter(own) for own in by_patient.values()])
    taken = (next(own, None) for own in islice(turns, _LOOKED_AT * max(1, len(by_patient))))
    return list(islice((case for case in taken if case is not None), _LOOKED_AT))
