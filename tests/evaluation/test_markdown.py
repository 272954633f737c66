"""Words and numbers of a report."""

from helpers.evaluation.markdown import escaped, p_text, stands_beside, table, written_mean

KNOWN = {"mean": 0.78125, "low": None, "high": None, "few": False, "unit": "patient"}


def test_text_of_data_is_shown_as_it_is_on_one_line():
    assert escaped("a_b*c [d](e) <f> |g|\n#1  & !`h`{i}\\") == (
        r"a_b\*c \[d\](e) \<f\> \|g\| \#1 \& \!\`h\`\{i\}" + "\\\\"
    )
    assert escaped(7) == "7"
    assert escaped("1_run a__b _c_ d_") == r"1_run a\_\_b \_c\_ d\_"


def test_a_mean_with_what_it_leaves_open():
    assert written_mean(KNOWN) == "0.781"
    assert written_mean({**KNOWN, "low": 0.75, "high": 0.8}) == "0.781 [0.750, 0.800]"
    noted = {**KNOWN, "n_undefined": 2, "n_infinite": 1, "n_cases": 9, "few": True}
    assert written_mean(noted) == "0.781 (2 undefined, 1 of 9 cases at the cap, fewer than 10 patients)"
    assert written_mean({**KNOWN, "n_undefined": 0, "n_infinite": 0}) == "0.781"
    assert written_mean({**KNOWN, "mean": None}) == written_mean({**KNOWN, "mean": float("nan")}) == ""
    assert written_mean({**KNOWN, "low": float("nan"), "high": float("nan")}) == "0.781"
    assert written_mean({**KNOWN, "low": -0.75, "high": 0.8}, sign="+") == "+0.781 [-0.750, +0.800]"
    assert written_mean({**KNOWN, "interval": "none: all units equal"}) == "0.781 (all units equal)"


def test_the_median_stands_beside_a_distance_alone():
    row = {**KNOWN, "n_undefined": 0, "n_infinite": 0, "median": 0.75}
    assert written_mean({**row, "metric": "hd95_px"}) == "0.781 (median 0.750)"
    assert written_mean({**row, "metric": "dice"}) == "0.781"
    for unknown in (None, float("nan")):
        assert stands_beside({**row, "metric": "hd95_px", "median": unknown}) == []
    older = {name: value for name, value in row.items() if name != "median"}
    assert stands_beside({**older, "metric": "hd95_px"}) == []


def test_p_values_have_three_digits():
    assert [p_text(value) for value in (None, float("nan"), 0.5, 0.012345, 0.00001234)] == [
        "",
        "",
        "0.5",
        "0.0123",
        "1.23e-05",
    ]


def test_a_row_of_a_table():
    assert table(["a", "", "b"], [["c", "d", ""]]) == "| a |  | b |\n| --- | --- | --- |\n| c | d |  |"
