"""A reader's correction carried through its sequence: masks to look at, which are no corrections before that."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from PIL import Image

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.paths import plain_name
from helpers.core.progress import track
from helpers.core.shown_text import counted
from helpers.core.vocabulary import BeganFrom
from helpers.data.frames.frame import Frame, in_sequences
from helpers.data.frames.frame_source import current_sha256, pixel_sha256, read_frame
from helpers.data.frames.image_reading import UnreadableImage
from helpers.metrics.case_scores import mask_digest
from helpers.review.corrections.origins import with_truth_of_origins
from helpers.review.corrections.record import Base, CorrectionRecord, CorrectionTool
from helpers.review.corrections.store import CorrectionStore
from helpers.review.review_source import ReviewSource
from helpers.review.verdicts import new_id, now
from helpers.runs.weights import weights_of

CARRIED_NAME = "carried"


class CarriesMasks(Protocol):
    """What follows masks, as `helpers.prediction.sequences.mask_carrying.MaskCarrier`."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """JSON object that says which weights follow."""

    def nearest_anchors(self, positions: Sequence[int]) -> tuple[int, ...]:
        """Of the positions of sure masks, the first one being that which is carried, those that are remembered."""

    def carry(
        self, read: Callable[[int], Image.Image | None], count: int, anchors: Mapping[int, np.ndarray]
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Position and mask, bool (H, W), of the frames that have none."""


@dataclass(frozen=True)
class Carried:
    """What became of a correction that was carried.

    Attributes:
        case_ids: of the frames whose masks wait to be looked at, in the order in which they were followed.
        anchors: ids of the cases that guided it, the one that was asked for first; the model remembers so many only.
        passed_over: ids of cases that the reader corrected when the frame had other pixels.
    """

    case_ids: tuple[str, ...]
    anchors: tuple[str, ...]
    passed_over: tuple[str, ...] = ()

    def to_text(self) -> str:
        """What to tell the user."""
        by = self.anchors[0] if len(self.anchors) == 1 else f"{self.anchors[0]} and {len(self.anchors) - 1} more"
        lines = [f"{counted(len(self.case_ids), 'mask')} carried from {by}: look at each, none is a correction yet"]
        if self.passed_over:
            passed_over = counted(len(self.passed_over), "correction")
            lines.append(f"{passed_over} of frames with other pixels now, which guided nothing")
        return "\n".join(lines)


