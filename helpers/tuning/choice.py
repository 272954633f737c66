"""The settings with the best mean of patient means of Dice, and the record of how they were chosen."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import skimage

from helpers import __version__
from helpers.atomic import write_json_atomic
from helpers.data.dataset import Dataset
from helpers.data.record import Case
from helpers.data.spelling import spellings_text
from helpers.errors import RefusedInput, UsageProblem
from helpers.evaluation.aggregation import patient_means, unit_keys, unit_of, with_united
from helpers.system import DISK_FULL
from helpers.tuning.curves import dice_curves, vesselness_thresholds
from helpers.tuning.grid import candidates, with_threshold
from helpers.vesselness.settings import SCHEMA, SCHEMA_VERSION, Settings, TunedOn

_LOWEST = 0.01  # lower thresholds would call everything vessel that is not 0


@dataclass(frozen=True)
class Choice:
    """What a development split chose.

    Attributes:
        settings: the best of the grid.
        dice: its mean of patient means on the very cases that chose it, hence too good for a result.
        best: for each candidate its best threshold and the Dice there, in the order of the grid.
    """

    settings: Settings
    dice: float
    best: tuple[tuple[Settings, float], ...] = field(repr=False)


@dataclass(frozen=True)
class TuningResult:
    """A choice with the data that it rests on. `unit` is what was averaged over: patients where they are known.

    `united` says which ids are spellings of one patient; None where none are.
    """

    choice: Choice
    tuned_on: TunedOn
    unit: str
    units: int
    left_out: int
    split: str | None
    united: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The file that `vesselkit predict --model frangi --model-config` reads."""
        return {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "kit_version": __version__,
            "scikit_image": skimage.__version__,
            "settings": self.choice.settings.to_json(),
            "tuned_on": {
                **self.tuned_on.to_json(),
                "split": self.split,
                "unit": self.unit,
                "units": self.units,
                "cases_without_truth": self.left_out,
            },
            "chosen_by": "mean of patient means of Dice",
            "dice_on_tuning_cases": round(self.choice.dice, 6),
            "grid": [{**settings.to_json(), "dice": round(dice, 6)} for settings, dice in self.choice.best],
        }

    def to_text(self) -> str:
        """What to tell the user."""
        chosen = self.choice.settings
        scales = ", ".join(f"{scale:g}" for scale in chosen.scales)
        return (
            f"{chosen.ridge} of the {chosen.intensity}, scales {scales}, smallest "
            f"{chosen.smallest}, threshold {chosen.threshold:g}\n"
            f"Dice {self.choice.dice:.4f} on the {len(self.tuned_on.cases)} cases ({self.units} {self.unit}s) that "
            "chose it: no result. Score it on other cases" + (f"\nwarning: {self.united}" if self.united else "")
        )


def tune(dataset: Dataset, *, split: str | None = None, processes: int = 2) -> TuningResult:
    """Choose settings on the cases of an opened data set (or split) that have ground truth.

    Args:
        split: what the data set was opened with, for the record.
    Raises:
        UsageProblem: where no case has ground truth.
        RefusedInput: for a case that cannot be read.
    """
    cases = [case for case in dataset.cases if case.truth is not None]
    if not cases:
        raise UsageProblem("data: expected cases with ground truth to tune on, found none. Check --data and --split")
    dataset.require_decided()
    listed = with_united(unit_table(cases), dataset.people.spellings)
    choice = choose(dice_curves(cases, candidates(), processes=processes), listed)
    tuned_on = TunedOn(tuple(case.case_id for case in cases), dataset.key_fingerprint)
    unit = unit_of(listed)
    united = spellings_text(dataset.people.spellings, listed["patient"].dropna())
    units = unit_keys(listed).nunique()
    return TuningResult(choice, tuned_on, str(unit), int(units), len(dataset.cases) - len(cases), split, united)


def unit_table(cases: Sequence[Case]) -> pd.DataFrame:
    """Columns case_id, sequence, patient: what `choose` averages over."""
    rows = [(case.case_id, case.frame.sequence, case.frame.patient) for case in cases]
    return pd.DataFrame(rows, columns=["case_id", "sequence", "patient"], dtype=object)


def choose(curves: np.ndarray, listed: pd.DataFrame) -> Choice:
    """The best of the grid by the mean of patient means; the first of equals.

    Args:
        curves: of `dice_curves` for `candidates()`, (cases, candidates, thresholds).
        listed: of `unit_table` for the same cases.
    """
    flat = pd.DataFrame(curves.reshape(len(curves), -1))
    table = pd.concat([listed.reset_index(drop=True), flat], axis=1)
    means = patient_means(table, list(flat.columns))[list(flat.columns)].mean().to_numpy()
    swept = vesselness_thresholds()
    by_candidate = np.where(swept > _LOWEST, means.reshape(curves.shape[1:]), -1)
    places, tops = by_candidate.argmax(axis=1), by_candidate.max(axis=1)
    best = tuple(
        (with_threshold(candidate, swept[place]), float(top))
        for candidate, place, top in zip(candidates(), places, tops, strict=True)
    )
    settings, dice = best[int(tops.argmax())]
    return Choice(settings, dice, best)


def write_choice(result: TuningResult, path: Path) -> None:
    """Write the settings file. Raises RefusedInput where it cannot be written, and OSError where the disk is full."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json_atomic(path, result.to_json())
    except OSError as error:
        if error.errno in DISK_FULL:
            raise
        raise RefusedInput(f"{path}: cannot be written ({error.strerror}). Name another file") from error
