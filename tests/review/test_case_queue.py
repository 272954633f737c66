"""Which cases are looked at next: by doubt, spread over patients, and some at random."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.data.frames.frame import Frame
from helpers.evaluation.own_guess import DoubtOrder, Signal
from helpers.evaluation.scored_runs import open_scored_runs
from helpers.review.case_queue import Why, chosen_cases, queue_of
from helpers.review.review_source import DOUBT_RANK
from helpers.stages.review_stage import open_review


def frames_of(patients, each):
    """So many frames of one sequence of each patient: `P1-1`, `P1-2`, ..."""
    return [
        Frame(f"P{patient}-{number}", Path("x.png"), None, f"P{patient}", f"P{patient}-S1", number, None)
        for patient in range(1, patients + 1)
        for number in range(1, each + 1)
    ]


def by_doubt(queue):
    return [case_id for case_id, why in queue.chosen.items() if why is Why.DOUBT]


def test_the_most_doubtful_come_first_but_few_of_one_patient():
    """Ten of 40 cases: one at random, nine by doubt, at most one of a patient, whose last frames are doubted most."""
    frames = frames_of(patients=10, each=4)
    doubt = {frame.case_id: frame.number + int(frame.patient[1:]) / 100 for frame in frames}
    queue = chosen_cases(DoubtOrder(Signal.MAP, doubt), frames, 10, "seed")
    assert len(queue.chosen) == 10 and len(queue.at_random) == 1 and (queue.of_sequence, queue.of_patient) == (1, 1)
    expected = [f"P{patient}-4" for patient in range(10, 0, -1) if f"P{patient}-4" not in queue.at_random]
    assert by_doubt(queue) == expected[:9]
    assert queue.order.ranks["P10-4"] == 1 and queue.order.ranks["P1-1"] == 40
    assert queue.to_text() == (
        "queue: the 10 of 40 cases to look at next: 9 that the model doubts most (by Dice that the map expects), "
        "at most 1 of a sequence and 1 of a patient; 1 drawn at random"
    )


def test_limits_grow_where_patients_are_few_and_failures_share_the_first_place():
    frames = frames_of(patients=2, each=10)
    doubt = dict.fromkeys((frame.case_id for frame in frames), 0.0) | {"P1-3": np.inf, "P2-7": np.inf}
    queue = chosen_cases(DoubtOrder(Signal.ENSEMBLE, doubt), frames, 10, "seed")
    assert len(queue.chosen) == 10 and queue.of_sequence == queue.of_patient >= 4
    assert {"P1-3", "P2-7"} < set(queue.chosen) and queue.order.ranks["P1-3"] == queue.order.ranks["P2-7"] == 1
    assert queue.order.ranks["P1-1"] == 3
    assert len(chosen_cases(DoubtOrder(Signal.ENSEMBLE, doubt), frames, 99, "seed").chosen) == 20


@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 40), st.randoms(use_true_random=False))
def test_a_queue_is_the_same_whatever_the_order_of_the_frames(patients, each, count, random):
    frames = frames_of(patients, each)
    doubt = {frame.case_id: random.choice([0.0, 0.5, 1.0]) for frame in frames}
    queue = chosen_cases(DoubtOrder(Signal.MAP, doubt), frames, count, "seed")
    random.shuffle(frames)
    assert chosen_cases(DoubtOrder(Signal.MAP, doubt), frames, count, "seed") == queue
    assert len(queue.chosen) == min(count, len(frames)) and len(queue.at_random) >= 1
    taken = Counter(case_id.split("-")[0] for case_id in by_doubt(queue))
    assert all(number <= queue.of_patient for number in taken.values())


def test_cases_at_random_are_any_and_say_what_the_sure_ones_hide():
    frames = frames_of(patients=5, each=8)
    doubt = {frame.case_id: float(frame.number) for frame in frames}
    drawn = Counter()
    for seed in range(200):
        drawn.update(chosen_cases(DoubtOrder(Signal.MAP, doubt), frames, 10, str(seed)).at_random)
    assert len(drawn) == 40 and max(drawn.values()) < 20, "every case is as likely"
    queue = chosen_cases(DoubtOrder(Signal.MAP, doubt), frames, 20, "seed")
    one, other = sorted(queue.at_random)
    assert queue.to_text([one], [one, other]).endswith("of 2 cases at random with a verdict 1 to fix or reject")


def test_a_review_of_a_queue_shows_its_cases_with_their_place(material, tmp_path):
    """The baseline stores logits, so that its map says how sure it is."""
    given = {"verdicts": tmp_path / "v"}
    whole = open_review(material / "demo-run", material / "demo-data", **given)
    review = open_review(material / "demo-run", material / "demo-data", queue=2, **given)
    assert len(review.session.queue) == 2 < len(whole.session.queue)
    document = review.source.document()
    assert document["metrics"][0] == {
        "name": DOUBT_RANK,
        "title": f"model's own guess, rank of {len(whole.session.queue)}",
        "lower_is_better": False,
        "digits": 0,
        "guess": True,
    }
    places = {case["case_id"]: case["scores"][DOUBT_RANK] for case in document["cases"]}
    assert places == {case_id: review.source.queue.order.ranks[case_id] for case_id in review.source.queue.chosen}
    assert sorted(case["why"] for case in document["cases"]) == ["doubt", "random"]
    page = review.page(tmp_path / "review.html").read_text(encoding="utf-8")
    assert {name for name in whole.session.queue if f'"case_id": "{name}"' in page} == set(places)
    with pytest.raises(UsageProblem, match="queue: expected at least 1"):
        open_review("no-run", "no-data", queue=0)


def test_no_case_of_a_sealed_patient_is_chosen(material, tmp_path):
    source = open_review(material / "demo-run", material / "demo-data", verdicts=tmp_path / "v").source

    class Sealed:
        cases, sealed = source.dataset.cases, frozenset({source.cases[0].case_id})

    with pytest.raises(RefusedInput, match="1 frame of sealed patients"):
        queue_of(open_scored_runs([material / "demo-run"])[0], Sealed(), 2)
