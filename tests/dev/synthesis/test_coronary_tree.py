"""Trees: both arteries, calibres, stenoses."""

import numpy as np
import pytest

from helpers.dev.synthesis.coronary_tree import MURRAY, STEP, VISIBLE_DIAMETER, _Builder, grow
from helpers.dev.synthesis.sequence_parameters import Artery


@pytest.mark.parametrize("side", Artery)
def test_tree_has_main_vessels_and_twigs_that_grow_on_from_their_parents(side):
    vessels, _ = grow(side, 1.0, 1.0, 0.0, np.random.default_rng(1))
    wide = [vessel for vessel in vessels if 2 * np.median(vessel.radii) >= VISIBLE_DIAMETER]
    assert 4 <= len(wide) < len(vessels)
    assert all(vessel.radii.min() > 0 for vessel in vessels)
    assert all((np.diff(vessel.travelled) >= 0).all() for vessel in vessels)
    for vessel in vessels[1:]:
        gaps = [
            np.linalg.norm(other.points - vessel.points[0], axis=1).min() for other in vessels if other is not vessel
        ]
        assert min(gaps) < 2.5


def test_branch_and_what_goes_on_follow_murray():
    builder = _Builder(0.0, np.random.default_rng(0))
    parent = builder.vessel([(0, 90, 1), (0, 60, 1), (0, 20, 1)], 2.0, 1.0)
    before = parent.radii.copy()
    builder.branch(parent, 60, (0.8, 30), 0.6, 1)
    narrowed = parent.radii / before
    assert narrowed[0] == 1
    assert narrowed[-1] ** MURRAY + 0.6**MURRAY == pytest.approx(1)


def test_stenosis_narrows_a_vessel():
    plain, no = grow(Artery.RIGHT, 1.0, 1.0, 0.0, np.random.default_rng(3))
    narrow, yes = grow(Artery.RIGHT, 1.0, 1.0, 1.0, np.random.default_rng(3))
    assert (no, len(yes)) == ((), 1)
    assert narrow[yes[0].vessel].radii[yes[0].narrowest] < plain[yes[0].vessel].radii[yes[0].narrowest]
    ratios = [(b.radii / a.radii).min() for a, b in zip(plain, narrow, strict=True)]
    assert 0.15 < min(ratios) < 0.75
    assert max(np.linalg.norm(np.diff(vessel.points, axis=0), axis=1).mean() for vessel in plain) < 4 * STEP
