"""Cases settled while others are computed."""

import shutil
import time

import pytest

from helpers.runs import finishing
from helpers.runs.case_parts import done_part, mask_name, part_path
from helpers.runs.finishing import finish_run
from helpers.runs.run_config import read_config
from helpers.runs.run_folder import open_run
from helpers.runs.settling import Settling
from tests.support.small_run import CASES, write_run


@pytest.fixture
def run(tmp_path):
    """A run of three cases, and the mark of its configuration."""
    folder = write_run(tmp_path / "run")
    return folder, read_config(folder).config_sha256


def settled(folder, mark, own=CASES, others=()):
    """What the end of a block finds, once all cases could be settled."""
    with Settling(folder, mark, (), others) as settling:
        for case_id in own:
            settling.put(case_id)
        end = time.monotonic() + 20
        while time.monotonic() < end and not all(settling.part(case_id) for case_id in (*own, *others)):
            time.sleep(0.01)
    return settling


def test_the_parts_of_settled_cases_are_those_of_the_folder(run):
    folder, mark = run
    settling = settled(folder, mark, own="ab", others="c")
    assert [settling.part(case_id) for case_id in CASES] == [done_part(folder, mark, case_id) for case_id in CASES]
    assert settling.part("d") is None


def test_a_case_written_again_or_losing_a_file_is_not_settled(run):
    folder, mark = run
    settling = settled(folder, mark)
    again = part_path(folder, "a").read_bytes()
    part_path(folder, "a").unlink()
    part_path(folder, "a").write_bytes(again)
    (folder / mask_name("b", "p1")).unlink()
    assert [settling.part(case_id) is not None for case_id in "abc"] == [False, False, True]


def test_a_damaged_case_is_left_to_the_end(run):
    folder, mark = run
    (folder / mask_name("a", "p1")).write_bytes(b"other")
    with Settling(folder, mark, ()) as settling:
        settling.put("a")
        settling.put("b")
        end = time.monotonic() + 20
        while settling.part("b") is None and time.monotonic() < end:
            time.sleep(0.01)
    assert settling.part("a") is None and settling.part("b") is not None


def test_a_run_is_finished_as_without_and_reads_no_settled_case_again(run, tmp_path, monkeypatch):
    folder, mark = run
    other = shutil.copytree(folder, tmp_path / "other")
    settling = settled(folder, mark)
    read = []
    monkeypatch.setattr(finishing, "done_part", lambda *given: read.append(given))
    assert finish_run(folder, CASES, {}, settled=settling.part)
    assert not read
    monkeypatch.undo()
    assert finish_run(other, CASES, {})
    assert open_run(folder).manifest["files"] == open_run(other).manifest["files"]
