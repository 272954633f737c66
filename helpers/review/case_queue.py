"""Which cases to look at next, chosen without ground truth: by the model's doubt, and some at random.

Those of doubt are spread over patients. Those at random are drawn from all cases, so that what is found among them
tells what the sure ones hide.
"""

import math
import random
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted
from helpers.data.dataset import Dataset
from helpers.data.frames.frame import Frame
from helpers.evaluation.guess_text import SIGNAL_TITLES
from helpers.evaluation.own_guess import DoubtOrder, order_of
from helpers.evaluation.scored_runs import ScoredRun

RANDOM_SHARE = 0.1
"""Share of a queue that is drawn at random."""
_OF_SEQUENCE, _OF_PATIENT = 0.05, 0.1  # most cases of one, as a share of the queue


class Why(StrEnum):
    """Why a case is in a queue."""

    DOUBT = "doubt"
    RANDOM = "random"


@dataclass(frozen=True)
class CaseQueue:
    """Cases to look at.

    Attributes:
        order: of doubt, of all cases of the run.
        chosen: case id -> why, the highest doubt first.
        of_sequence, of_patient: the most cases of one that were taken for their doubt.
    """

    order: DoubtOrder
    chosen: Mapping[str, Why]
    of_sequence: int
    of_patient: int

    @property
    def at_random(self) -> frozenset[str]:
        """Ids of the cases that were drawn at random."""
        return frozenset(case_id for case_id, why in self.chosen.items() if why is Why.RANDOM)

    def to_text(self, wrong: Collection[str] = (), judged: Collection[str] = ()) -> str:
        """How the queue was made, and what the cases at random have shown so far.

        Args:
            wrong: ids of cases that their reviewer would not accept.
            judged: ids of all cases with a verdict.
        """
        drawn, found = self.at_random, []
        seen = drawn & set(judged)
        if seen:
            bad = len(seen & set(wrong))
            found.append(f"of {counted(len(seen), 'case')} at random with a verdict {bad} to fix or reject")
        title = SIGNAL_TITLES[self.order.signal]
        said = (
            f"queue: the {len(self.chosen)} of {counted(len(self.order.ranks), 'case')} to look at next: "
            f"{len(self.chosen) - len(drawn)} that the model doubts most (by {title}), at most {self.of_sequence} "
            f"of a sequence and {self.of_patient} of a patient; {len(drawn)} drawn at random"
        )
        return "; ".join([said, *found])


def queue_of(scored_run: ScoredRun, dataset: Dataset, count: int) -> CaseQueue:
    """The next cases of a run to look at; no ground truth is read. The same each time for the same run and count.

    Args:
        count: how many cases, at least 1.
    Raises:
        RefusedInput: where the run holds cases of sealed patients, or no signal of doubt.
    """
    sealed = dataset.sealed & set(scored_run.run.cases())
    if sealed:
        raise RefusedInput(
            f"{scored_run.run.folder}: a queue was about to choose among {counted(len(sealed), 'frame')} of sealed "
            "patients, which the split kept with the data holds back for tests. Predict the other parts (--split), and "
            "review that run"
        )
    order = order_of(scored_run)
    if order is None:
        raise RefusedInput(
            f"{scored_run.run.folder}: expected a run that says how sure it is (logits, predicted IoU or an ensemble), "
            "found one of masks alone. Review all of its cases, without a queue"
        )
    seed = f"{scored_run.run.config.first_sha256}\n{scored_run.prompt_id}"
    return chosen_cases(order, dataset.frames, count, seed)


def chosen_cases(order: DoubtOrder, frames: Iterable[Frame], count: int, seed: str) -> CaseQueue:
    """A queue of so many cases, or of all where there are fewer.

    A tenth is drawn at random from all. The others are taken in order of doubt, at most a twentieth of the queue of one
    sequence and a tenth of one patient; where these do not fill it, the limits grow together. A case whose sequence or
    patient is unknown counts for itself.

    Args:
        frames: of all cases of the order, and maybe others; only patients, sequences and ids are read.
        seed: of the draw.
    """
    frame_of = {frame.case_id: frame for frame in frames}
    ordered = [frame_of[case_id] for case_id in order.case_ids]
    count = min(count, len(ordered))
    chosen = dict.fromkeys((frame.case_id for frame in _drawn(ordered, count, seed)), Why.RANDOM)
    of_sequence, of_patient = (max(1, math.ceil(share * count)) for share in (_OF_SEQUENCE, _OF_PATIENT))
    while True:
        for frame in _spread(ordered, of_sequence, of_patient):
            if len(chosen) == count:
                break
            chosen.setdefault(frame.case_id, Why.DOUBT)
        if len(chosen) == count:
            break
        of_sequence, of_patient = of_sequence + 1, of_patient + 1
    in_order = {case_id: chosen[case_id] for case_id in order.case_ids if case_id in chosen}
    return CaseQueue(order, in_order, of_sequence, of_patient)


def _drawn(frames: Sequence[Frame], count: int, seed: str) -> list[Frame]:
    """A tenth of a queue, at random from all frames, whatever their order."""
    pool = sorted(frames, key=lambda frame: frame.case_id)
    return random.Random(seed).sample(pool, math.ceil(RANDOM_SHARE * count))


def _spread(ordered: Sequence[Frame], of_sequence: int, of_patient: int) -> list[Frame]:
    """The frames in their order, without those beyond the most of one sequence and of one patient."""
    sequences, patients, kept = Counter[str](), Counter[str](), []
    for frame in ordered:
        sequence, patient = frame.sequence or frame.case_id, frame.patient or frame.case_id
        if sequences[sequence] < of_sequence and patients[patient] < of_patient:
            sequences[sequence] += 1
            patients[patient] += 1
            kept.append(frame)
    return kept
