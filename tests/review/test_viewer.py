"""The viewer's arithmetic in a browser is that of Python, pixel for pixel."""

import base64
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation

from helpers.core.vocabulary import Combine, QueueOrder
from helpers.review.logit_coding import coded_map
from helpers.review.payload import maps_json, packed
from helpers.review.session import ReviewCase, ReviewSession
from helpers.review.verdicts import VerdictStore, moment_of
from helpers.review.viewer_facts import viewer_module
from helpers.runs.stored_maps import StoredLogits, Upsampling, round_for_storage
from tests.review.test_session import CASES
from tests.review.test_verdicts import MOMENTS, NO_MOMENTS
from tests.support.review_runs import smooth_logits, tube, two_step

THRESHOLDS = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.123, 1 / 3]
NONE = Upsampling.NONE
MASKS = """const [maps, width, height, thresholds] = given;
    const full = await kit.fullSize(maps, width, height);
    return thresholds.map((threshold) => {
        const mask = kit.maskAt(full, threshold), packed = new Uint8Array(Math.ceil(mask.length / 8));
        mask.forEach((value, i) => { packed[i >> 3] |= value << (7 - (i & 7)); });
        return Array.from(packed);
    });"""


@pytest.fixture(scope="module")
def call(browser):
    """`call(name, arguments)`: what a function of the module gives; typed arrays as lists."""
    page = browser.new_page()
    module = base64.b64encode(viewer_module().encode()).decode()
    page.evaluate(
        "async (source) => { globalThis.kit = await import(`data:text/javascript;base64,${source}`); }", module
    )
    yield lambda body, *given: page.evaluate(f"async (given) => {{ {body} }}", list(given))
    page.close()


@pytest.mark.parametrize(
    "stored",
    [
        two_step(smooth_logits(0)),
        two_step(smooth_logits(1, count=2, grid=32), width=130, height=57, network=64),
        two_step(smooth_logits(2, grid=256), width=512, height=512, network=1024),
        two_step(
            round_for_storage(np.random.default_rng(0).normal(0, 6, (1, 16, 16))), width=40, height=40, network=32
        ),
        StoredLogits(smooth_logits(3), Upsampling.NONE, None, 64, 64),
    ],
    ids=["grid", "two maps", "real size", "noise", "frame size"],
)
def test_masks_are_those_of_python_at_every_threshold(call, stored):
    coded = coded_map(stored, Combine.UNION, [None] * len(stored.logits))
    found = call(MASKS, maps_json(coded), stored.width, stored.height, THRESHOLDS)
    for threshold, bits in zip(THRESHOLDS, found, strict=True):
        mask = np.unpackbits(np.array(bits, np.uint8), count=stored.width * stored.height)
        assert np.array_equal(mask.reshape(stored.height, stored.width), coded.mask(threshold)), threshold


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(1, 3),
    sizes=st.tuples(*[st.integers(2, 24)] * 4),
    spread=st.floats(0.01, 40),
    thresholds=st.lists(st.floats(0.001, 0.999), min_size=1, max_size=6),
    resampled=st.booleans(),
)
def test_any_mask_is_that_of_python_at_any_threshold(call, seed, count, sizes, spread, thresholds, resampled):
    width, height, grid, network = sizes
    shape = (count, grid, grid) if resampled else (count, height, width)
    maps = round_for_storage(np.random.default_rng(seed).normal(0, spread, shape))
    stored = two_step(maps, width, height, network) if resampled else StoredLogits(maps, NONE, None, width, height)
    coded = coded_map(stored, Combine.UNION, [None] * count)
    found = call(MASKS, maps_json(coded), width, height, thresholds)
    for threshold, bits in zip(thresholds, found, strict=True):
        mask = np.unpackbits(np.array(bits, np.uint8), count=width * height).reshape(height, width)
        assert np.array_equal(mask, coded.mask(threshold)), threshold


