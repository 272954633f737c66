"""What a split by frames adds: everything to a method that remembers patients; and the two methods on tiny frames."""

import numpy as np
import pytest

from helpers.metrics.intervals import Method
from scripts import frame_split_study as study

PATIENTS = np.repeat(np.arange(10), 4)


def test_a_method_that_remembers_patients_is_flattered():
    truths = np.zeros((40, 4, 4), bool)
    truths[:, :2] = True
    learnt_units = []

    def remembers(learnt, scored):
        learnt_units.append((set(learnt), set(scored)))
        return truths[scored] & np.isin(PATIENTS[scored], PATIENTS[learnt])[:, None, None]

    by_frames, by_patients, added = study.flattery(study.Drawn(PATIENTS, truths * 1.0, truths), remembers)
    assert (by_frames.estimate, by_patients.estimate, added.estimate) == (1, 0, 1) and added.method is Method.EQUAL
    assert len(learnt_units) == 10 and all(not learnt & scored for learnt, scored in learnt_units)
    assert sorted(frame for _, scored in learnt_units[:5] for frame in scored) == list(range(40))


@pytest.mark.parametrize("folds", [study.frangi_folds, study.forest_folds])
def test_the_methods_learn_from_the_frames_that_they_are_given(monkeypatch, folds):
    for name, value in (("SIDE", 32), ("TREES", 3), ("SAMPLED", 200), ("THRESHOLDS", np.array([0.1, 0.5]))):
        monkeypatch.setattr(study, name, value)
    drawn = study.draw(2, 2)
    masks = folds(drawn)(np.arange(len(drawn.truths) - 1), np.array([len(drawn.truths) - 1]))
    assert masks.shape == (1, 32, 32) and masks.dtype == bool
