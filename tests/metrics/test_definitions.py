"""Every metric says what it is and who computed it."""

from importlib.metadata import version

import numpy as np

from helpers.evaluation.score_table import definitions
from helpers.metrics.definitions import BY_METRIC, COMPARED, DISTANCES, HEADLINE, METRICS, Better
from helpers.metrics.empties import EMPTY_VALUES
from helpers.metrics.surface import TOLERANCES_MM, TOLERANCES_PX
from helpers.metrics.topology import CALIBRE_FROM_PX


def test_one_row_for_each_metric_with_versions():
    table = definitions().set_index("metric")
    assert tuple(table.index) == METRICS
    assert table.loc["cldice", "computed_by"] == f"scikit-image {version('scikit-image')}, numpy {version('numpy')}"
    assert "zhang" in table.loc["cldice", "text"]
    assert (table["computed_by"].str.len() > 5).all()


def test_names_follow_the_tolerances_and_calibres():
    expected = {f"nsd_{limit}px" for limit in TOLERANCES_PX} | {f"nsd_{limit}mm" for limit in TOLERANCES_MM}
    assert {name for name in METRICS if name.startswith("nsd")} == expected
    assert {name.removeprefix("recall_") for name in METRICS if name.startswith("recall_")} == set(CALIBRE_FROM_PX)


def test_titles_units_and_tables():
    shares = {
        "dice": "Dice",
        "iou": "IoU",
        "precision": "Precision",
        "recall": "Recall",
        "cldice": "clDice",
        "nsd_1px": "NSD 1 px",
        "nsd_2px": "NSD 2 px",
        "nsd_3px": "NSD 3 px",
        "nsd_0.5mm": "NSD 0.5 mm",
        "nsd_1.0mm": "NSD 1.0 mm",
    }
    distances = {"hd95_px": ("HD95", "px"), "hd95_mm": ("HD95", "mm")}
    second = {
        "specificity": ("Specificity", "1"),
        "topology_precision": ("Topology precision", "1"),
        "topology_sensitivity": ("Topology sensitivity", "1"),
        "assd_px": ("ASSD", "px"),
        "assd_mm": ("ASSD", "mm"),
        "betti0_error": ("Betti-0 error", "pieces"),
        "betti1_error": ("Betti-1 error", "holes"),
        "broken_branches": ("Broken branches", "branches"),
        "broken_length_px": ("Broken length", "px"),
        "recall_thin": ("Recall, thin vessels", "1"),
        "recall_medium": ("Recall, medium vessels", "1"),
        "recall_thick": ("Recall, thick vessels", "1"),
        "pr_auc": ("Area under PR curve", "1"),
    }
    headline = {name: (title, "1") for name, title in shares.items()} | distances
    assert {name: (BY_METRIC[name].title, BY_METRIC[name].unit) for name in HEADLINE} == headline
    rest = {name: (one.title, one.unit) for name, one in BY_METRIC.items() if name not in HEADLINE}
    assert rest == second


def test_the_table_is_of_texts_under_the_names_of_the_fields():
    table = definitions()
    columns = ["metric", "title", "unit", "better", "tier", "text", "computed_by"]
    assert list(table.columns) == columns and set(table["tier"]) == {"headline", "second"}
    assert set(table["better"]) == {"higher", "lower"}
    texts = table.set_index("metric")["text"]
    assert texts["nsd_0.5mm"] == "share of both outlines, by length, within 0.5 mm of the other"
    widths = [texts[f"recall_{calibre}"].split("width is ")[1] for calibre in ("thin", "medium", "thick")]
    assert widths == ["0 px or more and below 5", "5 px or more and below 10", "10 px or more and below inf"]
    by = {name: cell.replace(",", "").split()[::2] for name, cell in table.set_index("metric")["computed_by"].items()}
    assert by["dice"] == by["pr_auc"] == ["numpy"] and by["assd_mm"] == by["betti0_error"] == ["scipy", "numpy"]
    assert by["broken_branches"] == by["recall_thin"] == ["scikit-image", "scipy", "numpy"]


def test_what_is_compared_is_in_the_headline():
    assert set(COMPARED) <= set(HEADLINE) < set(METRICS)
    assert COMPARED == ("dice", "iou", "precision", "recall", "cldice", "nsd_2px", "hd95_px")


def test_faults_and_distances_are_better_when_lower():
    lower = {name for name, definition in BY_METRIC.items() if definition.better is Better.LOWER}
    distances = {"hd95_px", "hd95_mm", "assd_px", "assd_mm"}
    assert lower == distances | {"betti0_error", "betti1_error", "broken_branches", "broken_length_px"}


def test_distances_are_what_an_empty_mask_makes_infinite():
    infinite = [metric for metric in METRICS if EMPTY_VALUES[metric].no_prediction == np.inf]
    assert sorted(DISTANCES) == sorted(infinite) == ["assd_mm", "assd_px", "hd95_mm", "hd95_px"]