def test_scores_count_pixels(call):
    truth, mask = tube(0.1), tube(0.15)
    counts, scores = call(
        """const [truth, mask, count] = given;
        const counts = kit.countsOf(await kit.unpackedMask(truth, count), await kit.unpackedMask(mask, count));
        return [counts, kit.scoresOf(counts)];""",
        packed(truth), packed(mask), truth.size,
    )  # fmt: skip
    both = (truth & mask).sum()
    assert counts[1:] == [(mask & ~truth).sum(), (truth & ~mask).sum(), both]
    assert scores["dice"] == pytest.approx(2 * both / (truth.sum() + mask.sum()))
    assert scores["precision"] == pytest.approx(both / mask.sum())
    assert scores["recall"] == pytest.approx(both / truth.sum())


def test_scores_of_empty_masks_are_those_of_the_evaluation(call):
    found = call("return [[9, 0, 0, 0], [9, 2, 0, 0], [9, 0, 2, 0]].map(kit.scoresOf);")
    assert found == [
        {"dice": 1, "precision": None, "recall": None},
        {"dice": 0, "precision": 0, "recall": None},
        {"dice": 0, "precision": None, "recall": 0},
    ]


@pytest.mark.parametrize("seed", range(4))
def test_an_outline_lies_around_its_mask(call, seed):
    mask = np.random.default_rng(seed).random((17, 23)) < 0.02
    mask[0, 0] = mask[16, 22] = seed == 0
    for width in (1, 2, 5):
        found = call(
            """const [text, width] = given;
            return Array.from(kit.outlineOf(kit.distancesTo(await kit.unpackedMask(text, 391), 23, 17), width));""",
            packed(mask), width,
        )  # fmt: skip
        wanted = binary_dilation(mask, np.ones((3, 3)), iterations=width) & ~mask
        assert np.array_equal(np.reshape(found, (17, 23)).astype(bool), wanted)


def test_the_queue_is_that_of_the_session(call, tmp_path):
    nothing = [
        ReviewCase(f"c{at}", None, None, None, "ok", {"dice": 1.0, "hd95_px": 0.0}, empty=True) for at in (11, 5)
    ]
    every = (*CASES, *nothing)
    session = ReviewSession(every, VerdictStore(tmp_path), "ann", "run", "p1", frozenset({"hd95_px"}))
    mixed = sorted(every, key=lambda case: session.queue.index(case.case_id))
    cases = [
        {
            "case_id": c.case_id,
            "scores": {k: v for k, v in c.scores.items() if v is not None and v == v},
            "empty": c.empty,
        }
        for c in mixed
    ]
    for order in QueueOrder:
        for metric in ("dice", "hd95_px"):
            session.arrange(order, metric)
            found = call(
                "return kit.arranged(...given, () => true).map((one) => one.case_id);",
                cases, order.value, metric, metric == "hd95_px",
            )  # fmt: skip
            assert tuple(found) == session.queue, (order, metric)


def test_a_record_is_later_than_those_before_whatever_the_clock_says(call):
    body = """const [times, now] = given;
        return kit.timeAfter(times.map((time) => ({ time })), new Date(now));"""
    now, later = "2026-05-01T12:00:00.000Z", "2027-05-01T12:00:00.000Z"
    assert call(body, [], now) == now
    assert call(body, ["2025-05-01T12:00:00.000Z", now], later) == later
    assert call(body, [later, now], now) == "2027-05-01T12:00:00.001Z"
    assert call(body, ["2026-05-01T14:00:00.000+02:00"], now) == "2026-05-01T12:00:00.001Z"
    assert call(body, ["2026-05-01T13:00:00.000+02:00"], now) == now


def test_a_moment_is_that_of_the_records(call):
    body = "return given[0].map(kit.momentOf).map((found) => (Number.isNaN(found) ? null : found));"
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    wanted = [(moment_of(time) - epoch) // timedelta(microseconds=1) for time in MOMENTS]
    assert call(body, [*MOMENTS, *NO_MOMENTS]) == [*wanted, *[None] * len(NO_MOMENTS)]
