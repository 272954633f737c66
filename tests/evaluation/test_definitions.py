"""Every metric says what it is and who computed it."""

from importlib.metadata import version

from helpers.evaluation.branches import CALIBRE_FROM_PX
from helpers.evaluation.definitions import BY_METRIC, COMPARED, HEADLINE, METRICS, Better, definitions
from helpers.evaluation.surface import TOLERANCES_MM, TOLERANCES_PX


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


def test_what_is_compared_is_in_the_headline():
    assert set(COMPARED) <= set(HEADLINE) < set(METRICS)


def test_faults_and_distances_are_better_when_lower():
    lower = {name for name, definition in BY_METRIC.items() if definition.better is Better.LOWER}
    assert {"hd95_px", "assd_mm", "betti0_error", "broken_branches"} < lower
    assert "dice" not in lower and "recall_thin" not in lower
