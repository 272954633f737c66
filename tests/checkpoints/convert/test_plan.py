"""A plan's words and row ranges; and what one that does not add up says: each kind once, its first tensors named."""

import pytest

from helpers.checkpoints.convert.plan import Fate, Problems, SourceRole, TensorOrigin, joined_ranges
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


def test_words_of_the_record():
    """docs/conversion-record.md has them."""
    assert [role.value for role in SourceRole] == ["checkpoint", "pretrained", "base", "sam2"]
    assert {fate.name: fate.value for fate in Fate} == {
        "USED": "used", "MERGED": "merged", "OVERRIDDEN": "overridden", "TIED": "tied", "RECOMPUTED": "recomputed",
        "ORIGINAL": "original", "NOT_TAKEN": "not_taken",
    }  # fmt: skip
    assert {origin.name: origin.value for origin in TensorOrigin} == {
        "CHECKPOINT": "checkpoint", "PRETRAINED": "pretrained", "SAM2": "sam2", "BASE": "base", "MERGED": "merged"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ranges", "joined"),
    [
        ([], ()),
        ([(0, 2)], ((0, 2),)),
        ([(0, 2), (2, 3), (3, 7)], ((0, 7),)),
        ([(0, 2), (3, 4), (4, 5)], ((0, 2), (3, 5))),
        ([(2, 4), (0, 2)], ((2, 4), (0, 2))),
        ([(0, 2), (0, 2)], ((0, 2), (0, 2))),
    ],
)
def test_ranges_that_follow_one_another_become_one(ranges, joined):
    assert joined_ranges(ranges) == joined
