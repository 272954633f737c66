"""Fixed batches, and which shard or rank takes which."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from helpers.core.errors import UsageProblem
from helpers.core.vocabulary import Launcher
from helpers.data.frames.frame import Frame
from helpers.prediction.work_shards import Process, WorkShard, fixed_batches, launched, parse_shard

TORCHRUN = {"RANK": "1", "WORLD_SIZE": "4", "LOCAL_RANK": "1"}


def frames(count):
    return [Frame(f"c{index}", Path("x.png")) for index in range(count)]


def test_batches_are_consecutive_and_the_last_is_short():
    found = fixed_batches(frames(5), 2)
    assert [[frame.case_id for frame in batch] for batch in found] == [["c0", "c1"], ["c2", "c3"], ["c4"]]
    assert fixed_batches([], 2) == ()


@given(st.integers(0, 40), st.integers(1, 9), st.integers(1, 7))
def test_shards_take_every_batch_once(count, size, shards):
    batches = fixed_batches(frames(count), size)
    taken = [
        place for index in range(shards) for place in range(len(batches)) if WorkShard(index + 1, shards).takes(place)
    ]
    assert sorted(taken) == list(range(len(batches)))
    assert [frame for batch in batches for frame in batch] == frames(count)


def test_the_first_of_four_takes_every_fourth_batch():
    assert [place for place in range(9) if parse_shard("1/4").takes(place)] == [0, 4, 8]
    assert str(parse_shard(" 4/4 ")) == "4/4"


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "a/b", "-1/4", "1/0", "1/4/2", ""])
def test_shards_that_cannot_be_are_refused(text):
    with pytest.raises(UsageProblem, match="shard: expected I/N"):
        parse_shard(text)


def test_torchrun_is_known_by_its_variables():
    assert launched(Launcher.NONE, {}) is None
    assert launched(Launcher.NONE, {**TORCHRUN, "WORLD_SIZE": "1", "RANK": "0"}) is None
    for launcher in (Launcher.NONE, Launcher.PYTORCH):
        found = launched(launcher, TORCHRUN)
        assert found == Process(1, 4, 1) and found.shard == WorkShard(2, 4)


def test_slurm_is_asked_only_on_request():
    variables = {"SLURM_PROCID": "2", "SLURM_NTASKS": "3", "SLURM_LOCALID": "0"}
    assert launched(Launcher.NONE, variables) is None
    assert launched(Launcher.SLURM, variables).shard == WorkShard(3, 3)


@pytest.mark.parametrize("launcher, missing", [(Launcher.PYTORCH, "RANK"), (Launcher.SLURM, "SLURM_PROCID")])
def test_a_launcher_that_started_nothing_is_refused(launcher, missing):
    with pytest.raises(UsageProblem, match=f"launcher {launcher}: .* found no {missing}"):
        launched(launcher, {})


def test_processes_of_a_machine_take_its_gpus_in_turn(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [Process(rank, 3, rank).device("auto") for rank in range(3)] == ["cuda:0", "cuda:1", "cuda:0"]
    assert Process(1, 2, 1).device("cpu") == "cpu" and Process(0, 2, 0).device("cuda:1") == "cuda:1"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Process(1, 2, 1).device("auto") == "auto"
