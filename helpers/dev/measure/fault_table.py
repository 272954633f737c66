"""Which metric sees which fault: a drawn tree held against itself shifted, with gaps, and short of a branch.

docs/metrics.md has the table. Run: python -m helpers.dev.measure.fault_table
"""

import numpy as np

from helpers.metrics.case_scores import CaseArrays, score_case
from helpers.metrics.definitions import BY_METRIC

SIDE = 200
_WHOLE = ("hd95_px", "betti0_error", "broken_branches", "broken_length_px")
_SHOWN = ("dice", "cldice", "topology_sensitivity", "nsd_1px", *_WHOLE, "recall_thin")

# Rows and columns of a trunk 11 px wide, two side branches of 7 px and one of 3 px; gaps of 5 px begin at the columns.
_TRUNK = np.s_[10:190, 95:106]
_BRANCHES = ((np.s_[40:47, 20:95], (30, 45, 60, 75)), (np.s_[90:97, 106:180], (115, 130, 145, 160)))
_THINNEST = (np.s_[150:153, 106:185], (115, 130, 145, 160))


def tree() -> np.ndarray:
    """The tree, bool (200, 200)."""
    mask = np.zeros((SIDE, SIDE), bool)
    for place in (_TRUNK, *(branch for branch, _ in (*_BRANCHES, _THINNEST))):
        mask[place] = True
    return mask


def faults() -> dict[str, np.ndarray]:
    """Name -> the tree with one kind of fault, bool (200, 200)."""
    gaps, short = tree(), tree()
    for (rows, _), starts in (*_BRANCHES, _THINNEST):
        for start in starts:
            gaps[rows, start : start + 5] = False
    short[_THINNEST[0]] = False
    return {
        "shifted by 1 px": np.roll(tree(), 1, axis=1),
        "12 gaps of 5 px": gaps,
        "thinnest branch missing": short,
    }


def scores() -> dict[str, dict[str, float]]:
    """Every metric of every fault."""
    return {name: dict(score_case(CaseArrays(name, tree(), mask)).values) for name, mask in faults().items()}


def table() -> str:
    """The metrics that differ most, as a Markdown table."""
    found = scores()
    lines = [["metric", *found], ["---"] * (len(found) + 1)]
    for metric in _SHOWN:
        unit = BY_METRIC[metric].unit
        title = BY_METRIC[metric].title + ("" if unit == "1" else f" [{unit}]")
        form = ".0f" if metric in _WHOLE else ".3f"
        lines.append([title, *(format(values[metric], form) for values in found.values())])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    print(table())
