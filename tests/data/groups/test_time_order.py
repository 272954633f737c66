"""Frames stand in the order in which they were taken, however they are named."""

import random
import string
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from helpers.data.cases import NumberFrom, Record
from helpers.data.dataset import open_dataset
from helpers.data.frames.dicom_header import Moment
from helpers.data.frames.frame import in_sequences
from helpers.data.groups.time_order import OrderFrom, time_order


def spreadsheet(place):
    """a, b, ... z, aa, ab, ..."""
    letters = ""
    while place >= 0:
        place, last = divmod(place, 26)
        letters, place = string.ascii_lowercase[last] + letters, place - 1
    return letters


def days(count):
    """Days of which some are after the 12th, so that it is clear which number is the month."""
    return [date(2023, 12, 25) + timedelta(days=at) for at in range(count)]


# Each gives the names of frames in order of time, without their suffix.
SCHEMES = {
    "numbers": lambda n: [f"{at}" for at in range(n)],
    "padded numbers": lambda n: [f"frame_{at:05d}" for at in range(n)],
    "padded too little": lambda n: [f"frame_{at:02d}" for at in range(90, 90 + n)],
    "i of n": lambda n: [f"{at}_of_{n}" for at in range(1, n + 1)],
    "i of n, in words": lambda n: [f"Frame {at} of {n}" for at in range(1, n + 1)],
    "letters": lambda n: [spreadsheet(at) for at in range(n)],
    "letters behind a word": lambda n: [f"run-{spreadsheet(at).upper()}_raw" for at in range(n)],
    "mixed case": lambda n: [f"{'frame' if at % 2 else 'Frame'}{at}" for at in range(n)],
    "mixed separators": lambda n: [f"f{'_-'[at % 2]}{at}" for at in range(n)],
    "mixed suffixes": lambda n: [f"{at}.x" if at % 2 else f"{at}.y" for at in range(n)],
    "a constant number behind": lambda n: [f"{at}_0012" for at in range(n)],
    "a constant number in front": lambda n: [f"0012_{at:05d}" for at in range(n)],
    "a number behind that falls": lambda n: [f"{at}_{n - at}" for at in range(n)],
    "a copy's number": lambda n: ["img", *(f"img ({at})" for at in range(2, n + 1))],
    "timestamps": lambda n: [f"2024{1 + at // 28:02d}{1 + at % 28:02d}T1030{at % 60:02d}" for at in range(n)],
    "clock times": lambda n: [f"10-{(58 + at) // 60 + 10}-{(58 + at) % 60:02d}" for at in range(n)],
    "unpadded dates": lambda n: [f"2024-1-5_9-{at // 60}-{at % 60}" for at in range(n)],
    "milliseconds": lambda n: [f"{1704450600000 + 66 * at}" for at in range(n)],
    "seconds with trimmed decimals": lambda n: [f"{1704450600 + at / 8}" for at in range(n)],
    "full width digits": lambda n: ["".join(chr(0xFF10 + int(d)) for d in str(at)) for at in range(n)],
    "day first": lambda n: [f"{day:%d.%m.%Y}" for day in days(n)],
    "day first, in one number": lambda n: [f"run_{day:%d%m%Y}_1" for day in days(n)],
    "month first": lambda n: [f"{day:%m-%d-%Y}" for day in days(n)],
    "names of months": lambda n: [f"{day:%d-%b-%Y}" for day in days(n)],
    "names of months, year first": lambda n: [f"{day:%Y_%B_%d}" for day in days(n)],
    "am and pm": lambda n: [
        f"{(23 + at) // 2 % 12 or 12}-{30 * (at % 2 == 0):02d}-00 PM" for at in range(1, min(n, 22) + 1)
    ],
    "across noon": lambda n: [f"20240105_{(at + 11) % 12 + 1:02d}{'ap'[at > 11]}m" for at in range(min(n, 24))],
    "digits of another script": lambda n: ["".join(chr(0x0660 + int(d)) for d in str(at)) for at in range(n)],
    "letters of equal length": lambda n: [f"x{spreadsheet(26 + at)}" for at in range(n)],
    "folders": lambda n: [f"part{at // 4}/{at % 4}" for at in range(n)],
}


def names_in_order(records):
    positions = time_order(records).positions
    return sorted(positions, key=positions.__getitem__)


