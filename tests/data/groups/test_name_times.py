"""Dates and hours in names are written so that they order as times, where that is certain."""

import pytest

from helpers.data.groups.name_times import in_order_of_time


def by_text(stems):
    return sorted(range(len(stems)), key=lambda at: stems[at])


@pytest.mark.parametrize(
    ("stems", "written"),
    [
        (["31.12.2023_1", "01.01.2024_1"], ["2023-12-31_1", "2024-01-01_1"]),
        (["12-31-2023", "01-02-2024"], ["2023-12-31", "2024-01-02"]),
        (["31122023", "01012024"], ["2023-12-31", "2024-01-01"]),
        (["x 5 jan 2024", "x 4 february 2024"], ["x 2024-01-05", "x 2024-02-04"]),
        (["sept. 5, 2024"], ["2024-09-05"]),
        (["9-59-59 am", "12-00-01 am", "1-00-00 pm"], ["09-59-59", "00-00-01", "13-00-00"]),
        (["20240105_115959pm"], ["20240105_235959"]),
    ],
)
def test_what_is_certain_is_written_anew(stems, written):
    assert in_order_of_time(stems, by_text) == (written, None)


@pytest.mark.parametrize(
    "stems",
    [
        ["20240131", "20231201"],
        ["2024-01-31", "2023-12-01"],
        ["31.12.2023", "second"],
        ["31.02.2023"],
        ["13-00-00 pm"],
        ["25.12.2023-26.12.2023"],
        ["10.20.30", "10.20.31"],
        ["frame 1 of 12"],
        ["mayor 5 2024"],
        ["program 7"],
    ],
)
def test_what_is_no_such_date_stays(stems):
    assert in_order_of_time(stems, by_text) == (stems, None)


@pytest.mark.parametrize("stems", [["01.02.2024", "02.01.2024"], ["31.12.23", "01.01.24"]])
def test_what_has_several_meanings_is_told(stems):
    assert "in front" in in_order_of_time(stems, by_text)[1]
