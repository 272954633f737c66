"""Whether a reader can have seen the prediction of a case: as far as the kit knows, not as a page says."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from helpers.review.corrections.reviewed import ReviewedCorrections
from helpers.review.session import ReviewSession

# Folder of corrections, reader and case id of every prediction that this process sent to a viewer: a notebook may open
# the same review again.
_SENT: set[tuple[Path, str, str]] = set()


@dataclass(frozen=True)
class UnseenPredictions:
    """What the reader of `session` is to draw before its prediction is sent, and what was sent to them.

    Attributes:
        drawn_first: ids of cases that are drawn for it.
    """

    session: ReviewSession
    corrections: ReviewedCorrections
    drawn_first: frozenset[str] = field(default=frozenset(), repr=False)

    @classmethod
    def left_of(
        cls, case_ids: frozenset[str], session: ReviewSession, corrections: ReviewedCorrections
    ) -> "UnseenPredictions":
        """With those of the cases of which the reader cannot have seen a prediction yet, nor kept a correction."""
        told = {one.case_id for one in session.store.records() if one.reviewer == session.reviewer}
        given = cls(session, corrections, case_ids - told)
        left = (one for one in given.drawn_first if not given.is_drawn(one) and given._key(one) not in _SENT)
        return cls(session, corrections, frozenset(left))

    def is_drawn(self, case_id: str) -> bool:
        """Whether the reader kept a correction of a case once, also where it was taken back."""
        return bool(self.corrections.own(case_id, self.session.reviewer))

    def sent(self, case_ids: Iterable[str]) -> None:
        """A viewer of the reader gets the predictions of these cases."""
        _SENT.update(map(self._key, case_ids))

    def is_unseen(self, case_id: str) -> bool:
        """Whether what the reader draws of a case now is drawn before its prediction can have been seen.

        Not where the reader gave a verdict on it, has an earlier correction that was not drawn so, or got it sent.
        """
        reviewer = self.session.reviewer
        return (
            case_id in self.drawn_first
            and self._key(case_id) not in _SENT
            and all(one.prediction_seen is False for one in self.corrections.own(case_id, reviewer))
            and not any((one.reviewer, one.case_id) == (reviewer, case_id) for one in self.session.store.records())
        )

    def _key(self, case_id: str) -> tuple[Path, str, str]:
        return self.corrections.store.folder.absolute(), self.session.reviewer, case_id