@pytest.mark.parametrize("scheme", SCHEMES)
@given(count=st.integers(2, 60), seed=st.integers(0, 2**16))
@settings(max_examples=20, deadline=None)
def test_names_of_every_kind_stand_in_order_of_time(scheme, count, seed):
    wanted = [f"P1/S1/{name}.png" for name in SCHEMES[scheme](count)]
    records = [Record(name, Path("/" + name), patient="P1", sequence="S1") for name in wanted]
    random.Random(seed).shuffle(records)
    assert names_in_order(records) == wanted


@pytest.mark.parametrize("scheme", sorted(SCHEMES.keys() - {"folders"}))
def test_a_data_set_of_folders_keeps_that_order_under_drawn_ids(scheme, tmp_path):
    wanted = SCHEMES[scheme](12)
    for place, name in enumerate(wanted):
        path = tmp_path / "set" / "P1" / "S1" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), place).save(path)
    found = open_dataset(tmp_path / "set")
    ((*group,),) = in_sequences(found.frames, lambda frame: frame)
    assert [frame.path.stem for frame in group] == wanted
    assert any(note.startswith("frames of a sequence in order of: ") for note in found.notes)


def test_the_rule_of_the_readme_puts_frames_in_order(tmp_path):
    for number in range(1, 13):
        Image.new("L", (8, 8), number).save(tmp_path / f"pat7_02_{number:03d}.png")
    found = open_dataset(tmp_path, group_by=r"(?P<patient>pat\d+)_(?P<sequence>\d+)")
    (group,) = in_sequences(found.frames, lambda frame: frame)
    assert [int(frame.path.stem[-3:]) for frame in group] == list(range(1, 13))
    assert found.notes[-1] == "frames of a sequence in order of: names, in natural order"


def test_a_number_that_repeats_decides_nothing(tmp_path):
    for number in range(1, 12):
        Image.new("L", (8, 8), number).save(tmp_path / f"P1_S1_0012_{number:05d}.png")
    found = open_dataset(tmp_path, group_by=r"(?P<patient>P\d+)_(?P<sequence>S\d+)_(?P<frame>\d+)")
    (group,) = in_sequences(found.frames, lambda frame: frame)
    assert [int(frame.path.stem[-5:]) for frame in group] == list(range(1, 12))


def records(values, **common):
    """One record for each of `values`, names counting down, so that names give another order."""
    count = len(values)
    return [
        Record(f"{count - at:02d}.png", Path("/x"), sequence="S", **common, **value) for at, value in enumerate(values)
    ]


RULE, NAME = {"number_from": NumberFrom.RULE}, {"number_from": NumberFrom.NAME}


@pytest.mark.parametrize(
    ("values", "source", "doubtful"),
    [
        ([{"number": at, **RULE} for at in (3, 5, 9)], OrderFrom.RULE, False),
        ([{"number": at, **RULE, "moments": {Moment.ACQUIRED: -at}} for at in (3, 5)], OrderFrom.RULE, False),
        ([{"moments": {Moment.ACQUIRED: at, Moment.INSTANCE: 1}} for at in (0.5, 0.75, 2)], OrderFrom.ACQUIRED, False),
        ([{"number": 9 - at, "moments": {Moment.ACQUIRED: at}} for at in (1, 2)], OrderFrom.ACQUIRED, True),
        ([{"number": at, "moments": {Moment.CONTENT: -at}} for at in (1, 2)], OrderFrom.NUMBERS, False),
        ([{"moments": {Moment.CONTENT: at, Moment.ACQUIRED: 7}} for at in (1, 2)], OrderFrom.CONTENT, False),
        ([{"moments": {Moment.INSTANCE: at}} for at in (10**9, 10**9 + 1)], OrderFrom.INSTANCES, False),
    ],
)
def test_what_a_header_or_a_rule_says_goes_before_names(values, source, doubtful):
    found = time_order(given := records(values))
    assert [found.positions[record.name] for record in given] == list(range(len(values)))
    assert (dict(found.taken_from), bool(found.doubts)) == ({source: 1}, doubtful)


@pytest.mark.parametrize(
    "values",
    [
        [{"number": 1}, {"number": 1}, {"number": 2}],
        [{"number": 1}, {"number": 2}, {}],
        [{"moments": {Moment.ACQUIRED: 1}}, {"moments": {Moment.ACQUIRED: 2}}, {}],
        [{"moments": {Moment.INSTANCE: 1}}] * 3,
    ],
)
def test_what_does_not_tell_all_frames_apart_leaves_it_to_names(values):
    found = time_order(given := records(values))
    assert [found.positions[record.name] for record in given] == list(range(len(values)))[::-1]
    assert dict(found.taken_from) == {OrderFrom.NAMES: 1}


