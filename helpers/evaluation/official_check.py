"""How the models of an evaluation stand to the official code, as `vesselkit verify --receipt` found."""

from collections.abc import Mapping
from typing import Any

from helpers.runs.finishing import OFFICIAL_CHECK

_FINGERPRINT = "tensors_sha256"  # of a run's model; the baseline and imported masks have none
_PARTS = {
    "other_tensors": "its tensors differ",
    "other_calls": "its tensors are equal, and its calls part",
}


def official_check_lines(summary: Mapping[str, Any]) -> list[str]:
    """A line for each run of a Sa2VA model; none for baselines, imported masks and folders of earlier versions.

    Args:
        summary: as `summary.json` holds it, docs/metrics-format.md.
    """
    return [
        f"{run['name']}: checked against official code: {_found(run[OFFICIAL_CHECK])}."
        for run in summary["runs"]
        if OFFICIAL_CHECK in run and _FINGERPRINT in (run.get("model") or {})
    ]


def _found(check: Mapping[str, Any] | None) -> str:
    if check is None:
        return "not checked"
    frames = check["frames"]
    receipt = f"receipt of {check['receipt']['created'][:10]}, {frames} frame{'' if frames == 1 else 's'}"
    if check["outcome"] == "same":
        masks = check["mask_pixels"]
        pixels = "" if masks is None else f", {masks[0]} of {masks[1]} mask pixels differ"
        return f"yes ({receipt}, largest difference at [SEG] {check['seg_difference']:.2g}{pixels})"
    if check["outcome"] == "incomplete":
        return f"in part ({receipt}; the tensors are equal, and no [SEG] was compared)"
    where = check["tensors"]["cause"] or check["seam"]
    return f"NO, it is another model ({receipt}; {_PARTS[check['outcome']]}: {where})"
