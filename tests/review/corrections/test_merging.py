"""One mask a case out of several readers' work."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.core.errors import UsageProblem
from helpers.review.corrections.merging import LeftOut, merge, with_accepted
from helpers.review.verdicts import Verdict
from tests.review.corrections.test_record import DIGEST, OTHER, correction
from tests.review.test_verdicts import record

READERS = ("ann", "bob", "cyd")
DRAWN = ("11" * 32, "22" * 32)
IMAGES = {"a": DIGEST, "b": DIGEST, "c": DIGEST}


def drawn(reviewer, case_id, which=0, image=DIGEST):
    return correction(1, case_id, reviewer, mask_sha256=DRAWN[which], image_sha256=image)


def by_reader(*records):
    found = {}
    for one in records:
        found.setdefault(one.reviewer, {})[one.case_id] = one
    return found


def test_frames_where_readers_differ_are_left_out_until_one_decides():
    same = [drawn("ann", "a"), drawn("bob", "a")]
    differing = [drawn("ann", "b"), drawn("bob", "b", 1)]
    alone = [drawn("bob", "c")]
    standing = by_reader(*same, *differing, *alone)
    merged = merge(standing, IMAGES)
    assert merged.records == {"a": tuple(same), "c": tuple(alone)}
    assert merged.left_out == {LeftOut.DIFFERING: ("b",)}
    decided = merge(standing, IMAGES, "bob")
    assert decided.records == {"a": (same[1],), "b": (differing[1],), "c": tuple(alone)} and decided.left_out == {}
    third = merge(by_reader(*differing, drawn("cyd", "c")), IMAGES, "cyd")
    assert third.left_out == {LeftOut.DIFFERING: ("b",)} and set(third.records) == {"c"}
    assert third.notes == (
        "readers differ on b (ann and bob). cyd has no mask there: let cyd draw one, or name another reader "
        "(--adjudicator)",
    )
    masks = {DRAWN[0]: np.eye(4, dtype=bool), DRAWN[1]: np.eye(4, dtype=bool)[:, ::-1] | np.eye(4, dtype=bool)}
    (note,) = merge(standing, IMAGES, None, lambda one: masks[one.mask_sha256]).notes
    assert note == "readers differ on b (ann and bob, Dice 0.667). Name the reader whose mask counts (--adjudicator)"
    assert decided.notes == ()


def test_other_frames_and_cases_play_no_part():
    merged = merge(
        by_reader(drawn("ann", "a", image=OTHER), drawn("bob", "a"), drawn("ann", "x"), drawn("ann", "b", image=OTHER)),
        IMAGES,
    )
    assert set(merged.records) == {"a"} and [one.reviewer for one in merged.records["a"]] == ["bob"]
    assert merged.left_out == {LeftOut.OTHER_FRAME: ("b",), LeftOut.UNKNOWN: ("x",)}


def test_a_frame_that_cannot_be_read_is_not_another_one_and_not_unknown():
    merged = merge(by_reader(drawn("ann", "a"), drawn("ann", "x")), {"a": None})
    assert not merged.records and merged.left_out == {LeftOut.UNREADABLE: ("a",), LeftOut.UNKNOWN: ("x",)}


def test_an_adjudicator_must_have_corrected_something():
    with pytest.raises(UsageProblem, match=r"adjudicator: expected a reader with corrections \(ann, bob\), got 'eve'"):
        merge(by_reader(drawn("ann", "a"), drawn("bob", "a")), IMAGES, "eve")


@given(
    choices=st.dictionaries(st.tuples(st.sampled_from(READERS), st.sampled_from("abc")), st.integers(0, 1), min_size=1),
    adjudicator=st.none() | st.sampled_from(READERS),
)
def test_every_case_is_kept_or_left_out_and_never_a_third_mask(choices, adjudicator):
    standing = by_reader(*(drawn(reader, case_id, which) for (reader, case_id), which in choices.items()))
    if adjudicator is not None and adjudicator not in standing:
        return
    merged = merge(standing, IMAGES, adjudicator)
    left_out = {case_id for case_ids in merged.left_out.values() for case_id in case_ids}
    assert merged.records.keys() | left_out == {case_id for _, case_id in choices}
    assert not merged.records.keys() & left_out
    for case_id in merged.records.keys() | left_out:
        given_by = {reader: which for (reader, of), which in choices.items() if of == case_id}
        if adjudicator in given_by:
            (kept,) = merged.records[case_id]
            assert kept.reviewer == adjudicator and kept.mask_sha256 == DRAWN[given_by[adjudicator]]
        else:
            assert (case_id in left_out) is (len(set(given_by.values())) > 1)


def verdicts(**given_by):
    """`ann=[("a", ACCEPT)]` as `current` has them."""
    return {
        reader: {case_id: record(number, case_id, verdict, reader) for number, (case_id, verdict) in enumerate(of, 1)}
        for reader, of in given_by.items()
    }


def test_accepted_predictions_are_those_that_nobody_doubts():
    accept, fix, reject = Verdict.ACCEPT, Verdict.FIX, Verdict.REJECT
    said = verdicts(
        ann=[("a", accept), ("b", accept), ("c", accept), ("d", fix), ("e", accept), ("f", accept)],
        bob=[("b", reject), ("c", accept)],
    )
    merged = with_accepted(merge(by_reader(drawn("ann", "a")), IMAGES), said, 0.5, ["a", "b", "c", "d", "f"])
    assert set(merged.records) == {"a"} and set(merged.accepted) == {"c", "f"}
    assert [one.reviewer for one in merged.accepted["c"]] == ["ann", "bob"]
    assert merged.left_out == {LeftOut.VERDICTS: ("b",), LeftOut.NO_MASK: ("e",)}


def test_a_mask_that_was_accepted_at_another_threshold_is_another_mask():
    said = {"ann": {"a": record(1, "a", Verdict.ACCEPT, threshold=0.7)}}
    assert with_accepted(merge({}, {}), said, 0.5, ["a"]).left_out == {LeftOut.THRESHOLD: ("a",)}
    assert set(with_accepted(merge({}, {}), said, 0.7, ["a"]).accepted) == {"a"}


def test_a_case_on_which_readers_differ_is_not_accepted_behind_their_backs():
    merged = merge(by_reader(drawn("ann", "b"), drawn("bob", "b", 1)), IMAGES)
    assert with_accepted(merged, verdicts(ann=[("b", Verdict.ACCEPT)]), 0.5, ["b"]).accepted == {}
