"""Dice of every candidate at every threshold, case by case."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from helpers.data.ignored import ignored_of, scored_pixels
from helpers.data.record import Case
from helpers.errors import RefusedInput
from helpers.evaluation.curve import dice_curve, logit_histogram, thresholds
from helpers.images.reading import UnreadableImage
from helpers.images.source import read_frame
from helpers.progress import track
from helpers.vesselness.maps import cleaned, combined, field_of_view, ridge_map, threshold_at, to_logits
from helpers.vesselness.predictor import grey_values
from helpers.vesselness.settings import Settings
from helpers.worker_processes import shared

_STEP = 16  # every 16th logit of the engine's sweep: about 3 % of vesselness


def vesselness_thresholds() -> np.ndarray:
    """The swept vesselness thresholds, float64 (513,), ascending."""
    return np.array([threshold_at(logit, 1.0) for logit in thresholds()[::_STEP]])


def dice_curves(cases: Sequence[Case], candidates: Sequence[Settings], *, processes: int = 2) -> np.ndarray:
    """Dice of each case under each candidate at each of `vesselness_thresholds`, float32 (cases, candidates, 513).

    Raises:
        RefusedInput: for a case whose frame or ground truth cannot be read; the message names its id.
        VesselkitError: as `shared`.
    """
    work = partial(case_curves, candidates=tuple(candidates))
    curves = shared(work, cases, min(processes, len(cases)))
    return np.stack(list(track(curves, "tune", total=len(cases), unit="case")))


def case_curves(case: Case, candidates: Sequence[Settings]) -> np.ndarray:
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
        found = cleaned(largest[*key, candidate.scales], candidate)
        curves.append(dice_curve(logit_histogram(kept(truth), kept(to_logits(found, 1.0))))[::_STEP])
    return np.array(curves, np.float32)


def _arrays(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    try:
        image = read_frame(case.frame.path, case.frame.index, case.frame.bits)
        truth = case.truth.mask(image.width, image.height)
        return grey_values(image), truth, ignored_of(case.truth, image.width, image.height)
    except UnreadableImage as error:
        raise RefusedInput(f"case {case.case_id}: its frame or mask cannot be read ({error.reason})") from error
    except RefusedInput as error:
        raise RefusedInput(f"case {case.case_id}: {error}") from error
