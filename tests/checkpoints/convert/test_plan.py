"""What a plan that does not add up says: each kind once, with the first tensors of it."""

import pytest

from helpers.checkpoints.convert.plan import Problems
from helpers.core.errors import RefusedInput


def refusal(*noted):
    problems = Problems()
    for kind, what in noted:
        problems.add(kind, what)
    assert problems
    with pytest.raises(RefusedInput) as caught:
        problems.raise_any()
    return str(caught.value)


def test_without_problems_nothing_is_raised():
    problems = Problems()
    assert not problems
    problems.raise_any()


@pytest.mark.parametrize(
    ("names", "listed"), [("a", "a"), ("ab", "a; b"), ("abc", "a; b; and 1 more"), ("abcde", "a; b; and 3 more")]
)
def test_two_tensors_are_named_and_the_others_counted(names, listed):
    text = refusal(*(("no source", name) for name in names))
    assert text == f"the tensors do not add up, nothing was written: no source: {listed}"


def test_kinds_stand_below_each_other_in_the_order_found():
    text = refusal(("no source", "a"), ("mismatch", "b"), ("no source", "c"))
    assert text.splitlines() == [
        "the tensors do not add up, nothing was written: ",
        "  - no source: a; c",
        "  - mismatch: b",
    ]
