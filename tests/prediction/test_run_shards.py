"""A run that several processes share."""

import pytest

from helpers.core.errors import VesselkitError
from helpers.prediction.work_shards import WorkShard, shard_lock
from tests.support.plain_predictor import MARKS, PlainPredictor, compute
from tests.support.run_files import run_files


def test_shards_say_it_of_their_own_cases_and_the_last_one_of_the_run(frames, tmp_path):
    """Of batches of 2 the first shard has the first and third, the second shard the others."""
    failing = PlainPredictor(dict.fromkeys((1, 2, 5, 6), ValueError("no")))
    first = compute(frames, tmp_path / "run", failing, shard=WorkShard(1, 2))
    assert not first.complete and first.failure.startswith("c01, error") and "every case ended" in first.to_text()
    last = compute(frames, tmp_path / "run", failing, shard=WorkShard(2, 2))
    assert last.complete and last.failure is None
    every = PlainPredictor(dict.fromkeys(MARKS, ValueError("no")))
    both = [compute(frames, tmp_path / "all", every, shard=WorkShard(number, 2)) for number in (1, 2)]
    assert all(one.failure.startswith("c0") for one in both) and both[1].complete
    idle = compute(frames[:2], tmp_path / "idle", every, shard=WorkShard(2, 2))
    assert not idle.complete and idle.failure is None, "a share without a case says nothing"


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2)])
def test_shards_together_equal_one_process(frames, tmp_path, order):
    compute(frames, tmp_path / "whole")
    ended = [compute(frames, tmp_path / "run", shard=WorkShard(index, 3)).complete for index in order]
    assert ended == [False, False, True]
    assert run_files(tmp_path / "run") == run_files(tmp_path / "whole")


def test_a_shard_of_nothing_is_done_at_once(frames, tmp_path):
    summary = compute(frames[:2], tmp_path / "run", shard=WorkShard(2, 2))
    assert not summary.complete and "the other shards" in summary.to_text()


def test_a_second_process_on_a_shard_is_refused(frames, tmp_path):
    compute(frames, tmp_path / "run", shard=WorkShard(1, 2))
    with shard_lock(tmp_path / "run", 2, 2), pytest.raises(VesselkitError):
        compute(frames, tmp_path / "run", shard=WorkShard(2, 2))
    assert compute(frames, tmp_path / "run", shard=WorkShard(2, 2)).complete
