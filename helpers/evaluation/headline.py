"""The one sentence of an evaluation: how good, on how much, how sure, on whom, against what; and whether its models are
those of the official code.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from helpers.core.shown_text import counted
from helpers.evaluation.edit_distance import EDIT_TITLE, edit_distance_of
from helpers.evaluation.equal_masks import equal_masks_clause, equal_masks_of, is_copy
from helpers.evaluation.leakage.standing import title_of
from helpers.metrics.case_scores import CaseScoring
from helpers.metrics.intervals import FEWEST_UNITS, Method
from helpers.runs.finishing import OFFICIAL_CHECK

_METRIC = "dice"

_FINGERPRINT = "tensors_sha256"  # of a run's model; the baseline and imported masks have none
_PARTS = {
    "other_tensors": "its tensors differ",
    "other_calls": "its tensors are equal, and its calls part",
}


def headline(summary: Mapping[str, Any]) -> str:
    """The sentence about the first run of an evaluation. It holds names of runs as they are.

    Where no case has a mask it says so in place of a mean; a mean without an interval says why it has none. A run whose
    masks the ground truth began from gets none: the sentence says so, and how far they were edited. Nor does a run
    most of whose masks equal the ground truth.

    Args:
        summary: as `summary.json` holds it, docs/metrics-format.md.
    """
    run = summary["runs"][0]
    dice = _row(run["summary"])
    sizes = _sizes(summary["dataset"], dice)
    scored = run["outcomes"][CaseScoring.SCORED]
    if not scored:
        return f"{run['name']}: no mask to score: all {sizes} failed or are missing; {_whose(summary, run)}."
    if dice["mean"] is None:
        return f"{run['name']}: Dice is defined for none of {sizes}; {_whose(summary, run)}."
    edited = edit_distance_of(summary, run["name"])
    if edited is not None:
        return (
            f"{run['name']}: no headline: the ground truth of {edited['cases']} of {_scored_cases(run)} scored cases "
            f"began from its own masks. {EDIT_TITLE.capitalize()}: a mean Dice of {dice['mean']:.3f}{_interval(dice)} "
            f"between its masks and {_corrected(edited, run)}, {sizes}. A Dice of 1 means that nobody changed a mask."
        )
    equal = equal_masks_clause(summary, run["name"])
    if is_copy(equal_masks_of(summary, run["name"])):
        return (
            f"{run['name']}: no headline: {equal}, so that one was made from the other. A mean Dice of "
            f"{dice['mean']:.3f}, {sizes}, does not measure this run; {_whose(summary, run)}."
        )
    parts = [f"{run['name']}: mean Dice {dice['mean']:.3f}{_interval(dice)}, {sizes}"]
    failed = _scored_cases(run) - scored
    if failed:
        parts.append(f"{failed} without a mask count as empty")
    if equal is not None:
        parts.append(f"{equal}, so that each of these was made from its ground truth, or the other way round")
    parts.append(_whose(summary, run))
    return f"{'; '.join(parts)}. {_against(summary, run)}."


def _corrected(edited: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """What masks are scored against, as far as the ground truth began from them."""
    return "what they were corrected to" if edited["cases"] == _scored_cases(run) else "the ground truth"


def _scored_cases(run: Mapping[str, Any]) -> int:
    """Number of cases that a run was scored on, with and without a mask."""
    return sum(run["outcomes"].values())


def _whose(summary: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """Whose scores, as a clause."""
    title = title_of(summary, run["name"])
    return title if "unknown" in title else f"scores of {title}"


def _against(summary: Mapping[str, Any], run: Mapping[str, Any]) -> str:
    """The paired difference of the first run from each other one."""
    if not summary["comparisons"]:
        return "No other run was given to compare with"
    own = title_of(summary, run["name"])
    said = "; ".join(_compared(summary, one, own) for one in summary["comparisons"])
    return said[0].upper() + said[1:]


def _compared(summary: Mapping[str, Any], compared: Mapping[str, Any], own: str) -> str:
    """The difference from another run, or why that would say nothing."""
    second = compared["second"]
    if edit_distance_of(summary, second) is not None:
        return f"not compared with {second}, from whose masks the ground truth began"
    if is_copy(equal_masks_of(summary, second)):
        return f"not compared with {second}: {equal_masks_clause(summary, second)}"
    return _difference(compared, own)


def _difference(compared: Mapping[str, Any], own: str) -> str:
    """`difference from frangi, paired on the same 96 cases: +0.050 (+0.020 to +0.081)`: the first run less the other.

    Whose scores it compares is said where the training of the other makes it something else than `own`.
    """
    row_of_dice = next((row for row in compared["metrics"] if row["metric"] == _METRIC), None)
    if row_of_dice is None:
        return f"not comparable with {compared['second']}: no case has a Dice in both"
    # A comparison holds the other run less the first.
    turned = {**row_of_dice, "low": _negative(row_of_dice["high"]), "high": _negative(row_of_dice["low"])}
    same = " (the two hold the same masks)" if compared["identical"] == row_of_dice["n_cases"] else ""
    title = compared.get("title", own)
    whose = "" if title == own else f" (of both: {title})"
    return (
        f"difference from {compared['second']}, paired on the same {counted(row_of_dice['n_cases'], 'case')}: "
        f"{-row_of_dice['difference'] + 0.0:+.3f}{_interval(turned, '', '+')}{same}{whose}"
    )


def _negative(value: float | None) -> float | None:
    return None if value is None else -value + 0.0  # no -0


def _interval(row: Mapping[str, Any], label: str = "95 % interval ", sign: str = "") -> str:
    if row.get("interval") == Method.EQUAL:
        return f" (no interval: all {counted(row['n_units'], row['unit'])} equal)"
    if row["low"] is None:
        return f" (no interval from {counted(row['n_units'], row['unit'])})"
    return f" ({label}{row['low']:{sign}.3f} to {row['high']:{sign}.3f})"


def _sizes(dataset: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """`96 cases of 12 patients`, or `90 of the data set's 96 cases, 6 sequences (fewer than 10), patients unknown`."""
    whole, cases = dataset["cases"], row["n_cases"]
    scored = counted(cases, "case") if cases == whole else f"{cases} of the data set's {counted(whole, 'case')}"
    few = f" (fewer than {FEWEST_UNITS})" if row["n_units"] < FEWEST_UNITS else ""
    few += "".join(f", {text}" for text in centres_text(dataset))
    if row["n_patients"] is not None:
        return f"{scored}{' of' if cases == whole else ','} {counted(row['n_patients'], 'patient')}{few}"
    sequences = "" if row["n_sequences"] is None else f", {counted(row['n_sequences'], 'sequence')}"
    return f"{scored}{sequences}{few}, patients unknown"


def centres_text(dataset: Mapping[str, Any]) -> list[str]:
    """From how many centres the scored cases come, as one text; none for evaluations of before that was asked.

    Args:
        dataset: that of a summary.
    """
    if "centres" not in dataset:
        return []
    centres = dataset["centres"]
    if centres is None:  # no column says otherwise
        return ["one centre"]
    number = centres["number"]
    if number is None:
        return ["centres unknown"]
    return ["one centre" if number == 1 else counted(number, "centre")]


def _row(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return next(row for row in rows if row["metric"] == _METRIC)


def official_check_lines(summary: Mapping[str, Any]) -> list[str]:
    """A line for each run of a Sa2VA model; none for baselines, imported masks and folders of earlier versions.

    Args:
        summary: as `summary.json` holds it, docs/metrics-format.md.
    """
    return [
        f"{run['name']}: checked against official code: {official_check_text(run[OFFICIAL_CHECK])}."
        for run in summary["runs"]
        if OFFICIAL_CHECK in run and _FINGERPRINT in (run.get("model") or {})
    ]


def official_check_text(check: Mapping[str, Any] | None) -> str:
    """What a comparison of a model with official code found; None where there was none (docs/receipt-format.md)."""
    if check is None:
        return "not checked"
    frames = check["frames"]
    receipt = f"receipt of {check['receipt']['created'][:10]}, {counted(frames, 'frame')}"
    of_all = check["receipt"].get("frames", frames)
    if check["outcome"] in ("same", "incomplete") and frames < of_all:  # which was `same` in earlier versions
        return f"in part ({receipt} of {of_all}; the tensors are equal, and so is what was compared)"
    if check["outcome"] == "same":
        masks = check["mask_pixels"]
        pixels = "" if masks is None else f", {masks[0]} of {masks[1]} mask pixels differ"
        return f"yes ({receipt}, largest difference at [SEG] {check['seg_difference']:.2g}{pixels})"
    if check["outcome"] == "incomplete":
        lacks = [] if check["segments"] else ["no [SEG] was compared"]
        if check["tensors"].get("adapters") and not check["tensors"]["adapters_told"]:
            lacks.append("whether the official model has this LoRA cannot be told")
        return f"in part ({receipt}; the tensors are equal, and {', and '.join(lacks)})"
    where = check["tensors"]["cause"] or check["seam"]
    return f"NO, it is another model ({receipt}; {_PARTS[check['outcome']]}: {where})"