@dataclass(frozen=True)
class CarriedMasks:
    """The masks that were carried for one reader, in `<reviewer>/carried/` of the reader's corrections.

    Raises:
        UsageProblem: for a reader whose name cannot be a folder's.
    """

    source: ReviewSource
    store: CorrectionStore
    reviewer: str
    _kept: CorrectionStore = field(init=False, repr=False)

    def __post_init__(self) -> None:
        own = CorrectionStore(self.store.folder / plain_name(self.reviewer, "reviewer"))
        object.__setattr__(self, "_kept", own)

    def waiting(self) -> dict[str, CorrectionRecord]:
        """Case id -> the carried mask's record, of those to be looked at.

        A mask waits no more once the reader corrected its frame, or a correction that it was carried from is another
        one now. Raises RefusedInput where a record cannot be read.
        """
        own = self._own()
        current = {record.id for record in own.values()}
        return {
            case_id: record
            for case_id, record in self._kept.standing().get(CARRIED_NAME, {}).items()
            if case_id not in own and current.issuperset(record.base.carried_from)
        }

    def mask(self, case_id: str) -> np.ndarray:
        """The carried mask of a case, bool (H, W). Raises as `accept`."""
        return self._kept.mask(self._waiting(case_id))

    def accept(
        self,
        case_id: str,
        mask: np.ndarray | None = None,
        *,
        seconds: float | None = None,
        tools: Sequence[CorrectionTool] = (),
        truth_seen: bool | None = None,
    ) -> CorrectionRecord:
        """The reader looked at a carried mask: it becomes the reader's correction.

        Args:
            mask: bool (H, W), as the reader changed it; None takes it as it is.
        Raises:
            UsageProblem: where no such mask waits, or the frame has other pixels now.
            RefusedInput: where its file is lost.
        """
        waiting = self._waiting(case_id)
        case = self.source.data_cases.get(case_id)
        if case is None:
            raise UsageProblem(f"{case_id}: expected a frame of the data set, found none. Name its data set")
        if current_sha256(case.frame) != waiting.image_sha256:
            raise UsageProblem(f"{case_id}: expected the frame that the mask was carried to, found other pixels")
        mask = self._kept.mask(waiting) if mask is None else mask
        mine = [one for one in self.store.records() if one.reviewer == self.reviewer]
        record = CorrectionRecord(
            new_id(), now(mine), self.reviewer, case_id, waiting.image_sha256, waiting.width, waiting.height,
            waiting.base, mask_digest(mask), seconds, tuple(dict.fromkeys(tools)), truth_seen,
        )  # fmt: skip
        record = with_truth_of_origins(record, {one.id: one for one in self.store.records()})
        self.store.save(record, mask)
        return record

    def dismiss(self, case_id: str) -> None:
        """A carried mask is of no use: it waits no more. Raises UsageProblem where none waits."""
        record = self._waiting(case_id)
        self._save(case_id, record.image_sha256, (record.height, record.width), record.base, None)

    def carry(self, case_id: str, model: CarriesMasks) -> Carried:
        """Carry the reader's correction of a frame to all frames of its sequence that the reader did not correct.

        Masks that were carried there before are replaced; those of a stopped call are kept.

        Raises:
            UsageProblem: where the reader did not correct the frame, or it belongs to no sequence of several frames.
            RefusedInput: where a mask is lost, or the frame has other pixels than were corrected.
        """
        own = self._own()
        if case_id not in own:
            raise UsageProblem(f"{case_id}: expected a correction of {self.reviewer} to carry, found none")
        groups = in_sequences(self.source.dataset.frames, lambda frame: frame)
        frames = next((group for group in groups if case_id in {frame.case_id for frame in group}), None)
        if frames is None:
            raise UsageProblem(
                f"{case_id}: expected a frame of the data set to carry from, found none. Name its data set"
            )
        if len(frames) == 1:
            raise UsageProblem(f"{case_id}: expected a frame of a sequence, found a single one. See --group-by")
        places = {frame.case_id: place for place, frame in enumerate(frames)}
        corrected = [case_id, *(one for one in places if one in own and one != case_id)]
        sure = [one for one in corrected if own[one].image_sha256 == current_sha256(frames[places[one]])]
        if case_id not in sure:
            raise RefusedInput(
                f"{case_id}: expected the frame that was corrected, found other pixels. Correct it again"
            )
        anchors = {places[one]: self.store.mask(own[one]) for one in sure}
        remembered = model.nearest_anchors(tuple(anchors))
        used = [one for one in sure if places[one] in remembered]
        origins = tuple(own[one].id for one in used)
        weights, predicted = weights_of(model.identity), {case.case_id for case in self.source.cases}
        read: dict[int, Image.Image] = {}

        def reading(place: int) -> Image.Image | None:
            read.clear()  # one frame at a time
            image = _read(frames[place])
            if image is not None:
                read[place] = image
            return image

        made = []
        followed = model.carry(reading, len(frames), anchors)
        for place, mask in track(followed, "carry", total=len(frames) - len(anchors), unit="frame"):
            at = frames[place].case_id
            if at in own or at not in predicted:
                continue
            base = Base(BeganFrom.CARRIED, mask_digest(mask), weights=weights, carried_from=origins)
            self._save(at, pixel_sha256(read[place]), mask.shape, base, mask)
            made.append(at)
        return Carried(tuple(made), tuple(used), tuple(one for one in corrected if one not in sure))

    def _own(self) -> Mapping[str, CorrectionRecord]:
        return self.store.standing().get(self.reviewer, {})

    def _waiting(self, case_id: str) -> CorrectionRecord:
        record = self.waiting().get(case_id)
        if record is None:
            raise UsageProblem(f"{case_id}: expected a carried mask that waits to be looked at, found none")
        return record

    def _save(
        self, case_id: str, image_sha256: str, shape: tuple[int, ...], base: Base, mask: np.ndarray | None
    ) -> None:
        height, width = shape
        digest = None if mask is None else mask_digest(mask)
        before = [one for one in self._kept.records() if one.case_id == case_id]
        record = CorrectionRecord(
            new_id(), now(before), CARRIED_NAME, case_id, image_sha256, width, height, base, digest
        )
        self._kept.save(record, mask)


def _read(frame: Frame) -> Image.Image | None:
    try:
        return read_frame(frame.path, frame.index, frame.bits)
    except UnreadableImage:
        return None
