"""Standing of scored patients to a model's training data (seen, never seen, unknown), and the words for it.

A patient counts as never seen only where every name of a training image is understood. See docs/metrics-format.md.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pandas as pd

from helpers.core.shown_text import agreeing, counted
from helpers.evaluation.score_table import Unit, keys_of, unit_keys, unit_of
from helpers.metrics.intervals import FEWEST_UNITS

COLUMN = "training"  # of a table of scores
UNKNOWN_TITLE = "training list unknown"
_UNKNOWN_TUNING = "tuning cases unknown"


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

    @property
    def is_tuned(self) -> bool:
        """Whether parameters were chosen on cases, and nothing was trained; those patients are TRAINING patients."""
        return self.sources == (Source.TUNED,)

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


def title(found: Counts, left_out: int = 0, tuned: bool = False) -> str:
    """What stands over every number: `patients that training never saw (12)`, `TRAINING patients (12)`,
    `12 patients, 3 of them TRAINING patients`, or `training list unknown`.

    Args:
        left_out: number of TRAINING patients that were left out on request.
        tuned: as `Standings.is_tuned`: there is no training list, and `tuning cases unknown` stands in its place.
    """
    after = f", {counted(left_out, 'TRAINING patient')} left out" if left_out else ""
    if found.unseen == found.all:
        return f"patients that training never saw ({found.all}){after}"
    if found.training == found.all:
        return f"TRAINING patients ({found.all if found.unit is Unit.PATIENT else counted(found.all, found.unit)})"
    said = []
    if found.training:
        of = "of them TRAINING patients" if found.unit is Unit.PATIENT else "of them of TRAINING patients"
        said = [f"{counted(found.all, found.unit)}, {found.training} {of}"]
    if found.unknown:
        whole = found.unknown == found.all
        what = _UNKNOWN_TUNING if tuned else UNKNOWN_TITLE
        said.append(what if whole else f"{what} for {counted(found.unknown, found.unit)}")
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
            f"no p-value: {first} or {second} was trained on frames of all {counted(found.all, found.unit)}. Compare "
            "them on patients that training never saw"
        )
    if rest < FEWEST_UNITS:
        return (
            f"no p-value: {first} or {second} was trained on frames of {found.training} of "
            f"{counted(found.all, found.unit)}, and {counted(rest, 'other')} are too few. Compare them on more "
            "patients that training never saw"
        )
    return (
        f"p-values rest on the {rest} {found.unit}s that are not of TRAINING patients; means, differences and "
        f"intervals on all {found.all}. --exclude-training leaves TRAINING patients out of all of it"
    )


def case_warnings(trained: int, validated: int, scored: int) -> list[str]:
    """What must be known of scored cases that training or validation saw, before their scores are believed.

    Args:
        trained, validated: how many of them are training data, and others that are validation data.
        scored: how many there are.
    """
    warnings, all_scored = [], counted(scored, "scored case")
    if trained:
        warnings.append(
            f"{trained} of {all_scored} {agreeing(trained, 'is', 'are')} training data; these scores say nothing of "
            "new patients"
        )
    if validated:
        warnings.append(
            f"{validated} of {all_scored} {agreeing(validated, 'is', 'are')} validation data of the training config; "
            "where the checkpoint was chosen on them, these scores are too good"
        )
    return warnings


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
