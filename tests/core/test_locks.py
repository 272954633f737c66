"""One process at a time, and the next one after it."""

import multiprocessing
import os
import signal

import pytest

from helpers.core.errors import VesselkitError
from helpers.core.processes import only_process


def hold(folder, held):
    with only_process(folder, "trains"):
        held.set()
        signal.pause()


def test_a_second_holder_is_refused_at_once_with_what_to_do(tmp_path):
    with only_process(tmp_path / "new" / "work", "trains"), pytest.raises(VesselkitError) as raised:
        only_process(tmp_path / "new" / "work", "trains").__enter__()
    assert str(raised.value) == f"{tmp_path}/new/work: another process trains here; wait for it, or name another folder"
    with only_process(tmp_path / "new" / "work", "trains"), only_process(tmp_path / "other", "trains"):
        pass


def test_a_killed_holder_holds_no_more(tmp_path):
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=hold, args=(tmp_path, held))
    process.start()
    assert held.wait(30)
    with pytest.raises(VesselkitError):
        only_process(tmp_path, "trains").__enter__()
    os.kill(process.pid, signal.SIGKILL)
    process.join(10)
    with only_process(tmp_path, "trains"):
        pass
