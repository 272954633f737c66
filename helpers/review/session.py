"""A review without a screen: the queue of cases, where one stands in it, and the verdicts of one reviewer."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from helpers.core.errors import UsageProblem
from helpers.core.paths import plain_name
from helpers.core.vocabulary import QueueOrder
from helpers.data.frames.image_reading import natural_key
from helpers.review.case_ranking import by_score
from helpers.review.verdicts import Verdict, VerdictReason, VerdictRecord, VerdictStore, current, is_on, new_id, now


@dataclass(frozen=True)
class ReviewCase:
    """What the queue knows of a case.

    Attributes:
        case_id, patient, sequence: pseudonyms; None where unknown.
        frame: number in the sequence.
        status: how the prediction ended, such as `ok` or `no_seg`.
        scores: metric -> value; None where unknown or undefined.
        position: in the sequence in order of time; None where unknown.
        empty: whether it was scored and neither ground truth nor mask holds a pixel, so that nothing is to be seen.
        predictions: fingerprint of what the run says of it, then each run that is shown in its place; None where one
            does not have it. Empty where unknown: then a verdict counts for the run as a whole.
    """

    case_id: str
    patient: str | None
    sequence: str | None
    frame: int | None
    status: str
    scores: Mapping[str, float | None] = field(default_factory=dict)
    position: int | None = None
    empty: bool = False
    predictions: tuple[str | None, ...] = ()


def ranked(
    cases: Iterable[ReviewCase], order: QueueOrder, metric: str, *, lower_is_better: bool = False
) -> list[ReviewCase]:
    """Cases in an order; those of equal values as in NATURAL, those without a value first under WORST, last under BEST.

    Where a sequence has cases in natural order of their ids, its frames stand in order of time. Cases where nothing is
    to be seen stand behind all others under WORST and BEST: a Dice of 1 makes no best case of them.
    """
    natural = _in_time(sorted(cases, key=lambda case: natural_key(case.case_id)))
    if order is QueueOrder.NATURAL:
        return natural
    shown = by_score(
        (case for case in natural if not case.empty),
        lambda case: case.scores.get(metric),
        worst_first=order is QueueOrder.WORST,
        lower_is_better=lower_is_better,
    )
    return [*shown, *(case for case in natural if case.empty)]


def _in_time(cases: Sequence[ReviewCase]) -> list[ReviewCase]:
    """The cases, those of a sequence in order of time at the places that the sequence has."""
    groups: dict[str, list[ReviewCase]] = defaultdict(list)
    for case in cases:
        if case.sequence is not None and case.position is not None:
            groups[case.sequence].append(case)
    next_of = {name: iter(sorted(group, key=lambda case: case.position or 0)) for name, group in groups.items()}
    return [case if case.sequence is None or case.position is None else next(next_of[case.sequence]) for case in cases]


@dataclass
class ReviewSession:
    """One reviewer's way through the cases of a run.

    Attributes:
        cases: all of the run.
        run: fingerprint of the run.
        others: fingerprints of runs that are shown in its place; verdicts on them are kept too.
        lower_is_better: metrics of which a small value is good.
    """

    cases: Sequence[ReviewCase]
    store: VerdictStore
    reviewer: str
    run: str
    prompt: str
    lower_is_better: frozenset[str] = frozenset()
    others: tuple[str, ...] = ()
    _queue: list[str] = field(default_factory=list, repr=False)
    _place: int = 0
    _kept: list[VerdictRecord] = field(default_factory=list, repr=False)
    _elsewhere: int = 0

    def __post_init__(self) -> None:
        plain_name(self.reviewer, "reviewer")
        self._by_id = {case.case_id: case for case in self.cases}
        self.reload()
        self.arrange()

    def reload(self) -> None:
        """Read the store again, for verdicts that others gave meanwhile."""
        self._kept, self._elsewhere = [], 0
        for one in self.store.records():
            if one.prompt == self.prompt and self._places(one):
                self._kept.append(one)
            else:
                self._elsewhere += one.verdict is not None

    @property
    def _runs(self) -> tuple[str, ...]:
        return (self.run, *self.others)

    @property
    def elsewhere(self) -> int:
        """Number of verdicts in the store that are on other runs or prompts, or on what a run no longer says."""
        return self._elsewhere

    def _prediction(self, case_id: str, place: int) -> str | None:
        """Fingerprint of what a run says of a case; None where unknown."""
        case = self._by_id.get(case_id)
        return None if case is None or not case.predictions else case.predictions[place]

    def _places(self, record: VerdictRecord) -> tuple[int, ...]:
        """Which of the runs a record is on."""
        return tuple(
            place for place, run in enumerate(self._runs) if is_on(record, run, self._prediction(record.case_id, place))
        )

    @property
    def _own(self) -> list[VerdictRecord]:
        """What this reviewer said."""
        return [record for record in self._kept if record.reviewer == self.reviewer]

    # The queue.

    @property
    def queue(self) -> tuple[str, ...]:
        """Case ids in the order in which they are shown."""
        return tuple(self._queue)

    @property
    def case(self) -> ReviewCase | None:
        """The case at hand; None for an empty queue."""
        return self._by_id[self._queue[self._place]] if self._queue else None

    def arrange(self, order: QueueOrder = QueueOrder.NATURAL, metric: str = "dice") -> None:
        """Sort the queue. The case at hand stays at hand.

        Args:
            metric: to sort by; cases without a value come first under WORST, last under BEST.
        Raises:
            UsageProblem: for a metric that no case has.
        """
        if order is not QueueOrder.NATURAL and self.cases and not any(metric in case.scores for case in self.cases):
            known = sorted({name for case in self.cases for name in case.scores})
            raise UsageProblem(f"sort: expected one of {', '.join(known) or 'no metrics'}, got {metric!r}")
        here, lower = self.case, metric in self.lower_is_better
        self._queue = [case.case_id for case in ranked(self.cases, order, metric, lower_is_better=lower)]
        self._place = self._queue.index(here.case_id) if here else 0

    def step(self, count: int) -> ReviewCase | None:
        """Go on by `count` cases, or back where it is negative; never beyond the ends."""
        self._place = min(max(self._place + count, 0), max(len(self._queue) - 1, 0))
        return self.case

    # Verdicts.

    @property
    def records(self) -> tuple[VerdictRecord, ...]:
        """All that was ever said of what these runs say now, by anyone, as far as the store was read."""
        return tuple(self._kept)

    @property
    def verdicts(self) -> Mapping[str, VerdictRecord]:
        """Case id -> the verdict of this reviewer that stands."""
        return self.all_verdicts.get(self.reviewer, {})

    @property
    def all_verdicts(self) -> Mapping[str, Mapping[str, VerdictRecord]]:
        """Reviewer -> case id -> verdict, of everyone, as far as the store was read."""
        return self.verdicts_on(self.run)

    def verdicts_on(self, run: str) -> Mapping[str, Mapping[str, VerdictRecord]]:
        """The same of any of the runs."""
        place = self._runs.index(run)
        return current(record for record in self._kept if place in self._places(record))

    def give(
        self,
        verdict: Verdict,
        reasons: Sequence[VerdictReason] = (),
        note: str = "",
        threshold: float | None = None,
        case_id: str | None = None,
    ) -> VerdictRecord:
        """Give a verdict on the case at hand, or on another one. It is on the disk when this returns.

        Raises UsageProblem for a case that the run does not have.
        """
        if case_id is None:
            case_id = self.case.case_id if self.case else None
        if case_id not in self._by_id:
            raise UsageProblem(f"expected a case of the run to give a verdict on, got {case_id!r}")
        record = VerdictRecord(
            new_id(), now(self._own), self.reviewer, self.run, self.prompt, case_id, Verdict(verdict),
            tuple(dict.fromkeys(VerdictReason(reason) for reason in reasons)), note, threshold, None,
            self._prediction(case_id, 0),
        )  # fmt: skip
        return self.add(record)

    def add(self, record: VerdictRecord) -> VerdictRecord:
        """Keep a record that was made elsewhere, such as in the browser, for this reviewer, prompt and one of the runs.

        Raises UsageProblem where it is for another, or for a case that the run does not have.
        """
        ours = (record.reviewer, record.prompt) == (self.reviewer, self.prompt) and self._places(record)
        if not ours or record.case_id not in self._by_id:
            raise UsageProblem(
                "expected a verdict of this reviewer on a case of this run and prompt, as they are now. Where the case "
                "was predicted again meanwhile, open the review again"
            )
        self.store.append(record)
        self._kept.append(record)
        return record

    def undo(self) -> VerdictRecord | None:
        """Take back the last verdict that stands; the record that does so, None where there is none."""
        gone = {record.withdraws for record in self._own}
        mine = [one for one in self._own if one.verdict and one.id not in gone]
        if not mine:
            return None
        last = max(reversed(mine), key=lambda one: one.moment)
        return self.add(
            VerdictRecord(
                new_id(),
                now(self._own),
                self.reviewer,
                last.run,
                self.prompt,
                last.case_id,
                None,
                withdraws=last.id,
                prediction=last.prediction,
            )
        )

    def progress(self) -> str:
        """How far the review is, such as `37 of 120 reviewed: 30 accept, 2 fix, 5 reject`."""
        verdicts = [record.verdict for record in self.verdicts.values()]
        counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in Verdict)
        return f"{len(verdicts)} of {len(self.cases)} reviewed: {counts}"
