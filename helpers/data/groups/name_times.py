"""Dates and times of day in names of files, written so that natural order is order in time.

A year in front and 24 hours need nothing. A day or month in front of the year, names of months, and hours with am or pm
are put in order where their meaning is certain; else a reason says what is in doubt.
"""

import re
from collections.abc import Callable, Sequence
from datetime import date

_MONTHS: tuple[str, ...] = ("january", "february", "march", "april", "may", "june", "july", "august")
_MONTHS += ("september", "october", "november", "december")
_MONTH = rf"(?<![a-z])(?P<name>{'|'.join(f'{month}|{month[:3]}' for month in _MONTHS)}|sept)(?![a-z])"
_YEAR = r"(?P<year>(?:19|20)\d\d)(?!\d)"
_GAP = r"[ _.,-]*"
_WITH_MONTH = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?<!\d)(?P<day>\d{{1,2}}){_GAP}{_MONTH}{_GAP}{_YEAR}",
        rf"{_MONTH}{_GAP}(?P<day>\d{{1,2}})[ _.,-]+{_YEAR}",
        rf"(?<!\d){_YEAR}{_GAP}{_MONTH}{_GAP}(?P<day>\d{{1,2}})(?!\d)",
    )
)
_YEAR_LAST = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?<!\d)(?P<one>\d{{1,2}})(?P<gap>[ _.-])(?P<two>\d{{1,2}})(?P=gap){_YEAR}",
        rf"(?<!\d)(?P<one>\d\d)(?P<two>\d\d){_YEAR}",
    )
)
# As `31.12.23`. With other separators it may as well be a time of day.
_SHORT = re.compile(r"(?<![\d.])(?P<one>\d\d)\.(?P<two>\d\d)\.(?P<three>\d\d)(?![\d.])")
_HALF_DAY = tuple(
    re.compile(rf"(?<!\d){hour}[ _.-]?(?P<half>[ap])\.?m(?![a-z])")
    for hour in (
        r"(?P<hour>\d{1,2})(?P<rest>(?:(?P<gap>[_.:-])\d{1,2}(?:(?P=gap)\d{1,2})?)?)",
        r"(?P<hour>\d{2})(?P<rest>\d{2}(?:\d{2})?)",
    )
)

_DAY_OR_MONTH = "dates in names may have the day or the month in front"
_DAY_OR_YEAR = "dates in names may have the day or the year in front"

Written = tuple[int, int, int]


def in_order_of_time(
    stems: Sequence[str], order: Callable[[Sequence[str]], Sequence[int]]
) -> tuple[Sequence[str], str | None]:
    """The names with dates as YYYY-MM-DD and hours of 24, where all of them have such; and what is in doubt.

    Args:
        stems: in lower case.
        order: the natural order of names, as their positions.
    """
    stems = _with_month(stems) or stems
    stems = _in_24_hours(stems) or stems
    for pattern in _YEAR_LAST:
        dates = _only_match(pattern, stems)
        if dates is None:
            continue
        ways = [
            _rewritten(stems, dates, [(int(one["year"]), int(one[month]), int(one[day])) for one in dates])
            for day, month in (("one", "two"), ("two", "one"))
        ]
        known = [way for way in ways if way is not None]
        if known:
            doubt = len(known) > 1 and order(known[0]) != order(known[1])
            return known[0], _DAY_OR_MONTH if doubt else None
    return stems, _short_doubt(stems, order)


def _short_doubt(stems: Sequence[str], order: Callable[[Sequence[str]], Sequence[int]]) -> str | None:
    """Why dates with years of two digits are not certain."""
    dates = _only_match(_SHORT, stems)
    if dates is None:
        return None
    ways = [
        _rewritten(stems, dates, [(2000 + int(one[year]), int(one[month]), int(one[day])) for one in dates])
        for year, month, day in (("one", "two", "three"), ("three", "two", "one"), ("three", "one", "two"))
    ]
    known = [way for way in ways if way is not None]
    return _DAY_OR_YEAR if known and any(order(way) != order(stems) for way in known) else None


def _with_month(stems: Sequence[str]) -> Sequence[str] | None:
    """The names with months as numbers; None where not all have one, with its year, in one form."""
    for pattern in _WITH_MONTH:
        dates = _only_match(pattern, stems)
        if dates is not None:
            short = [month[:3] for month in _MONTHS]
            return _rewritten(
                stems, dates, [(int(one["year"]), short.index(one["name"][:3]) + 1, int(one["day"])) for one in dates]
            )
    return None


def _in_24_hours(stems: Sequence[str]) -> Sequence[str] | None:
    """The names with hours of 0 to 23; None where not all have an hour of 1 to 12 with am or pm."""
    for pattern in _HALF_DAY:
        times = _only_match(pattern, stems)
        if times is not None and all(1 <= int(one["hour"]) <= 12 for one in times):
            hours = [int(one["hour"]) % 12 + 12 * (one["half"] == "p") for one in times]
            return [
                f"{stem[: one.start()]}{hour:02d}{one['rest']}{stem[one.end() :]}"
                for stem, one, hour in zip(stems, times, hours, strict=True)
            ]
    return None


def _only_match(pattern: re.Pattern[str], stems: Sequence[str]) -> list[re.Match[str]] | None:
    """The one match in each name; None where one has none or several."""
    of_stems = [list(pattern.finditer(stem)) for stem in stems]
    return [matches[0] for matches in of_stems] if all(len(matches) == 1 for matches in of_stems) else None


def _rewritten(
    stems: Sequence[str], found: Sequence[re.Match[str]], written: Sequence[Written]
) -> Sequence[str] | None:
    """The names with these dates in the places of the matches; None where one is not a date."""
    try:
        dates = [date(*one) for one in written]
    except ValueError:
        return None
    return [
        f"{stem[: one.start()]}{day.isoformat()}{stem[one.end() :]}"
        for stem, one, day in zip(stems, found, dates, strict=True)
    ]
