"""Trees with one vessel closed: what contrast still reaches."""

from dataclasses import replace

import numpy as np
import pytest

from helpers.dev.synthesis import occlusion
from helpers.dev.synthesis.coronary_tree import Vessel
from helpers.dev.synthesis.lesion import Lesion, LesionKind, shown
from helpers.dev.synthesis.occlusion import THREAD_MM, occlude


def tree() -> list[Vessel]:
    """A main vessel of 100 mm with branches at its start, within what is closed, and at its end; and a branch's own."""
    way = np.arange(0, 100, 0.5)
    line = np.stack([way, 0 * way, 0 * way], axis=1)
    main = Vessel(line, np.full(200, 1.5), way)
    branch = Vessel(line[:40], np.full(40, 0.4), way[:40])
    leaving = [replace(branch, parent=0, start=at) for at in (20, 190)]
    return [main, *leaving, replace(branch, parent=2, start=5)]


@pytest.mark.parametrize("collaterals", [0.0, 1.0])
def test_behind_a_total_occlusion_nothing_or_late_thin_contrast_comes(monkeypatch, collaterals):
    monkeypatch.setattr(occlusion, "COLLATERALS", collaterals)
    (main, before, behind, twig), (lesion,) = occlude(tree(), LesionKind.TOTAL, np.random.default_rng(0))
    assert lesion.kind is LesionKind.TOTAL and 24 <= lesion.first < lesion.narrowest < lesion.last < 190
    assert (main.share[: lesion.first] == 1).all() and (main.share[lesion.first : lesion.last + 1] == 0).all()
    assert before.share is None
    for vessel, cut in ((main, lesion.last + 1), (behind, 0), (twig, 0)):
        assert ((vessel.share[cut:] > 0) == bool(collaterals)).all()
        assert (vessel.late_s[cut:] > 0).all() and (vessel.radii[cut:] < tree()[0].radii[0]).all()


def test_a_subtotal_occlusion_leaves_a_thread():
    (main, *_), (lesion,) = occlude(tree(), LesionKind.SUBTOTAL, np.random.default_rng(0))
    assert main.share is None
    assert THREAD_MM[0] <= 2 * main.radii[lesion.narrowest] <= THREAD_MM[1]
    assert main.radii[0] == main.radii[-1] == 1.5


def test_a_tree_of_thin_vessels_stays_open():
    thin = [replace(one, radii=np.full(len(one.radii), 0.3)) for one in tree()]
    assert occlude(thin, LesionKind.TOTAL, np.random.default_rng(0)) == (tuple(thin), ())


def test_a_lesion_is_shown_with_its_course_and_what_is_filled():
    points = np.stack([np.arange(40.0), np.full(40, 10.5)], axis=1)
    visible = np.arange(40) < 20
    lesion = Lesion(LesionKind.TOTAL, 0, 20, 24, 28)
    found = shown(lesion, points, np.full(40, 2.0), visible, np.ones((24, 48), bool))
    assert (found.place, found.calibre_px, found.reference_px) == ((24.0, 10.5), 0.0, 4.0)
    assert found.across == pytest.approx((0.0, 1.0))
    assert found.course[0].tolist() == [19.0, 10.5] and found.course[-1].tolist() == [29.0, 10.5]
    assert (found.filled, found.filled_beyond) == (True, False)
    closed = shown(lesion, points, np.full(40, 2.0), visible, np.zeros((24, 48), bool))
    assert not closed.filled
