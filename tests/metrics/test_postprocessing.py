"""Steps on a finished mask: by eye, properties, and their gain on a run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.core.errors import UsageProblem
from helpers.evaluation.case_arrays import gains, processed_scores, scorable, score_run
from helpers.evaluation.score_table import scores_table
from helpers.evaluation.scored_runs import open_scored_runs
from helpers.metrics.postprocessing import Processing, closed, without_small
from tests.support.drawn_masks import bar, drawn, masks, steady
from tests.support.vessel_runs import SIDE, write_data, write_run

BROKEN = drawn(
    """
    .........
    ###..####
    ###..####
    ###..####
    .........
    """
)
THIN = bar(3, 9, rows=slice(1, 2), columns=slice(0, 9))
THIN[1, 4] = False


def test_a_gap_is_closed():
    mended = BROKEN.copy()
    mended[2, 3:5] = True
    assert np.array_equal(closed(BROKEN, 2), mended)
    assert np.array_equal(closed(BROKEN, 0), BROKEN)
    assert np.array_equal(closed(THIN, 3), THIN)


def test_small_components_go():
    mask = drawn(
        """
        ##.....
        ..#...#
        .....#.
        ...#...
        """
    )
    kept = drawn(
        """
        ##.....
        ..#....
        .......
        .......
        """
    )
    assert np.array_equal(without_small(mask, 3), kept)  # corners join
    assert np.array_equal(without_small(mask, 1), mask) and not without_small(mask, 4).any()


def test_gaps_are_closed_before_small_components_go():
    assert np.array_equal(Processing(close_gaps=2, remove_small=13).apply(BROKEN), closed(BROKEN, 2))
    assert not without_small(BROKEN, 13).any()


@steady
@given(masks(), st.integers(0, 3))
def test_closing_only_adds_and_is_done_once(mask, radius):
    once = closed(mask, radius)
    assert (once >= mask).all() and np.array_equal(closed(once, radius), once)


@steady
@given(masks(), st.integers(0, 12))
def test_removing_only_takes_and_is_done_once(mask, fewest):
    once = without_small(mask, fewest)
    assert (once <= mask).all() and np.array_equal(without_small(once, fewest), once)


def test_nothing_is_done_by_default():
    assert not Processing().active and np.array_equal(Processing().apply(BROKEN), BROKEN)
    with pytest.raises(UsageProblem, match="remove_small: expected 0 or more pixels, got -1"):
        Processing(remove_small=-1)


def test_its_gain_is_paired_with_the_masks_as_they_are(tmp_path):
    data = write_data(tmp_path / "data")
    truths = {case.case_id: case.truth.mask(SIDE, SIDE) for case in data.cases}
    speckled = {case_id: mask | _speckle(mask) for case_id, mask in truths.items()}
    (scored_run,) = open_scored_runs([write_run(tmp_path / "run", speckled)])
    cases = scorable(data, list(truths), [scored_run.run])
    plain = scores_table(score_run(scored_run, cases, processes=1))
    processed = processed_scores(scored_run, cases, Processing(remove_small=2), processes=1)
    assert (plain["dice"] < 1).all() and (processed["dice"] == 1).all() and processed["pr_auc"].isna().all()
    rows = gains(plain, processed, draws=200).set_index("metric")
    assert rows.loc["dice", "difference"] == pytest.approx(1 - plain["dice"].mean()) and rows.loc["dice", "low"] > 0


def _speckle(mask):
    """A single pixel away from the vessels."""
    away = ~mask
    away[1:] &= ~mask[:-1]
    away[:-1] &= ~mask[1:]
    spots = [
        (row, column)
        for row, column in zip(*np.nonzero(away), strict=True)
        if not mask[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3].any()
    ]
    found = np.zeros_like(mask)
    found[spots[0]] = True
    return found
