"""The whole of `summary.md`, of summaries that are written by hand."""

from helpers.evaluation.summary_text import operating_point_rows, processing_rows, summary_text
from helpers.metrics.definitions import COMPARED, METRICS

SIZES = {"n_units": 12, "n_cases": 24, "n_sequences": 13, "n_patients": 12}


def row(metric, mean=None, low=None, high=None, **more):
    known = {"metric": metric, "mean": mean, "low": low, "high": high, "few": False, "unit": "patient"}
    return {**known, **SIZES, "n_undefined": 0, "n_infinite": 0, **more}


def rows(*given):
    """A row for every metric, unknown but for those given."""
    found = {one["metric"]: one for one in given}
    return [found.get(metric, row(metric)) for metric in METRICS]


def difference(metric, first, second, **more):
    return {**row(metric, first=first, second=second, difference=second - first), **more}


def interval(mean, low=None, high=None, n_units=12):
    return {"mean": mean, "low": low, "high": high, "n_units": n_units}


def errors(ece, equal_mass, brier, share):
    return {
        "ece": ece,
        "brier": brier,
        "nll": interval(0.3),
        "ece_equal_mass": equal_mass,
        "brier_of_share": share,
    }


LOCKED = {
    "threshold": 0.4375,
    "chosen_by": "cross-validation",
    "chosen_on": None,
    "fold_thresholds": [0.375, 0.4375, 0.5],
    "unit": "patient",
    "dice": interval(0.75, 0.7, 0.8),
    "dice_at_half": interval(0.74),
    "gain": interval(0.01, -0.002, 0.022, n_units=9),
}
STUDIES = [
    {
        "run": "ours",
        "threshold": LOCKED,
        "calibration": errors(interval(0.05, 0.04, 0.06), 0.055, interval(0.03), 0.125),
        "temperature": {
            "temperature": 1.75,
            "calibration": errors(interval(0.01, 0.005, 0.02), 0.02, interval(0.02), 0.125),
        },
        "notes": [],
    },
    {
        "run": "locked",
        "threshold": {**LOCKED, "chosen_on": ["c1", "c2", "c3"], "fold_thresholds": []},
        "calibration": errors(interval(0.05, n_units=10), 0.055, interval(0.03), 0.125),
        "temperature": None,
        "notes": ["one", "two"],
    },
    {"run": "masks", "threshold": None, "calibration": None, "temperature": None, "notes": ["no logits"]},
]
STUDY_ROWS = [
    ["Dice at 0.5", "0.740", "0.740", ""],
    ["Dice at the locked threshold", "0.750 [0.700, 0.800]", "0.750 [0.700, 0.800]", ""],
    ["gain", *["0.010 [-0.002, 0.022] (fewer than 10 units)"] * 2, ""],
    ["locked threshold", "0.438 (folds 0.375 to 0.500)", "0.438", ""],
    ["ECE, 15 bins of equal width", "0.050 [0.040, 0.060]", "0.050", ""],
    ["ECE, 15 bins of equal mass", "0.055", "0.055", ""],
    ["Brier score", "0.030", "0.030", ""],
    ["Brier score of the share of vessel", "0.125", "0.125", ""],
    ["temperature", "1.750", "", ""],
    ["ECE after scaling by the temperature", "0.010 [0.005, 0.020]", "", ""],
    ["chosen on", "cross-validation, 3 folds of patients", "3 development cases", ""],
    ["notes", "", "one; two", "no logits"],
]

