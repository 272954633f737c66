"""The verdict store: nothing is lost, whoever writes and wherever a line was cut."""

import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.review.verdicts import Verdict, VerdictStore, read_lines, read_taken
from tests.review.test_verdicts import record


def test_records_are_there_for_whoever_opens_the_store_next(tmp_path):
    for number in range(3):
        VerdictStore(tmp_path / "v").append(record(number))
    assert VerdictStore(tmp_path / "v").records() == tuple(record(number) for number in range(3))
    assert VerdictStore(tmp_path / "none").records() == ()


@settings(max_examples=30, deadline=None)
@given(cut=st.integers(1, 200))
def test_a_cut_last_line_costs_that_line_alone(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("v")
    store = VerdictStore(folder)
    store.append(record(1))
    whole = (folder / "ann.jsonl").read_bytes()
    store.append(record(2))
    content = (folder / "ann.jsonl").read_bytes()
    cut = min(cut, len(content) - len(whole) - 1)
    (folder / "ann.jsonl").write_bytes(content[:-cut])
    store.append(record(3))
    found = [one.id for one in store.records()]
    kept = [record(2).id] if cut == 1 else []  # only its line feed was lost
    assert found == [record(1).id, *kept, record(3).id]
    assert (folder / "ann.jsonl").read_bytes().startswith(content[:-cut])


def test_reviewers_have_files_of_their_own(tmp_path):
    store = VerdictStore(tmp_path)
    store.append(record(1, reviewer="bob"))
    store.append(record(2, reviewer="ann"))
    assert [one.reviewer for one in store.records()] == ["ann", "bob"]
    assert len(read_lines(tmp_path / "bob.jsonl")) == 1


def test_two_windows_of_one_reviewer_take_turns(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: VerdictStore(tmp_path).append(record(number)), range(24)))
    assert sorted(one.id for one in VerdictStore(tmp_path).records()) == [record(number).id for number in range(24)]


def test_what_is_merged_twice_counts_once(tmp_path):
    store = VerdictStore(tmp_path)
    store.append(record(1))
    assert store.merge([record(1), record(2, verdict=Verdict.FIX), record(3, reviewer="bob")]) == 2
    assert store.merge([record(1), record(2, verdict=Verdict.FIX), record(3, reviewer="bob")]) == 0
    assert len(store.records()) == 3


def test_a_name_that_leads_out_of_the_folder_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UsageProblem, match="reviewer"):
        VerdictStore(tmp_path / "v").merge([record(1), record(2, reviewer="../ann")])
    assert not (tmp_path / "v").exists()


def test_a_file_without_a_record_is_refused(tmp_path):
    (tmp_path / "x.jsonl").write_text("case,verdict\na,accept\n")
    with pytest.raises(RefusedInput, match="expected verdicts"):
        read_lines(tmp_path / "x.jsonl")
    with pytest.raises(RefusedInput, match="Check the path"):
        read_lines(tmp_path / "missing.jsonl")


def test_a_disk_that_is_full_in_the_midst_of_a_line_costs_that_line_alone(tmp_path, monkeypatch):
    store = VerdictStore(tmp_path)
    store.append(record(1))
    real = Path.open

    class Full:
        """A file on a disk that takes 20 bytes more."""

        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, content):
            self.file.write(content[:20])
            self.file.flush()
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", lambda path, mode, **rest: Full(real(path, mode, **rest)))
        with pytest.raises(OSError, match="No space left"):
            store.append(record(2))
    store.append(record(3))
    assert [one.id for one in store.records()] == [record(1).id, record(3).id]


def test_a_file_that_windows_wrote_is_read(tmp_path):
    (tmp_path / "ann.jsonl").write_bytes(b"".join(record(n).to_line().replace("\n", "\r\n").encode() for n in (1, 2)))
    store = VerdictStore(tmp_path)
    store.append(record(3))
    assert store.records() == (record(1), record(2), record(3))


def test_a_file_from_elsewhere_with_a_time_of_no_moment_is_refused_whole_a_cut_line_is_passed_over(tmp_path, caplog):
    path = tmp_path / "downloaded.jsonl"
    timeless = record(2).to_line().replace(record(2).time, "May 1st")
    path.write_text(record(1).to_line() + timeless + record(3).to_line()[:50])
    with pytest.raises(
        RefusedInput, match="downloaded.jsonl: line 2: time: expected a moment .* got 'May 1st'.* 1 line,"
    ):
        read_taken(path)
    assert read_lines(path) == (record(1),)  # in a store it is one of the damaged lines
    path.write_text(record(1).to_line() + record(3).to_line()[:50])
    caplog.clear()
    assert read_taken(path) == (record(1),) and "1 line cut" in caplog.text
