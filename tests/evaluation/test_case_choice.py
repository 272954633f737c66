"""Which cases are scored, by runs that have some of them."""

from types import SimpleNamespace

import pytest

from helpers.core.errors import RefusedInput
from helpers.data.frames.frame import Frame
from helpers.evaluation.case_choice import choose_cases

UNTRUE = "cases with ground truth left out, since not every run was made for them"
GONE = "cases of the runs left out, since the data set has them no more"
ELSEWHERE = "cases of the runs left out, since they are of other splits"


def case(case_id, truth="a truth", split=None, patient=None, sequence=None):
    frame = Frame(case_id, None, split=split, patient=patient, sequence=sequence)
    return SimpleNamespace(case_id=case_id, truth=truth, frame=frame)


ABSENT = "cases of the runs left out, since they are not in the data set"


def data(*cases, exported=None):
    return SimpleNamespace(cases=cases, exported=exported)


def scored_run(*case_ids, limit=None, split=None, patient=None, sequence=None):
    rows = [SimpleNamespace(case_id=case_id, split=split, patient=patient, sequence=sequence) for case_id in case_ids]
    config = SimpleNamespace(values={} if limit is None else {"limit": limit})
    return SimpleNamespace(run=SimpleNamespace(cases=lambda: list(case_ids), config=config, rows=rows))


ABC = data(case("c"), case("a"), case("b", truth=None))


def test_cases_with_truth_in_the_order_of_the_data_set():
    found = choose_cases([scored_run("a", "b", "c")], ABC)
    assert (found.case_ids, found.left_out, found.warnings) == (("c", "a"), {}, ())


def test_a_run_missed_what_it_lacks_unless_it_was_limited():
    assert choose_cases([scored_run("a")], ABC).case_ids == ("c", "a")
    limited = choose_cases([scored_run("a", "c"), scored_run("a", limit=0)], ABC)
    assert limited.case_ids == ("a",) and limited.left_out == {UNTRUE: ("c",)}


def test_a_run_was_made_for_the_splits_that_it_has_cases_of():
    halves = data(case("a", split="val"), case("b", split="test"), case("c", split="test"))
    found = choose_cases([scored_run("b", split="test")], halves)
    assert found.case_ids == ("b", "c") and found.left_out == {UNTRUE: ("a",)}
    assert choose_cases([scored_run("a", "b")], halves).case_ids == ("a", "b", "c")


def test_cases_that_only_runs_have_are_of_other_splits_or_gone():
    there = data(case("a", split="test"))
    found = choose_cases([scored_run("a", "z", "y", split="test"), scored_run("a", "x", split="val")], there)
    assert found.case_ids == ("a",) and found.left_out == {GONE: ("y", "z"), ELSEWHERE: ("x",)}
    (warning,) = found.warnings
    assert warning.startswith("2 predicted cases, the first z, gone")


def test_cases_that_a_data_set_without_splits_never_had_are_not_of_other_splits():
    found = choose_cases([scored_run("a", "x", split="val")], data(case("a")))
    assert (found.left_out, found.warnings) == ({ABSENT: ("x",)}, ())
    found = choose_cases([scored_run("a", "x")], data(case("a"), exported="a record"))
    assert (found.left_out, found.warnings) == ({ABSENT: ("x",)}, ())


def test_groups_that_a_run_did_not_know_did_not_change():
    there = data(case("a", patient="P1", sequence="S1"), case("b", patient="P2", sequence="S2"))
    assert choose_cases([scored_run("a", "b")], there).warnings == ()
    assert choose_cases([scored_run("a", patient="P1", sequence="S1")], there).warnings == ()
    for run in (scored_run("b", "a", patient="P2"), scored_run("a", sequence="S2"), scored_run("a", patient="P9")):
        (warning,) = choose_cases([run], there).warnings
        assert warning.startswith("1 case of another patient or sequence now than when predicted, the first a;")


@pytest.mark.parametrize(("truth", "warnings"), [(None, 0), ("a truth", 1)])
def test_groups_matter_of_cases_that_are_scored(truth, warnings):
    there = data(case("a", patient="P1"), case("b", truth=truth, patient="P2"))
    assert len(choose_cases([scored_run("a", "b", patient="P1")], there).warnings) == warnings


def test_without_a_common_case_nothing_is_scored():
    with pytest.raises(RefusedInput, match="each of 2 runs was made for, found none among 3 cases .*, 2 of them with"):
        choose_cases([scored_run("a", limit=1), scored_run("c", limit=1)], ABC)


def followed(*rows, mode="track"):
    """A run's cases of one sequence: case id, number, position."""
    made = [
        SimpleNamespace(case_id=name, split=None, patient=None, sequence="S", frame=number, position=position)
        for name, number, position in rows
    ]
    config = SimpleNamespace(values={} if mode is None else {"mode": mode})
    ids = [name for name, _, _ in rows]
    return SimpleNamespace(name="t", run=SimpleNamespace(cases=lambda: ids, config=config, rows=made))


def placed(case_id, position):
    frame = Frame(case_id, None, sequence="S", position=position)
    return SimpleNamespace(case_id=case_id, truth="a truth", frame=frame)


@pytest.mark.parametrize(
    ("rows", "mode", "told"),
    [
        ([("a", None, 3), ("b", None, 1)], "track", False),
        ([("a", None, 1), ("b", None, 3)], "track", True),
        ([("a", None, 1), ("b", None, 3)], None, False),  # each frame by itself
        ([("a", 2, None), ("b", 1, None)], "fused", False),  # of before positions were kept
        ([("a", None, None), ("b", None, None)], "fused", True),
        ([("a", 0, None), ("b", None, None)], "fused", False),  # one without a number came first
    ],
)
def test_a_run_that_followed_frames_in_another_order_is_told(rows, mode, told):
    found = choose_cases([followed(*rows, mode=mode)], data(placed("a", 1), placed("b", 0)))
    assert [("another order" in warning) for warning in found.warnings] == [True] * told


def test_a_data_set_without_truth_is_refused_as_such():
    bare = SimpleNamespace(cases=(case("a", None), case("b", None)), exported=None, root="films", layout="dicom")
    with pytest.raises(RefusedInput, match="films: expected ground truth to score against, found none with its 2"):
        choose_cases([scored_run("a", "b")], bare)