SUMMARY = {
    "dataset": {"scored": 24, "cases": 30, "without_truth": 4, "left_out": {"cases of other splits": 2}},
    "training": None,
    "warnings": ["look_out"],
    "runs": [
        {
            "name": "ours",
            "threshold": 0.5,
            "combine": "union",
            "outcomes": {"scored": 22, "failed": 1, "missing": 1},
            "summary": rows(
                row("dice", 0.7, 0.65, 0.75),
                row("hd95_px", 12.5, 10, 15, n_infinite=2, median=3.25),
                row("precision", 0.8, n_undefined=1, few=True),
                row("specificity", 0.99, 0.98, 1.0),
            ),
            "scored_only": rows(
                row("dice", 0.76, n_cases=22), row("iou", 0.6, 0.55, 0.65), row("cldice", 0.71, few=True)
            ),
            "pooled": [row("ciou", 0.61, 0.6, 0.62), row("giou", 0.6)],
        },
        {
            "name": "base|line",
            "threshold": 0.25,
            "combine": "largest",
            "outcomes": {"scored": 24, "failed": 0, "missing": 0},
            "summary": rows(row("iou", 0.5), row("dice", 0.6, 0.55, 0.65)),
            "scored_only": None,
            "pooled": [row("ciou", 0.51), row("giou", 0.5)],
        },
    ],
    "yardsticks": {"ceiling": 0.9876, "all_empty": 0.0, "all_foreground": 0.12},
    "comparisons": [
        {
            "first": "ours",
            "second": "base|line",
            "identical": 3,
            "warnings": ["much alike"],
            "changes": {"better": 5, "worse": 16},
            "metrics": [
                difference("dice", 0.7, 0.6, low=-0.2, high=-0.01, p_sign_flip_holm=0.0123, p_wilcoxon_holm=0.5),
                difference("hd95_px", 12.5, 12.5, n_cases=20, p_sign_flip_holm=None, p_wilcoxon_holm=None),
            ],
        }
    ],
    "studies": STUDIES[:1],
    "processing": None,
    "sequences": None,
    "definitions": [{"title": "Dice", "metric": "dice", "text": "twice the overlap", "computed_by": "numpy 1"}],
}
TEXT = """\
# Evaluation

**ours: mean Dice 0.700 (95 % interval 0.650 to 0.750), 24 of the data set's 30 cases, 12 patients; 2 without a mask \
count as empty; training list unknown. Difference from base\\|line, paired on the same 24 cases: \
+0.100 (+0.010 to +0.200).**

* 24 cases of 30 in the data set (4 without truth).
* 2 cases of other splits.
* **ours**: threshold 0.5, union; 22 scored, 1 failed, 1 missing.
* **base\\|line**: threshold 0.25, largest; 24 scored, 0 failed, 0 missing.

## Headline

Mean of patient means; 95 % intervals: percentile bootstrap. Failed and missing predictions count as empty masks. \
Infinite distances are capped at the frame's diagonal; the median is over cases.

| metric | ours | base\\|line | n |
| --- | --- | --- | --- |
| **warning:** look_out |  |  |  |
| Dice | 0.700 [0.650, 0.750] | 0.600 [0.550, 0.650] | 24 cases, 13 sequences, 12 patients |
| IoU |  | 0.500 | 24 cases, 13 sequences, 12 patients |
| Precision | 0.800 (1 undefined, fewer than 10 patients) |  | 24 cases, 13 sequences, 12 patients |
| HD95 [px] | 12.500 [10.000, 15.000] (median 3.250, 2 of 24 cases at the cap) |  | \
24 cases, 13 sequences, 12 patients |

Without failed and missing predictions:

* ours: Dice 0.760, IoU 0.600 [0.550, 0.650], clDice 0.710 (fewer than 10 patients) (22 cases, \
13 sequences, 12 patients)

Pooled, as in the RefCOCO protocol:

* ours: cIoU 0.610 [0.600, 0.620], gIoU 0.600
* base\\|line: cIoU 0.510, gIoU 0.500

## Reference bounds

Mean of patient means of the Dice of: the ground truth passed down to the 256 grid and back 0.988; an empty mask \
0.000; a full mask 0.120.

## base\\|line against ours

Differences of base\\|line less ours, paired, with 95 % intervals: percentile bootstrap; over the family of 7 metrics \
fixed beforehand. By Dice 5 cases better, 16 worse, 0 the same; 3 masks identical.

| metric | ours | base\\|line | difference | p (sign flip, Holm) | p (Wilcoxon, Holm) | n |
| --- | --- | --- | --- | --- | --- | --- |
| **warning:** much alike |  |  |  |  |  |  |
| Dice | 0.700 | 0.600 | -0.100 [-0.200, -0.010] | 0.0123 | 0.5 | 24 cases, 12 patients |
| HD95 | 12.500 | 12.500 | 0.000 |  |  | 20 cases, 12 patients |

## Second table

Mean of patient means; 95 % intervals: percentile bootstrap. Failed and missing predictions count as empty masks. \
Infinite distances are capped at the frame's diagonal; the median is over cases.

| metric | ours | base\\|line | n |
| --- | --- | --- | --- |
| **warning:** look_out |  |  |  |
| Specificity | 0.990 [0.980, 1.000] |  | 24 cases, 13 sequences, 12 patients |

## Threshold and calibration

From the stored logits. No case is scored with what was chosen on it; 95 % intervals are Student's t over units; of \
the ECE percentiles of bootstrap draws, from 10 units on.

|  | ours |
| --- | --- |
| Dice at 0.5 | 0.740 |
| Dice at the locked threshold | 0.750 \\[0.700, 0.800\\] |
| gain | 0.010 \\[-0.002, 0.022\\] (fewer than 10 units) |
| locked threshold | 0.438 (folds 0.375 to 0.500) |
| ECE, 15 bins of equal width | 0.050 \\[0.040, 0.060\\] |
| ECE, 15 bins of equal mass | 0.055 |
| Brier score | 0.030 |
| Brier score of the share of vessel | 0.125 |
| temperature | 1.750 |
| ECE after scaling by the temperature | 0.010 \\[0.005, 0.020\\] |
| chosen on | cross-validation, 3 folds of patients |
| notes |  |

## Definitions

* Dice (`dice`): twice the overlap; numpy 1
"""


def test_the_whole_text():
    assert summary_text(SUMMARY) == TEXT


