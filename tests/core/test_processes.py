"""Work on several processes: in order, and never a process that nobody waits for."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from helpers.core.errors import RefusedInput, VesselkitError
from helpers.core.processes import parallel_map

SLOW = (
    "import time\n"
    "from helpers.core.processes import parallel_map\n"
    "from tests.core.test_processes import wait\n"
    "if __name__ == '__main__':\n"
    "    list(parallel_map(wait, [60] * 4, 2))\n"
)


def double(key):
    if key == "refused":
        raise RefusedInput("expected a number")
    if key == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if key == "memory":
        raise MemoryError
    return 2 * key


def wait(seconds):
    time.sleep(seconds)


@pytest.mark.slow
def test_results_come_in_the_order_of_the_keys():
    assert list(parallel_map(double, range(7), 2, chunk=3)) == [0, 2, 4, 6, 8, 10, 12]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        ("refused", RefusedInput, "expected a number"),
        ("killed", VesselkitError, r"one of 2 processes was killed, .* the memory ran out; .*--processes 1"),
        ("memory", VesselkitError, r"the memory ran out in one of 2 processes; nothing was written.*--processes 1"),
    ],
)
def test_what_goes_wrong_in_a_process_is_told(key, error, message):
    with pytest.raises(error, match=message):
        list(parallel_map(double, [1, key, 2], 2))


@pytest.mark.slow
def test_processes_end_with_the_one_that_was_killed(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(SLOW)
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((root, os.environ["PYTHONPATH"]))}
    process = subprocess.Popen([sys.executable, str(program)], env=environment)
    end = time.monotonic() + 60
    found = []
    while len(found) < 2 and time.monotonic() < end:
        time.sleep(0.05)
        children = psutil.Process(process.pid).children(recursive=True)
        found = [one for one in children if "spawn_main" in " ".join(one.cmdline())]
    time.sleep(1)  # so that they are at work
    process.kill()
    process.wait(10)
    assert len(found) == 2 and not psutil.wait_procs(found, timeout=60)[1]
