"""The baseline's settings with the best mean of patient means of Dice on a development split, and their record."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers import __version__
from helpers.core.atomic import write_json_atomic
from helpers.core.documents import document
from helpers.core.errors import DISK_FULL, RefusedInput, UsageProblem
from helpers.core.processes import parallel_map
from helpers.core.progress import track
from helpers.core.shown_text import counted
from helpers.core.versions import version
from helpers.data.cases import Case, ignored_of, scored_pixels
from helpers.data.dataset import Dataset
from helpers.data.frames.frame_source import read_frame
from helpers.data.frames.image_reading import UnreadableImage
from helpers.data.groups.name_parts import spellings_text
from helpers.evaluation.case_arrays import required_truth
from helpers.evaluation.score_table import patient_means, unit_keys, unit_of, with_united
from helpers.metrics.threshold_curve import dice_curve, logit_histogram, thresholds
from helpers.prediction.frangi import (
    SCHEMA,
    SCHEMA_VERSION,
    FrangiSettings,
    Intensity,
    Ridge,
    TunedOn,
    cleaned,
    combined,
    field_of_view,
    grey_values,
    ridge_map,
    threshold_at,
    to_logits,
)

SCALES = ((2.0, 3.0), (3.0, 4.0), (3.0, 4.0, 5.0), (4.0, 5.0), (3.0, 5.0, 7.0))


SMALLEST = (0, 500, 1000, 2000)


def candidates() -> tuple[FrangiSettings, ...]:
    """All settings to try, apart from the threshold, which is swept; those of the same filter stand together."""
    return tuple(
        FrangiSettings(ridge, intensity, scales, smallest, threshold=1.0)
        for ridge, intensity, scales, smallest in product(Ridge, Intensity, SCALES, SMALLEST)
    )


def with_threshold(candidate: FrangiSettings, threshold: float) -> FrangiSettings:
    """A candidate at a threshold, rounded to four digits as it is written."""
    return replace(candidate, threshold=float(f"{threshold:.4g}"))


_STEP = 16  # every 16th logit of the engine's sweep: about 3 % of vesselness


def vesselness_thresholds() -> np.ndarray:
    """The swept vesselness thresholds, float64 (513,), ascending."""
    return np.array([threshold_at(logit, 1.0) for logit in thresholds()[::_STEP]])


def dice_curves(cases: Sequence[Case], candidates: Sequence[FrangiSettings], *, processes: int = 2) -> np.ndarray:
    """Dice of each case under each candidate at each of `vesselness_thresholds`, float32 (cases, candidates, 513).

    Raises:
        RefusedInput: for a case whose frame or ground truth cannot be read; the message names its id.
        VesselkitError: as `parallel_map`.
    """
    work = partial(case_curves, candidates=tuple(candidates))
    curves = parallel_map(work, cases, min(processes, len(cases)))
    return np.stack(list(track(curves, "tune", total=len(cases), unit="case")))


def case_curves(case: Case, candidates: Sequence[FrangiSettings]) -> np.ndarray:
    """`dice_curves` of one case, float32 (candidates, 513). Each filter response is computed once."""
    grey, truth, ignored = _arrays(case)
    kept = scored_pixels(ignored)
    field = field_of_view(grey)
    ridges: dict[tuple, np.ndarray] = {}
    largest: dict[tuple, np.ndarray] = {}
    curves = []
    for candidate in candidates:
        key = (candidate.ridge, candidate.intensity)
        for scale in candidate.scales:
            if (*key, scale) not in ridges:
                ridges[*key, scale] = ridge_map(grey, field, candidate, scale)
        if (*key, candidate.scales) not in largest:
            largest = {(*key, candidate.scales): combined([ridges[*key, scale] for scale in candidate.scales])}
        response = cleaned(largest[*key, candidate.scales], candidate)
        curves.append(dice_curve(logit_histogram(kept(truth), kept(to_logits(response, 1.0))))[::_STEP])
    return np.array(curves, np.float32)


def _arrays(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    try:
        image = read_frame(case.frame.path, case.frame.index, case.frame.bits)
        truth = required_truth(case)
        return grey_values(image), truth.mask(*image.size), ignored_of(truth, *image.size)
    except UnreadableImage as error:
        raise RefusedInput(f"case {case.case_id}: its frame or mask cannot be read ({error.reason})") from error
    except RefusedInput as error:
        raise RefusedInput(f"case {case.case_id}: {error}") from error


_LOWEST = 0.01  # lower thresholds would call everything vessel that is not 0


@dataclass(frozen=True)
class TunedChoice:
    """What a development split chose.

    Attributes:
        settings: the best of the grid.
        dice: its mean of patient means on the very cases that chose it, hence too good for a result.
        best: for each candidate its best threshold and the Dice there, in the order of the grid.
    """

    settings: FrangiSettings
    dice: float
    best: tuple[tuple[FrangiSettings, float], ...] = field(repr=False)


@dataclass(frozen=True)
class TuningResult:
    """A choice with the data that it rests on. `unit` is what was averaged over: patients where they are known.

    `united` says which ids are spellings of one patient; None where none are.
    """

    choice: TunedChoice
    tuned_on: TunedOn = field(repr=False)
    unit: str
    units: int
    left_out: int
    split: str | None
    united: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The file that `vesselkit predict --model frangi --model-config` reads."""
        values = {
            "kit_version": __version__,
            "scikit_image": version("scikit-image"),
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
        return document(SCHEMA, SCHEMA_VERSION, values)

    def to_text(self) -> str:
        """What to tell the user."""
        chosen = self.choice.settings
        scales = ", ".join(f"{scale:g}" for scale in chosen.scales)
        return (
            f"{chosen.ridge} of the {chosen.intensity}, scales {scales}, smallest "
            f"{chosen.smallest}, threshold {chosen.threshold:g}\n"
            f"Dice {self.choice.dice:.4f} on the {counted(len(self.tuned_on.cases), 'case')} ({self.units} "
            f"{self.unit}s) that chose it: no result. Score it on other "
            "cases" + (f"\nwarning: {self.united}" if self.united else "")
        )


def tune(dataset: Dataset, *, split: str | None = None, processes: int = 2) -> TuningResult:
    """Choose settings on the cases of an opened data set (or split) that have ground truth.

    Args:
        split: what the data set was opened with, for the record.
    Raises:
        UsageProblem: where no case has ground truth.
        RefusedInput: for a case that cannot be read, and for sealed patients.
    """
    cases = [case for case in dataset.cases if case.truth is not None]
    if not cases:
        raise UsageProblem("data: expected cases with ground truth to tune on, found none. Check --data and --split")
    dataset.require_decided()
    dataset.require_unsealed("the choice of parameters")
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


def choose(curves: np.ndarray, listed: pd.DataFrame) -> TunedChoice:
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
    return TunedChoice(settings, dice, best)


def write_choice(result: TuningResult, path: Path) -> None:
    """Write the settings file. Raises RefusedInput where it cannot be written, and OSError where the disk is full."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json_atomic(path, result.to_json())
    except OSError as error:
        if error.errno in DISK_FULL:
            raise
        raise RefusedInput(f"{path}: cannot be written ({error.strerror}). Name another file") from error