def test_what_was_trained_on_stands_first_and_its_warnings_in_every_comparison():
    files = [{"role": "validation", "sha256": "0123456789abcdef", "entries": 8, "matched": 3}]
    text = summary_text({**SUMMARY, "training": {"files": files, "warnings": ["seen"]}})
    first, compared = (text.split("\n## ")[place].splitlines() for place in (0, 3))
    assert first[-1] == "* Validation list 0123456789ab: 8 entries, 3 cases of the data set among them."
    warnings = ["| **warning:** seen |  |  |  |  |  |  |", "| **warning:** much alike |  |  |  |  |  |  |"]
    assert compared[6:8] == warnings


def test_sizes_that_are_not_known_are_said_so():
    runs = [{**SUMMARY["runs"][1], "summary": rows(row("dice", 0.6, n_sequences=None, n_patients=None, unit="case"))}]
    text = summary_text({**SUMMARY, "runs": runs, "comparisons": []})
    assert "| Dice | 0.600 | 24 cases, sequences unknown, patients unknown |\n" in text
    assert "Without failed" not in text and " against " not in text
    assert text.count("Mean of case means") == 3


def test_a_row_for_what_was_found_on_the_logits():
    assert operating_point_rows(STUDIES) == STUDY_ROWS


PROCESSED = [
    {"run": "ours", "metrics": [difference("dice", 0.7, 0.75, low=0.01, high=0.09), difference("iou", 0.5, 0.5)]},
    {"run": "a|b", "metrics": [difference("dice", 0.6, 0.5, few=True)]},
]


def test_post_processing_is_shown_before_and_after():
    assert processing_rows(PROCESSED) == [
        ["Dice", "0.700, 0.750, 0.050 [0.010, 0.090]", "0.600, 0.500, -0.100 (fewer than 10 patients)"],
        ["IoU", "0.500, 0.500, 0.000", ""],
    ]
    text = summary_text({**SUMMARY, "processing": {"close_gaps": 2, "remove_small": 9, "runs": PROCESSED}})
    lines = text.split("## Post-processing")[1].splitlines()
    assert "a disk of 2 px" in lines[2] and "fewer than 9 px removed" in lines[2]
    assert lines[4:7] == [
        "| metric | ours | a\\|b |",
        "| --- | --- | --- |",
        "| Dice | 0.700, 0.750, 0.050 [0.010, 0.090] | 0.600, 0.500, -0.100 (fewer than 10 patients) |",
    ]


def test_metrics_come_in_the_order_of_the_family():
    found = [{"run": "ours", "metrics": [difference(metric, 0.5, 0.5) for metric in reversed(COMPARED)]}]
    titles = ["Dice", "IoU", "Precision", "Recall", "clDice", "NSD 2 px", "HD95"]
    assert [line[0] for line in processing_rows(found)] == titles


def test_rules_ignored_pixels_and_lists_of_training_are_said():
    dataset = SUMMARY["dataset"] | {
        "rules": {"mask_values": "mask", "vessel_labels": ["1", "2*"]},
        "ignored": {"pixels": 700, "cases": 3},
    }
    listed = {"role": "training", "sha256": "a" * 64, "entries": 9, "matched": 2}
    kept = {"role": "validation", "sha256": "b" * 64, "entries": 4, "matched": None}
    training = {"files": [listed, kept], "warnings": []}
    standing = {
        "title": "TRAINING patients (1)",
        "runs": [{"run": "ours*", "title": "TRAINING patients (1)"}],
        "excluded": True,
        "excluded_patients": 2,
        "excluded_cases": 5,
    }
    text = summary_text(SUMMARY | {"dataset": dataset, "training": training, "standing": standing})
    lines = [line for line in text.partition("## ")[0].splitlines() if line.startswith("* ")]
    assert lines[2:4] == [
        "* Ground truth as decided: mask_values mask; vessel_labels 1, 2\\*.",
        "* 700 pixels of 3 cases are ignored: they are left out of the overlap, and metrics of shape are undefined "
        "there.",
    ]
    assert lines[-4:] == [
        f"* Training list {'a' * 12}: 9 entries, 2 cases of the data set among them.",
        f"* Validation list {'b' * 12}: 4 entries, by the hashes that were kept on this machine.",
        "* **ours\\***: TRAINING patients (1).",
        "* 2 TRAINING patients with 5 cases left out, as asked for.",
    ]
    assert "left out, as asked" not in summary_text(SUMMARY | {"standing": standing | {"excluded": False}})


def test_units_that_were_not_tested_are_counted_beside_a_comparison():
    (found,) = SUMMARY["comparisons"]
    rows = [row | {"n_tested": tested} for row, tested in zip(found["metrics"], (12, 7), strict=True)]
    text = summary_text(SUMMARY | {"comparisons": [found | {"metrics": rows}]})
    assert "| 24 cases, 12 patients |" in text and "| 20 cases, 12 patients, 7 of them tested |" in text
