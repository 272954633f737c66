"""`gate` records, passes and fails by its exit code."""

import numpy as np

from helpers.evaluation.evaluate import evaluate
from tests.support.vessel_runs import SIDE, write_data, write_run


def test_record_pass_and_fail(call, tmp_path):
    data = write_data(tmp_path / "data")
    truths = {case.case_id: case.truth.mask(SIDE, SIDE) for case in data.cases}
    for run, scores, shift in (("run", "m", 1), ("moved", "n", 3)):
        masks = {case_id: np.roll(mask, shift, axis=1) for case_id, mask in truths.items()}
        evaluate([write_run(tmp_path / run, masks)], data, tmp_path / scores, processes=1)
    assert call("gate", "--baseline", "g.json", "--metrics", "m").code == 2
    ended = call("gate", "--baseline", "g.json", "--metrics", "m", "--update")
    assert ended.code == 0 and f"{len(truths)} cases recorded" in ended.out
    assert call("gate", "--baseline", "g.json", "--metrics", "m").code == 0
    ended = call("gate", "--baseline", "g.json", "--metrics", "n")
    assert ended.code == 1 and "Dice: the mean fell" in ended.out and "gate failed" in ended.out
    assert call("gate", "--baseline", "g.json", "--metrics", "m", "--case-tolerance", "2").code == 2
