"""Definition of each metric, with its unit and the library that computes it."""

from dataclasses import dataclass
from enum import StrEnum

from helpers.metrics.intervals import Scale
from helpers.metrics.topology import CALIBRE_FROM_PX, SHORTEST_GAP_PX, SKELETON_METHOD, Calibre


class Better(StrEnum):
    """Which direction is good."""

    HIGHER = "higher"
    LOWER = "lower"


class Tier(StrEnum):
    """The table that a metric belongs to."""

    HEADLINE = "headline"
    SECOND = "second"


@dataclass(frozen=True)
class Definition:
    """One metric.

    Attributes:
        metric: its column in the table of scores.
        title: for people.
        unit: `1` for shares.
        packages: distributions that compute it.
        text: what is computed, in one sentence.
        scale: bounds of its values, which an interval of their mean keeps to.
    """

    metric: str
    title: str
    unit: str
    better: Better
    tier: Tier
    packages: tuple[str, ...]
    text: str
    scale: Scale


_NUMPY, _SKELETON, _SCIPY = ("numpy",), ("scikit-image", "numpy"), ("scipy", "numpy")
_TREE = ("scikit-image", "scipy", "numpy")


def _share(metric: str, title: str, tier: Tier, packages: tuple[str, ...], text: str) -> Definition:
    return Definition(metric, title, "1", Better.HIGHER, tier, packages, text, Scale.SHARE)


def _fault(metric: str, title: str, unit: str, tier: Tier, packages: tuple[str, ...], text: str) -> Definition:
    return Definition(metric, title, unit, Better.LOWER, tier, packages, text, Scale.AMOUNT)


def _nsd(tolerance: str, unit: str, tier: Tier) -> Definition:
    text = f"share of both outlines, by length, within {tolerance} {unit} of the other"
    return _share(f"nsd_{tolerance}{unit}", f"NSD {tolerance} {unit}", tier, _SCIPY, text)


def _calibre(calibre: Calibre) -> Definition:
    bounds = [*CALIBRE_FROM_PX.values(), float("inf")]
    index = list(Calibre).index(calibre)
    text = f"recall of vessel pixels whose local width is {bounds[index]:g} px or more and below {bounds[index + 1]:g}"
    return _share(f"recall_{calibre}", f"Recall, {calibre} vessels", Tier.SECOND, _TREE, text)


_HEAD, _MORE = Tier.HEADLINE, Tier.SECOND
_HD95 = "larger of the two directed 95th percentiles of outline distance, weighted by length"
_ASSD = "mean distance of both outlines to the other, weighted by length"

DEFINITIONS = (
    _share("dice", "Dice", _HEAD, _NUMPY, "2 TP / (2 TP + FP + FN), in pixels"),
    _share("iou", "IoU", _HEAD, _NUMPY, "TP / (TP + FP + FN), in pixels"),
    _share("precision", "Precision", _HEAD, _NUMPY, "TP / (TP + FP), in pixels"),
    _share("recall", "Recall", _HEAD, _NUMPY, "TP / (TP + FN), in pixels"),
    _share("specificity", "Specificity", _MORE, _NUMPY, "TN / (TN + FP), in pixels"),
    _share(
        "cldice",
        "clDice",
        _HEAD,
        _SKELETON,
        f"harmonic mean of topology precision and sensitivity; centrelines by skeletonize, method {SKELETON_METHOD}",
    ),
    _share(
        "topology_precision", "Topology precision", _MORE, _SKELETON, "share of the predicted centreline in the truth"
    ),
    _share(
        "topology_sensitivity",
        "Topology sensitivity",
        _MORE,
        _SKELETON,
        "share of the true centreline in the prediction",
    ),
    _nsd("1", "px", _HEAD),
    _nsd("2", "px", _HEAD),
    _nsd("3", "px", _HEAD),
    _nsd("0.5", "mm", _HEAD),
    _nsd("1.0", "mm", _HEAD),
    _fault("hd95_px", "HD95", "px", _HEAD, _SCIPY, _HD95),
    _fault("hd95_mm", "HD95", "mm", _HEAD, _SCIPY, _HD95),
    _fault("assd_px", "ASSD", "px", _MORE, _SCIPY, _ASSD),
    _fault("assd_mm", "ASSD", "mm", _MORE, _SCIPY, _ASSD),
    _fault("betti0_error", "Betti-0 error", "pieces", _MORE, _SCIPY, "difference in 8-connected pieces"),
    _fault("betti1_error", "Betti-1 error", "holes", _MORE, _SCIPY, "difference in holes, background 4-connected"),
    _fault(
        "broken_branches",
        "Broken branches",
        "branches",
        _MORE,
        _TREE,
        f"true branches with {SHORTEST_GAP_PX} or more centreline pixels in a row outside the prediction",
    ),
    _fault("broken_length_px", "Broken length", "px", _MORE, _TREE, "centreline pixels in all such stretches"),
    *(_calibre(calibre) for calibre in Calibre),
    _share("pr_auc", "Area under PR curve", _MORE, _NUMPY, "average precision of the logits, in steps of 1/256 logit"),
)

BY_METRIC = {definition.metric: definition for definition in DEFINITIONS}
METRICS = tuple(BY_METRIC)
HEADLINE = tuple(definition.metric for definition in DEFINITIONS if definition.tier is Tier.HEADLINE)

# What is infinite where one mask of two is empty, and then counts as the frame's diagonal.
DISTANCES = ("hd95_px", "hd95_mm", "assd_px", "assd_mm")

# The family that runs are compared on: one tolerance and one unit of each, since the others say the same again.
COMPARED = ("dice", "iou", "precision", "recall", "cldice", "nsd_2px", "hd95_px")
