"""Verdict records: what they take, and which of several stands."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.review.verdicts import NoMoment, Verdict, VerdictReason, VerdictRecord, current, is_on, moment_of, now

MOMENTS = (
    "2026-05-01T12:00:00.000Z", "2026-05-01T12:00:00Z", "2026-05-01T12:00Z", "2026-05-01T14:00:00.5+02:00",
    "2024-02-29T23:59:59.999999-11:30", "2026-05-01T12:00:00.123456789Z", "1000-01-01T00:00:00+23:59",
)  # fmt: skip
NO_MOMENTS = (
    "", "soon", "2026-05-01", "2026-05-01T12:00:00", "12:00:00Z", "1777636800", "2026-05-01 12:00:00Z",
    "2026-05-01t12:00:00z", "20260501T120000Z", "2026-02-29T12:00:00Z", "2026-13-01T12:00:00Z", "2026-05-01T24:00:00Z",
    "2026-05-01T12:00:60Z", "2026-05-01T12:00.5Z", "2026-05-01T12:00:00+0200", "2026-W18-5T12:00:00Z",
    "01/05/2026 12:00", "2026-05-01T12:00:00,5Z", "0000-01-01T00:00:00Z", "2026-05-01T12:00:00Z\n",
    "٢٠٢٦-05-01T12:00:00Z", "2026-00-10T12:00:00Z", "2026-05-00T12:00:00Z",
)  # fmt: skip


def record(number, case_id="a", verdict=Verdict.ACCEPT, reviewer="ann", withdraws=None, run="run", **more):
    return VerdictRecord(
        f"{number:032x}", f"2026-01-01T00:00:{number:02d}Z", reviewer, run, "p1", case_id, verdict,
        withdraws=withdraws, **more,
    )  # fmt: skip


def test_a_record_survives_its_line():
    one = record(1, note='"quotes"\n=1+1 <b>é', reasons=(VerdictReason.CATHETER,), threshold=0.35)
    one = replace(one, prediction="f" * 64)
    line = one.to_line()
    assert line.count("\n") == 1 and VerdictRecord.from_json(json.loads(line)) == one


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "other"},
        {"schema_version": 2},
        {"verdict": "maybe"},
        {"reasons": ["unknown"]},
        {"reasons": "catheter"},
        {"case_id": 7},
        {"threshold": "0.5"},
        {"threshold": float("nan")},
        {"threshold": 1.5},
        {"note": "half a character: \ud83d"},
        {"verdict": None},
        {"prediction": 7},
        {"note": "x" * 2001},
    ],
)
def test_what_is_no_record_is_refused(change):
    with pytest.raises(ValueError):
        VerdictRecord.from_json({**json.loads(record(1).to_line()), **change})


def test_the_last_verdict_stands_and_one_taken_back_uncovers_the_one_before():
    first, second = record(1), record(2, verdict=Verdict.REJECT)
    assert current([first, second]) == {"ann": {"a": second}}
    assert current([first, second, record(3, verdict=None, withdraws=second.id)]) == {"ann": {"a": first}}
    gone = [first, record(3, verdict=None, withdraws=first.id)]
    assert current(gone) == {}


@pytest.mark.parametrize("last", ["2999-01-01T00:00:00.000Z", "2999-01-01T00:00:00Z", "2999-01-01T02:00:00+02:00"])
def test_a_time_is_later_than_the_records_before_whatever_the_clock_says(last):
    assert now([replace(record(1), time=last), record(2)]) == "2999-01-01T00:00:00.001Z"
    assert now() == now([record(1)]) or now([record(1)]).startswith(now()[:15])


@pytest.mark.parametrize("time", NO_MOMENTS)
def test_a_time_that_names_no_moment_is_no_record(time):
    with pytest.raises(NoMoment, match="expected a moment with its zone"):
        VerdictRecord.from_json({**json.loads(record(1).to_line()), "time": time})


@settings(max_examples=40)
@given(moments=st.lists(st.integers(0, 10**10), min_size=2, max_size=5, unique=True), data=st.data())
def test_the_verdict_of_the_last_moment_stands_however_its_time_is_written(moments, data):
    records = []
    for number, moment in enumerate(moments):
        zone = timezone(timedelta(minutes=data.draw(st.integers(-1439, 1439))))
        time = (datetime(2026, 5, 1, tzinfo=UTC) + timedelta(microseconds=moment)).astimezone(zone)
        text = time.isoformat().replace("+00:00", data.draw(st.sampled_from(["Z", "+00:00"])))
        records.append(replace(record(number), time=text))
    last = moments.index(max(moments))
    assert current(records) == {"ann": {"a": records[last]}}
    assert moment_of(now(records)) > records[last].moment


def test_nobody_takes_back_the_verdict_of_another():
    first = record(1)
    assert current([first, record(2, verdict=None, withdraws=first.id, reviewer="bob")]) == {"ann": {"a": first}}


def test_a_record_of_an_earlier_version_is_read_and_is_on_the_run_as_a_whole():
    values = json.loads(record(1).to_line())
    del values["prediction"]
    before = VerdictRecord.from_json(values)
    assert before == record(1) and is_on(before, "run", "any") and not is_on(before, "other", "any")


def test_a_record_is_on_what_was_predicted_whatever_became_of_the_run():
    one = record(1, prediction="seen")
    assert is_on(one, "mended", "seen") and not is_on(one, "run", "anew") and not is_on(one, "run", None)
