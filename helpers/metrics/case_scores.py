"""All scores of one case, from arrays that are prepared once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from scipy.special import expit

from helpers.core.errors import RefusedInput
from helpers.data.cases import scored_pixels
from helpers.metrics.definitions import METRICS
from helpers.metrics.masks import as_mask, as_masks, bounding_box, crop_pair
from helpers.metrics.overlap import PixelCounts, count_pixels, overlap_scores
from helpers.metrics.own_doubt import CaseDoubt, expected_dice, in_bright_part, is_graded, own_doubt
from helpers.metrics.surface import surface_scores
from helpers.metrics.threshold_curve import LogitHistogram, logit_histogram, pr_auc
from helpers.metrics.topology import broken_branches, calibre_recall, centreline_scores, skeleton, topology_scores


class CaseScoring(StrEnum):
    """Whether there was a mask to score."""

    SCORED = "scored"
    FAILED = "failed"  # the run has the case without a mask: no [SEG], an error, logits that are not finite
    MISSING = "missing"  # the run does not have the case


@dataclass(frozen=True)
class CaseArrays:
    """What one case is scored from.

    Attributes:
        case_id, sequence, patient: pseudonyms; None where unknown.
        truth: mask (H, W), as `as_mask` takes it.
        prediction: mask (H, W); None where there is no mask.
        missing: whether a case without a mask is absent from the run, rather than failed.
        logits: floating (H, W), finite; None where the run stores none.
        logits_expected: whether the run stores logits, so that a case without them counts as 0 in `pr_auc`.
        spacing_mm: height and width of a pixel; None where unknown.
        ignored: mask (H, W) of the pixels that are not scored; None where there is none.
        spread: of the members of an ensemble, float (H, W); None without one.
    """

    case_id: str
    truth: np.ndarray = field(repr=False)
    prediction: np.ndarray | None = field(repr=False)
    sequence: str | None = None
    patient: str | None = None
    missing: bool = False
    logits: np.ndarray | None = field(default=None, repr=False)
    logits_expected: bool = False
    spacing_mm: tuple[float, float] | None = None
    ignored: np.ndarray | None = field(default=None, repr=False)
    spread: np.ndarray | None = field(default=None, repr=False)


@dataclass(frozen=True)
class CaseScores:
    """The scores of one case.

    Attributes:
        outcome: a case that is not `SCORED` was scored as an empty mask.
        height, width: of the frame in pixels.
        spacing_mm: height and width of a pixel; None where unknown.
        counts: pixels by agreement.
        prediction_digest: SHA-256 of the scored mask, to tell identical masks.
        values: every metric of `helpers.metrics.definitions` by name; NaN where undefined.
        histogram: of the logits; None where there are none.
        doubt: what the prediction's own maps say of it.
    """

    case_id: str
    sequence: str | None
    patient: str | None
    outcome: CaseScoring
    height: int
    width: int
    spacing_mm: tuple[float, float] | None
    counts: PixelCounts
    prediction_digest: str
    values: Mapping[str, float]
    histogram: LogitHistogram | None = field(default=None, repr=False)
    doubt: CaseDoubt = CaseDoubt()

    def row(self) -> dict[str, object]:
        """One row of `scores_table`."""
        height_mm, width_mm = self.spacing_mm or (np.nan, np.nan)
        return {
            "case_id": self.case_id,
            "sequence": self.sequence,
            "patient": self.patient,
            "outcome": str(self.outcome),
            "height": self.height,
            "width": self.width,
            "pixel_height_mm": height_mm,
            "pixel_width_mm": width_mm,
            **{name: getattr(self.counts, name) for name in ("tp", "fp", "fn", "tn")},
            "prediction_digest": self.prediction_digest,
            **self.values,
        }


def score_case(case: CaseArrays) -> CaseScores:
    """Score one case. A case without a mask is scored as an empty mask, and flagged in `outcome`.

    Ignored pixels are left out of the counts, of the logits and of what is made of them; all other metrics depend on
    shapes, which such pixels leave open, and are NaN for a case that has any.

    Raises:
        RefusedInput: where truth, prediction or logits do not share one shape (H, W), masks are none that `as_mask`
            takes, or logits are not finite.
    """
    outcome = CaseScoring.SCORED
    if case.prediction is None:
        outcome = CaseScoring.MISSING if case.missing else CaseScoring.FAILED
    truth, prediction, ignored = _checked(case)
    if ignored is not None and ignored.any():
        return _without_ignored(case, outcome, truth, prediction, ignored)
    counts = count_pixels(truth, prediction)
    truth_box, prediction_box = crop_pair(truth, prediction)
    histogram = None if case.logits is None else logit_histogram(truth, case.logits)
    truth_line, prediction_line = skeleton(truth_box), skeleton(prediction_box)
    values = {
        **overlap_scores(counts),
        **centreline_scores(truth_box, prediction_box, truth_line, prediction_line),
        **surface_scores(truth_box, prediction_box, case.spacing_mm),
        **topology_scores(truth_box, prediction_box),
        **broken_branches(truth_line, prediction_box),
        **calibre_recall(truth_box, truth_line, prediction_box),
        "pr_auc": _pr_auc(histogram, case.logits_expected, counts),
    }
    line = np.zeros_like(truth)
    line[bounding_box(truth | prediction)] = truth_line[1:-1, 1:-1]  # without the border that the box was given
    return _scores(case, outcome, prediction, counts, values, histogram, _doubt(case, prediction, line & ~prediction))


def _doubt(case: CaseArrays, prediction: np.ndarray, missed: np.ndarray | None) -> CaseDoubt:
    """What the case's maps say; `missed` is bool (H, W), None where shapes are open."""
    graded = case.logits is not None and is_graded(case.logits)
    probabilities = expit(np.asarray(case.logits, np.float32)) if graded else None
    expected = None if probabilities is None else expected_dice(probabilities, prediction)
    if missed is None:
        return CaseDoubt(expected)
    in_spread = None if case.spread is None else in_bright_part(missed, case.spread)
    in_map = None if probabilities is None else in_bright_part(missed, own_doubt(probabilities))
    return CaseDoubt(expected, int(missed.sum()), in_spread, in_map)


