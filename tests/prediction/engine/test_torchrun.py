"""Two processes under torchrun share a run, and give what one process gives."""

import os
import signal
import sys
import time

import psutil
import pytest

from helpers.runs.run_folder import open_run
from tests.support.fixture_model import COMMAND, command, draw_angiograms, run, start
from tests.support.run_files import run_files

pytestmark = [pytest.mark.slow, pytest.mark.longest]


@pytest.fixture(scope="module")
def arguments(fixture_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("torchrun")
    data = draw_angiograms(folder / "data", 8)
    given = ("predict", "--model", fixture_folder, "--data", data, "--batch-size", "2", "--output")
    run(command(*given, folder / "whole"))
    return given, folder / "whole"


def torchrun(*arguments):
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python"]
    return [*launch, *COMMAND, *map(str, arguments)]


def test_two_ranks_give_what_one_process_gives(arguments, tmp_path):
    given, whole = arguments
    said = run(torchrun(*given, tmp_path / "run"))
    assert "8 cases: 8 ok" in said
    assert run_files(tmp_path / "run") == run_files(whole)
    assert open_run(tmp_path / "run").table().equals(open_run(whole).table())
    assert len(list((tmp_path / "run/locks").glob("shard-*-of-2.lock"))) == 2


@pytest.mark.endurance
def test_a_rank_that_dies_leaves_a_run_to_go_on_with(arguments, tmp_path):
    given, whole = arguments
    process = start(torchrun(*given, tmp_path / "run"))
    until = time.monotonic() + 120
    while not list((tmp_path / "run").glob("parts/*.json")):
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    ranks = psutil.Process(process.pid).children()
    assert len(ranks) == 2
    os.kill(ranks[1].pid, signal.SIGKILL)
    process.communicate(timeout=120)
    assert process.returncode != 0 and not (tmp_path / "run/manifest.json").exists()
    said = run(torchrun(*given, tmp_path / "run", "--launcher", "pytorch"))  # before, the ranks counted unnamed
    assert "8 cases: 8 ok" in said
    assert run_files(tmp_path / "run") == run_files(whole)
    assert open_run(tmp_path / "run").table().equals(open_run(whole).table())
    assert sorted(path.name for path in (tmp_path / "run/locks").glob("shard-*")) == [
        "shard-1-of-2.lock",
        "shard-2-of-2.lock",
    ]