def test_frames_of_several_files_go_file_by_file():
    found = time_order(
        Record(f"{name}.dcm#{index}", Path(name), index=index, sequence="S", number=index + 1, moments=moments)
        for name, moments in (("a", {Moment.ACQUIRED: 9.0}), ("b", {Moment.ACQUIRED: 2.0}))
        for index in range(2)
    )
    assert sorted(found.positions, key=found.positions.get) == ["b.dcm#0", "b.dcm#1", "a.dcm#0", "a.dcm#1"]


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (("1", "01", "2"), None),  # which of the first two?
        (("begin", "middle", "end"), None),
        (("1.5", "1.25"), None),  # decimals, or two numbers
        (("a", "b", "aa"), None),  # letters with gaps
        (("x", "y", "z", "aa"), ["x", "y", "z", "aa"]),
        (("1.05", "1.10"), ["1.05", "1.10"]),
        (("a", "c", "e"), ["a", "c", "e"]),
        (("1a", "1b", "2a", "10a"), ["1a", "1b", "2a", "10a"]),
        (("a1", "a2", "a10", "b1"), ["a1", "a2", "a10", "b1"]),
        (("before", "later"), None),
        (("mon", "tue", "wed"), None),
        (("frame_1", "frame_2", "frame_last"), None),
        (("Jan_1", "Feb_1", "Mar_1"), None),
        (("59s", "1m00s", "1m10s"), None),
        (("800ms", "1s"), None),
        (("08", "09", "0a", "0b", "10"), None),
        (("1_12", "2_10", "11_2"), ["1_12", "2_10", "11_2"]),
        (("一", "二", "三"), None),
        (("01.02.2024", "02.01.2024"), None),  # which is the month?
        (("01.02.2024", "02.02.2024"), ["01.02.2024", "02.02.2024"]),
        (("01.02.2024_1", "01.02.2024_2"), ["01.02.2024_1", "01.02.2024_2"]),
        (("31.12.23", "01.01.24"), None),
        (("LAO/1", "RAO/1"), None),
        (("A/1", "B/1"), ["A/1", "B/1"]),
    ],
)
def test_names_that_leave_doubt_are_told(names, wanted):
    found = time_order(Record(f"{name}.png", Path("/x"), sequence="S") for name in names)
    assert bool(found.doubts) is (wanted is None)
    if wanted:
        assert [name.removesuffix(".png") for name in sorted(found.positions, key=found.positions.get)] == wanted


def test_numbers_at_the_end_decide_among_names_of_several_forms_only():
    ends = {"P1/S1/LAO_1.png": 1, "P1/S1/RAO_2.png": 2, "P1/S1/LAO_3.png": 3}
    found = time_order(Record(name, Path("/x"), sequence="S", number=at, **NAME) for name, at in ends.items())
    assert (found.positions, len(found.doubts)) == ({name: at - 1 for name, at in ends.items()}, 1)


def test_names_without_a_suffix_are_whole():
    names = [f"1.2.840.113619.2.5.{at}" for at in (9, 10, 11)]
    found = time_order(Record(f"P1/{name}", Path("/x"), sequence="S") for name in reversed(names))
    assert sorted(found.positions, key=found.positions.get) == [f"P1/{name}" for name in names]
    assert found.doubts == ()


def test_numbers_of_whole_names_are_frame_numbers_and_no_rule_s(tmp_path):
    for number in (2, 10):
        Image.new("L", (8, 8), number).save(tmp_path / f"P1_S1_{number}.png")
    assert open_dataset(tmp_path).notes[-1] == "frames of a sequence in order of: frame numbers"


def test_numbers_at_the_end_decide_so_too_under_a_rule_that_names_no_frame():
    names = ("LAO_1.png", "RAO_2.png", "LAO_3.png")
    found = time_order(Record(name, Path("/x"), sequence="S", **RULE) for name in names)
    assert (found.positions, len(found.doubts)) == ({name: at for at, name in enumerate(names)}, 1)


def test_single_frames_need_no_order():
    found = time_order([Record("a.png", Path("/x"), sequence="S"), Record("b.png", Path("/x"), patient="P")])
    assert (found.positions, found.note) == ({"a.png": 0}, None)


def test_the_note_counts_sequences_where_they_differ():
    given = [
        Record(f"{s}{at}.png", Path("/x"), sequence=s, number=at if s == "A" else None) for s in "AB" for at in (1, 2)
    ]
    assert time_order(given).note == (
        "frames of a sequence in order of: frame numbers (1 of 2 sequences); names, in natural order (1 of 2 sequences)"
    )
