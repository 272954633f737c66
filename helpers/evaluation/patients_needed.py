"""Sample size: patients for an interval of Dice of a given width, from those that were scored."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from helpers.core.shown_text import counted
from helpers.evaluation.score_table import Unit, patient_means, unit_of
from helpers.metrics.definitions import BY_METRIC
from helpers.metrics.intervals import FEWEST_UNITS
from helpers.metrics.sample_size import SURE, patients_needed

_METRIC = "dice"


def needed_record(table: pd.DataFrame) -> dict[str, Any]:
    """A JSON object, docs/metrics-format.md: what intervals of Dice take; no needs without patients enough.

    Args:
        table: of scores of one run.
    """
    known = unit_of(table) is Unit.PATIENT
    means = patient_means(table, [_METRIC])[_METRIC].dropna().to_numpy()
    needs = [asdict(one) for one in patients_needed(means)] if known else []
    return {"metric": _METRIC, "patients": len(means) if known else None, "needs": needs}


def needed_text(summary: Mapping[str, Any]) -> str:
    """`Dice ±0.02 needs about 60 patients like these (80 % sure: up to 94; from a pilot of 12)`, of the first run.

    With too few patients, or equal ones, it says why it is not given; empty for evaluations of earlier versions.
    """
    found = summary["runs"][0].get("precision")
    if found is None:
        return ""
    if not found["needs"]:
        number = found["patients"]
        if number is not None and number >= FEWEST_UNITS:
            return f"How many patients a narrower interval needs is not told by {number} that are all equal."
        why = "patients are unknown" if number is None else f"these are {number}"
        return f"How many patients a narrower interval needs is told from {FEWEST_UNITS} patients on; {why}."
    title, pilot = BY_METRIC[found["metric"]].title, found["patients"]
    return " ".join(
        f"{title} ±{one['half_width']:g} needs about {counted(one['patients'], 'patient')} like these "
        f"({SURE:.0%} sure: up to {one['up_to']}; from a pilot of {pilot}).".replace("%", " %")
        for one in found["needs"]
    )
