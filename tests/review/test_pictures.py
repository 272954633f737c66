"""Pictures of a run, and of ground truth that nothing predicted yet."""

import numpy as np
import pytest
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.review.pictures import run_panels, truth_panels, write_pictures
from helpers.review.review_source import open_source
from tests.support.browser import look_at
from tests.support.review_runs import BROKEN, CASES, FAILED, GRIDDED, NO_TRUTH, SAME, write_data, write_run


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    return open_source(write_run(folder / "run"), write_data(folder / "data"))


@pytest.mark.slow
def test_a_run_as_pictures_with_a_page(source, tmp_path):
    wanted = [SAME, FAILED, BROKEN]
    assert write_pictures(run_panels(source, wanted), tmp_path / "out", "<b>run</b>") == 2
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"{SAME}.png", f"{FAILED}.png", "index.html"}
    seen = look_at(tmp_path / "out/index.html")
    assert seen.text.startswith("<b>run</b>") and len(seen.widths) == 2 and min(seen.widths) > 500
    assert not seen.console and not seen.failed
    with pytest.raises(RefusedInput, match="exists already"):
        write_pictures(run_panels(source, wanted), tmp_path / "out", "run")


def test_a_stamp_stands_on_the_page_and_on_each_picture(source, tmp_path):
    for name, stamp in (("own", None), ("demo", "<i>synthetic</i>")):
        write_pictures(run_panels(source, [SAME]), tmp_path / name, "run", stamp)
    own, demo = ((tmp_path / name / "index.html").read_text() for name in ("own", "demo"))
    assert "&lt;i&gt;synthetic&lt;/i&gt;" in demo and "<strong>" not in own
    plain, stamped = (np.asarray(Image.open(tmp_path / name / f"{SAME}.png")) for name in ("own", "demo"))
    rows, columns = np.nonzero((plain != stamped).any(-1))
    assert rows.min() > plain.shape[0] - 40 and columns.min() > plain.shape[1] / 2


def test_what_is_equal_to_its_truth_is_marked(source):
    same, gridded = run_panels(source, [SAME, GRIDDED])
    assert "IDENTICAL" in same.title and "IDENTICAL" not in gridded.title


def test_ground_truth_alone_is_never_shown_as_a_prediction(source, tmp_path):
    panels = list(truth_panels(source.dataset.cases))
    assert [panel.case_id for panel in panels] == [case_id for case_id in CASES if case_id != BROKEN]
    assert all(panel.prediction is None and panel.status == "not predicted" for panel in panels)
    assert [panel.truth is None for panel in panels] == [panel.case_id == NO_TRUTH for panel in panels]
    write_pictures(panels[:1], tmp_path / "out", "truth")
    pixels = np.asarray(Image.open(tmp_path / "out" / f"{CASES[0]}.png").convert("RGB")).astype(int)
    panel = pixels[100:-60]  # without title and legend
    green = (panel[:, :, 1] > panel[:, :, 0] + 60) & (panel[:, :, 1] > panel[:, :, 2] + 60)
    red = (panel[:, :, 0] > panel[:, :, 1] + 60) & (panel[:, :, 0] > panel[:, :, 2] + 60)
    assert red.any() and not green.any()
