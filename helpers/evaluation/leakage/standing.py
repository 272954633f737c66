"""Standing of scored patients to a model's training data (seen, never seen, unknown), and the words for it.

A patient counts as never seen only where every name of a training image is understood. See docs/metrics-format.md.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pandas as pd

from helpers.evaluation.score_table import Unit, keys_of, unit_keys, unit_of
from helpers.metrics.intervals import FEWEST_UNITS

COLUMN = "training"  # of a table of scores
UNKNOWN_TITLE = "training list unknown"


class Standing(StrEnum):
    """Of a case, by its patient."""

    TRAINING = "training"  # training saw frames of this patient
    UNSEEN = "unseen"  # training saw none
    UNKNOWN = "unknown"


class Source(StrEnum):
    """Where it is known from what a model was trained on."""

    LIST = "list"  # given by --training
    KEPT = "kept"  # by `convert`, on this machine
    TUNED = "tuned"  # no training; the run says on which cases its parameters were chosen
    NOTHING = "nothing"  # no training, documented defaults
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Standings:
    """Of all scored cases to the training data of one run.

    Attributes:
        by_case: case id -> standing.
        sources: that were asked.
        reasons: why patients are not known to be unseen, and what decides it: sentences without names.
    """

    by_case: Mapping[str, Standing] = field(repr=False)
    sources: tuple[Source, ...] = (Source.UNKNOWN,)
    reasons: tuple[str, ...] = ()

    def of(self, case_ids: Iterable[str]) -> list[str]:
        """The column of a table of scores."""
        return [str(self.by_case[case_id]) for case_id in case_ids]


@dataclass(frozen=True)
class Counts:
    """Numbers of independent units of a table of scores by their standing."""

    unit: Unit
    training: int
    unseen: int
    unknown: int

    @property
    def all(self) -> int:
        return self.training + self.unseen + self.unknown

    def to_json(self) -> dict[str, int | str]:
        return {"unit": str(self.unit), **{name: getattr(self, name) for name in ("training", "unseen", "unknown")}}


def counts(table: pd.DataFrame) -> Counts:
    """Count the units of a table of scores; those of a table without the column are of unknown standing."""
    column = table[COLUMN] if COLUMN in table else pd.Series(str(Standing.UNKNOWN), index=table.index)
    units = Counter(_of_unit(set(ones)) for _, ones in column.groupby(unit_keys(table).to_numpy()))
    return Counts(unit_of(table), *(units[one] for one in (Standing.TRAINING, Standing.UNSEEN, Standing.UNKNOWN)))


def joint(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The first of several tables of the same cases, with the standing to the training data of all their runs."""
    columns = [list(table[COLUMN]) if COLUMN in table else [Standing.UNKNOWN] * len(table) for table in tables]
    return tables[0].assign(**{COLUMN: [str(_together(set(ones))) for ones in zip(*columns, strict=True)]})


def title(found: Counts, left_out: int = 0) -> str:
    """What stands over every number: `patients that training never saw (12)`, `TRAINING patients (12)`,
    `12 patients, 3 of them TRAINING patients`, or `training list unknown`.

    Args:
        left_out: number of TRAINING patients that were left out on request.
    """
    after = f", {left_out} TRAINING patient{'s' * (left_out > 1)} left out" if left_out else ""
    units = "" if found.unit is Unit.PATIENT else f" {found.unit}s"
    if found.unseen == found.all:
        return f"patients that training never saw ({found.all}){after}"
    if found.training == found.all:
        return f"TRAINING patients ({found.all}{units})"
    said = []
    if found.training:
        of = "of them TRAINING patients" if found.unit is Unit.PATIENT else "of them of TRAINING patients"
        said = [f"{found.all} {found.unit}s, {found.training} {of}"]
    if found.unknown:
        whole = found.unknown == found.all
        said.append(UNKNOWN_TITLE + ("" if whole else f" for {found.unknown} {found.unit}s"))
    return ", ".join(said) + after


def joint_title(titles: Mapping[str, str]) -> str:
    """One title for the tables of several runs: theirs where they agree, else each with the run's name."""
    distinct = set(titles.values())
    if len(distinct) == 1:
        return distinct.pop()
    return "; ".join(f"{name}: {one}" for name, one in titles.items())


def p_value_note(found: Counts, first: str, second: str) -> str | None:
    """What must be said of p-values of a comparison, or of their absence; None where training saw no patient of it.

    Args:
        found: of the two runs together.
        first, second: their names.
    """
    rest = found.all - found.training
    if not found.training:
        return None
    if not rest:
        return (
            f"no p-value: {first} or {second} was trained on frames of all {found.all} {found.unit}s. Compare them on "
            "patients that training never saw"
        )
    if rest < FEWEST_UNITS:
        return (
            f"no p-value: {first} or {second} was trained on frames of {found.training} of {found.all} {found.unit}s, "
            f"and {rest} others are too few. Compare them on more patients that training never saw"
        )
    return (
        f"p-values rest on the {rest} {found.unit}s that are not of TRAINING patients; means, differences and "
        f"intervals on all {found.all}. --exclude-training leaves TRAINING patients out of all of it"
    )


def trained_units(tables: Sequence[pd.DataFrame], unit: Unit | None = None) -> frozenset[str]:
    """The units of which the training of any of several runs saw frames; their tables are of the same cases.

    Args:
        unit: what is taken as independent; None for what the tables know.
    """
    if not any(COLUMN in table for table in tables):
        return frozenset()
    of_both = joint(tables)
    return frozenset(keys_of(of_both, unit or unit_of(of_both))[of_both[COLUMN] == Standing.TRAINING])


def title_of(summary: Mapping[str, Any], run: str | None = None) -> str:
    """What stands over the numbers of an evaluation; one of an earlier version did not ask for each patient.

    Args:
        summary: as `summary.json` holds it.
        run: name of the one whose title is wanted; None for that of all runs together.
    """
    standing = summary.get("standing")
    if standing is None:
        return UNKNOWN_TITLE
    return next((str(one["title"]) for one in standing["runs"] if one["run"] == run), str(standing["title"]))


def standing_note(standing: str | None) -> str:
    """What stands beside the scores of one case, by its value of the column `training`; empty where nothing need."""
    return "TRAINING patient" if standing == Standing.TRAINING else ""


def titled(heading: str, of: Mapping[str, Any] | None) -> str:
    """A heading with the title of what holds one; as it is where there is none."""
    return heading if of is None or "title" not in of else f"{heading}: {of['title']}"


def _of_unit(standings: set[str]) -> Standing:
    """Of a unit with cases of these standings: one frame in training makes it a TRAINING patient."""
    if Standing.TRAINING in standings:
        return Standing.TRAINING
    return Standing.UNSEEN if standings == {Standing.UNSEEN} else Standing.UNKNOWN


def _together(standings: set[str]) -> Standing:
    """Of a case to the training data of several runs; the same rule as for the frames of a unit."""
    return _of_unit(standings)
