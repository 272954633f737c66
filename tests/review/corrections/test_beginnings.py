"""Where a correction begins, and what its record says of that."""

import numpy as np
import pytest

from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import BeganFrom
from helpers.metrics.case_scores import mask_digest
from helpers.review.corrections.beginnings import beginning
from helpers.review.corrections.record import Base, CorrectionTool
from helpers.review.review_source import open_source
from tests.support.review_runs import (
    BROKEN,
    FAILED,
    GRIDDED,
    HEIGHT,
    NO_TRUTH,
    WIDTH,
    predict_again,
    write_data,
    write_run,
)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("begin")
    return open_source(write_run(folder / "run"), write_data(folder / "data"))


def test_a_prediction_is_named_by_what_the_run_said(source):
    found = beginning(source, GRIDDED, BeganFrom.PREDICTION)
    run = source.scored_runs[0].run
    predicted = run.mask(GRIDDED, "p1")
    assert np.array_equal(found.mask, predicted)
    assert found.base == Base(
        BeganFrom.PREDICTION, mask_digest(predicted), source.run, run.config.config_sha256, "p1",
        run.fingerprint(GRIDDED, "p1"), None,
    )  # fmt: skip


def test_truth_and_empty(source):
    truth = next(case.truth for case in source.dataset.cases if case.case_id == GRIDDED).mask(WIDTH, HEIGHT)
    found = beginning(source, GRIDDED, BeganFrom.TRUTH)
    assert np.array_equal(found.mask, truth) and found.base == Base(BeganFrom.TRUTH, mask_digest(truth))
    found = beginning(source, GRIDDED, BeganFrom.EMPTY)
    assert found.mask.shape == (HEIGHT, WIDTH) and not found.mask.any() and found.base == Base(BeganFrom.EMPTY)


@pytest.mark.parametrize(
    ("case_id", "began_from", "words"),
    [
        (FAILED, BeganFrom.PREDICTION, "expected a prediction to begin from, found none"),
        (NO_TRUTH, BeganFrom.TRUTH, "expected a truth to begin from, found none"),
        (BROKEN, BeganFrom.EMPTY, "cannot be read"),
        (GRIDDED, BeganFrom.CARRIED, "a carried mask is a reader's own"),
    ],
)
def test_there_may_be_nothing_to_begin_from(source, case_id, began_from, words):
    with pytest.raises(UsageProblem, match=words):
        beginning(source, case_id, began_from)


def test_the_record_is_of_the_frame_and_comes_after_the_readers_others(source):
    found = beginning(source, GRIDDED, BeganFrom.TRUTH)
    first = found.record("ann", ~found.mask, seconds=2, tools=[CorrectionTool.BRUSH] * 2, truth_seen=True)
    assert (first.width, first.height, first.tools, first.seconds) == (WIDTH, HEIGHT, (CorrectionTool.BRUSH,), 2)
    assert first.mask_sha256 == mask_digest(~found.mask)
    second = found.record("ann", None, after=[first])
    assert second.moment > first.moment and second.mask_sha256 is None


def test_mending_another_frame_leaves_what_it_began_from(tmp_path):
    data, run = write_data(tmp_path / "data"), write_run(tmp_path / "run")
    before = beginning(open_source(run, data), GRIDDED, BeganFrom.PREDICTION).base
    after = beginning(open_source(predict_again(run, FAILED), data), GRIDDED, BeganFrom.PREDICTION).base
    assert (after.prediction, after.config, after.mask_sha256) == (before.prediction, before.config, before.mask_sha256)
    assert after.run != before.run
