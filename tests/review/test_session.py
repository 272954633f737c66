"""The queue, and verdicts through it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import QueueOrder
from helpers.review import verdicts
from helpers.review.session import ReviewCase, ReviewSession
from helpers.review.verdicts import Verdict, VerdictReason, VerdictStore

CASES = (
    ReviewCase("c10", "P1", "P1-S1", 2, "ok", {"dice": 0.9, "hd95_px": 3.0}),
    ReviewCase("c2", "P1", "P1-S1", 1, "ok", {"dice": 0.2, "hd95_px": 9.0}),
    ReviewCase("c1", "P2", None, None, "no_seg", {"dice": 0.0, "hd95_px": None}),
    ReviewCase("c3", None, None, None, "ok", {"dice": None, "hd95_px": float("nan")}),
)


def session(folder, reviewer="ann", cases=CASES):
    return ReviewSession(cases, VerdictStore(folder), reviewer, "run", "p1", frozenset({"hd95_px"}))


def test_orders(tmp_path):
    one = session(tmp_path)
    assert one.queue == ("c1", "c2", "c3", "c10")
    one.arrange(QueueOrder.WORST)
    assert one.queue == ("c3", "c1", "c2", "c10")  # what has no score is looked at first
    one.arrange(QueueOrder.BEST)
    assert one.queue == ("c10", "c2", "c1", "c3")
    one.arrange(QueueOrder.WORST, "hd95_px")
    assert one.queue == ("c1", "c3", "c2", "c10")
    with pytest.raises(UsageProblem, match="one of dice, hd95_px, got 'cldice'"):
        one.arrange(QueueOrder.WORST, "cldice")


def test_frames_of_a_sequence_stand_in_order_of_time(tmp_path):
    placed = [replace(case, position=place) for case, place in zip(CASES, (0, 1, None, None), strict=True)]
    one = session(tmp_path, cases=placed)
    assert one.queue == ("c1", "c10", "c3", "c2")
    one.arrange(QueueOrder.WORST)
    assert one.queue == ("c3", "c1", "c2", "c10")


def test_frames_where_nothing_is_to_be_seen_are_neither_best_nor_worst(tmp_path):
    nothing = [ReviewCase(f"e{at}", "P3", None, at, "ok", {"dice": 1.0, "hd95_px": 0.0}, empty=True) for at in (2, 1)]
    one = session(tmp_path, cases=(nothing[0], *CASES, nothing[1]))
    for order, metric, ahead in (
        (QueueOrder.WORST, "dice", ("c3", "c1", "c2", "c10")),
        (QueueOrder.BEST, "dice", ("c10", "c2", "c1", "c3")),
        (QueueOrder.WORST, "hd95_px", ("c1", "c3", "c2", "c10")),
        (QueueOrder.BEST, "hd95_px", ("c10", "c2", "c1", "c3")),
    ):
        one.arrange(order, metric)
        assert one.queue == (*ahead, "e1", "e2"), (order, metric)
    one.arrange()
    assert one.queue == ("c1", "c2", "c3", "c10", "e1", "e2")


def test_the_case_at_hand_stays_at_hand(tmp_path):
    one = session(tmp_path)
    assert one.step(1).case_id == "c2"
    one.arrange(QueueOrder.BEST)
    assert one.queue[1] == "c2" and one.case.case_id == "c2"
    one.arrange(QueueOrder.WORST)
    assert one.queue[2] == "c2" and one.case.case_id == "c2" and one.step(1).case_id == "c10"


def test_a_queue_without_cases(tmp_path):
    one = session(tmp_path, cases=())
    assert one.queue == () and one.case is None and one.step(1) is None
    with pytest.raises(UsageProblem, match="case of the run"):
        one.give(Verdict.ACCEPT)


def test_verdicts_count_and_outlive_the_session(tmp_path):
    one = session(tmp_path)
    one.give(Verdict.REJECT, [VerdictReason.CATHETER, VerdictReason.CATHETER], "see left", 0.4)
    one.step(1)
    one.give(Verdict.ACCEPT)
    again = session(tmp_path)
    assert again.progress() == "2 of 4 reviewed: 1 accept, 0 fix, 1 reject"
    assert again.verdicts["c1"].reasons == (VerdictReason.CATHETER,) and again.verdicts["c1"].threshold == 0.4


def test_undo_goes_back_step_by_step(tmp_path):
    one = session(tmp_path)
    one.give(Verdict.ACCEPT)
    one.give(Verdict.REJECT)
    one.give(Verdict.FIX, case_id="c2")
    assert one.undo().case_id == "c2" and "c2" not in one.verdicts
    one.undo()
    assert one.verdicts["c1"].verdict is Verdict.ACCEPT
    one.undo()
    assert one.undo() is None and not session(tmp_path).verdicts


def test_a_clock_that_is_set_back_neither_revives_an_old_verdict_nor_undoes_another(tmp_path, monkeypatch):
    clock = [datetime(2026, 5, 1, 12, tzinfo=UTC)]

    class Clock(datetime):
        @classmethod
        def now(cls, zone):
            return clock[0]

    monkeypatch.setattr(verdicts, "datetime", Clock)
    one = session(tmp_path)
    one.give(Verdict.ACCEPT, case_id="c1")
    for years in (-1, 1, -2, -3):
        clock[0] = datetime(2026 + years, 5, 1, 12, tzinfo=UTC)
        last = one.give(Verdict.REJECT if years % 2 else Verdict.FIX, case_id="c2" if years == -3 else "c1")
    for found in (one, session(tmp_path)):
        assert found.verdicts["c1"].verdict is Verdict.FIX and found.verdicts["c2"].id == last.id
    assert one.undo().withdraws == last.id
    assert set(session(tmp_path).verdicts) == {"c1"}


def test_two_reviewers_see_each_other_after_a_reload(tmp_path):
    ann, bob = session(tmp_path), session(tmp_path, "bob")
    ann.give(Verdict.ACCEPT)
    bob.give(Verdict.REJECT)
    assert ann.undo() and bob.verdicts["c1"].verdict is Verdict.REJECT
    ann.reload()
    assert set(ann.all_verdicts) == {"bob"} and not ann.verdicts


def test_verdicts_of_another_run_play_no_part(tmp_path):
    session(tmp_path).give(Verdict.ACCEPT)
    other = ReviewSession(CASES, VerdictStore(tmp_path), "ann", "other run", "p1")
    assert not other.verdicts


@given(steps=st.lists(st.integers(-5, 5), max_size=20))
def test_steps_never_leave_the_queue(tmp_path_factory, steps):
    one, place = session(tmp_path_factory.getbasetemp() / "steps"), 0
    for step in steps:
        place = min(max(place + step, 0), 3)
        assert one.step(step).case_id == one.queue[place]


def test_verdicts_on_the_other_run_are_kept_apart(tmp_path):
    both = ReviewSession(CASES, VerdictStore(tmp_path), "ann", "run", "p1", others=("other",))
    record = both.give(Verdict.ACCEPT)
    both.add(replace(record, id="0" * 32, run="other", verdict=Verdict.REJECT, time="2999-01-01T00:00:00Z"))
    assert both.verdicts["c1"].verdict is Verdict.ACCEPT and len(both.records) == 2
    assert both.verdicts_on("other")["ann"]["c1"].verdict is Verdict.REJECT
    assert both.undo().run == "other" and both.verdicts_on("other") == {}
    with pytest.raises(UsageProblem):
        both.add(replace(record, id="1" * 32, run="third"))


def known(**predictions):
    """Cases of a run and another one, with fingerprints of what both say."""
    return [
        ReviewCase(case_id, None, None, None, "ok", {}, predictions=found) for case_id, found in predictions.items()
    ]


def test_verdicts_stand_while_other_cases_are_predicted_again_and_fall_with_their_own(tmp_path):
    store = VerdictStore(tmp_path)
    first = ReviewSession(known(a=("a1", "x"), b=("b1", None)), store, "ann", "run", "p1", others=("other",))
    for case_id in "ab":
        first.give(Verdict.ACCEPT, case_id=case_id)
    again = ReviewSession(known(a=("a1", "x"), b=("b2", None)), store, "ann", "mended", "p1", others=("other",))
    assert set(again.verdicts) == {"a"} and again.elsewhere == 1 and again.progress().startswith("1 of 2")
    again.give(Verdict.REJECT, case_id="b")
    assert again.undo().prediction == "b2" and again.undo().prediction == "a1" and again.undo() is None
    back = ReviewSession(known(a=("a1", "x"), b=("b1", None)), store, "ann", "run", "p1", others=("other",))
    assert set(back.verdicts) == {"b"}  # predicted as before: what was said of it stands


def test_a_verdict_on_what_the_case_no_longer_is_is_refused(tmp_path):
    one = ReviewSession(known(a=("a1", "x")), VerdictStore(tmp_path), "ann", "run", "p1", others=("other",))
    record = one.give(Verdict.ACCEPT)
    with pytest.raises(UsageProblem, match="open the review again"):
        one.add(replace(record, id="0" * 32, prediction="a0"))
    other = one.add(replace(record, id="1" * 32, run="other", prediction="x", verdict=Verdict.REJECT))
    assert one.verdicts["a"].id == record.id and one.verdicts_on("other")["ann"]["a"].id == other.id
