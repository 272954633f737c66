import math

from helpers.review.case_ranking import TellingCases, by_score, telling_cases


def test_items_of_equal_scores_stay_as_they_come_and_those_without_one_count_as_worst():
    scores = {"a": 0.5, "b": None, "c": 0.9, "d": 0.5, "e": math.nan}
    assert by_score("abcde", scores.get) == ["b", "e", "a", "d", "c"]
    assert by_score("abcde", scores.get, worst_first=False) == ["c", "a", "d", "b", "e"]
    assert by_score("abcde", scores.get, lower_is_better=True) == ["b", "e", "c", "a", "d"]


def test_the_median_is_the_lower_of_two_and_the_ends_take_half_at_most():
    scores = {f"c{number}": number / 20 for number in range(12)}
    assert telling_cases(scores, 2) == TellingCases(("c0", "c1"), "c5", ("c11", "c10"))
    assert telling_cases(scores, 9).worst[-1] == "c5" and telling_cases(scores, 9).best[-1] == "c6"


def test_one_case_is_the_worst_and_none_is_twice():
    assert telling_cases({"a": 0.3}, 2) == TellingCases(("a",), "a", ())
    assert telling_cases({"a": 0.3, "b": 0.1}, 2) == TellingCases(("b",), "b", ("a",))


def test_cases_without_a_score_are_left_out():
    assert telling_cases({"a": None, "b": math.nan}, 1) == TellingCases((), None, ())
    assert telling_cases({"a": None, "b": 0.2, "c": 0.4}, 1) == TellingCases(("b",), "b", ("c",))


def test_cases_of_equal_scores_stand_in_natural_order():
    assert telling_cases(dict.fromkeys(("f10", "f9", "f8"), 0.5), 1) == TellingCases(("f8",), "f9", ("f10",))