def _without_ignored(
    case: CaseArrays, outcome: CaseScoring, truth: np.ndarray, prediction: np.ndarray, ignored: np.ndarray
) -> CaseScores:
    """The scores of a case of which some pixels are not scored."""
    kept = scored_pixels(ignored)
    counts = count_pixels(kept(truth), kept(prediction))
    histogram = None if case.logits is None else logit_histogram(kept(truth), kept(case.logits))
    values = {
        **dict.fromkeys(METRICS, np.nan),
        **overlap_scores(counts),
        "pr_auc": _pr_auc(histogram, case.logits_expected, counts),
    }
    return _scores(case, outcome, prediction, counts, values, histogram, _doubt(case, prediction, None))


def _scores(
    case: CaseArrays,
    outcome: CaseScoring,
    prediction: np.ndarray,
    counts: PixelCounts,
    values: Mapping[str, float],
    histogram: LogitHistogram | None,
    doubt: CaseDoubt,
) -> CaseScores:
    height, width = prediction.shape
    return CaseScores(
        case_id=case.case_id,
        sequence=case.sequence,
        patient=case.patient,
        outcome=outcome,
        height=height,
        width=width,
        spacing_mm=case.spacing_mm,
        counts=counts,
        prediction_digest=mask_digest(prediction),
        values={metric: float(values[metric]) for metric in METRICS},
        histogram=histogram,
        doubt=doubt,
    )


def mask_digest(mask: np.ndarray) -> str:
    """SHA-256 of a mask (H, W) with its shape: equal for equal masks only. Raises RefusedInput as `as_mask`."""
    mask = as_mask("mask", mask)
    return hashlib.sha256(repr(mask.shape).encode() + np.packbits(mask).tobytes()).hexdigest()


def _pr_auc(histogram: LogitHistogram | None, expected: bool, counts: PixelCounts) -> float:
    if histogram is not None:
        return pr_auc(histogram)
    return 0.0 if expected and not counts.truth_empty else np.nan


def _checked(case: CaseArrays) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Truth, prediction, an empty one where there is none, and ignored pixels of a case as bool masks (H, W)."""
    truth = as_mask(f"case {case.case_id}: ground truth", case.truth)
    prediction = np.zeros_like(truth)
    if case.prediction is not None:
        prediction = as_mask(f"case {case.case_id}: prediction", case.prediction)
    given = {"prediction": prediction, "logits": case.logits, "spread": case.spread}
    arrays = [(name, array) for name, array in given.items() if array is not None]
    for name, array in arrays:
        if array.shape != truth.shape:
            raise RefusedInput(
                f"case {case.case_id}: expected the {name} at the size of the ground truth {truth.shape}, "
                f"got {array.shape}. Predict on the frame at its full size, or import masks of that size"
            )
    if case.logits is not None and not np.isfinite(case.logits).all():
        raise RefusedInput(
            f"case {case.case_id}: expected finite logits, found NaN or infinity. Predict the case again, "
            "or score it as failed"
        )
    ignored = None if case.ignored is None else as_masks(truth=truth, ignored_pixels=case.ignored)[1]
    if ignored is not None and ignored.all():
        raise RefusedInput(
            f"case {case.case_id}: expected pixels to score beside those that are ignored, found none. Leave the case "
            "out, or decide otherwise with `vesselkit data check`"
        )
    if case.spacing_mm is not None and not all(np.isfinite(side) and side > 0 for side in case.spacing_mm):
        raise RefusedInput(
            f"case {case.case_id}: expected a pixel spacing above 0 mm, got {case.spacing_mm}. Leave it out if unknown"
        )
    return truth, prediction, ignored
