"""Results are complete or absent."""

import errno
import json
import os
import subprocess
import sys

import pytest

from helpers.core import atomic
from helpers.core.atomic import (
    partial_folder,
    replacing_folder,
    require_free_space,
    require_writable,
    write_bytes_atomic,
    write_json_atomic,
    write_text_atomic,
)
from helpers.core.errors import RefusedInput, UsageProblem


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "new" / "result"
    with partial_folder(target) as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "a.txt").write_text("a")
        assert not target.exists() and folder.parent == target.parent and folder.name.startswith(".partial-result-")
    assert (target / "deep" / "a.txt").read_text() == "a"
    assert names(target.parent) == ["result"]


@pytest.mark.parametrize("raised", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_is_left_after_an_exception(tmp_path, raised):
    with pytest.raises(raised), partial_folder(tmp_path / "result") as folder:
        (folder / "a.txt").write_text("a")
        raise raised
    assert names(tmp_path) == []


def test_an_empty_target_is_taken_and_a_full_one_refused_before_any_work(tmp_path):
    (tmp_path / "empty").mkdir()
    with partial_folder(tmp_path / "empty") as folder:
        (folder / "a.txt").write_text("a")
    assert names(tmp_path / "empty") == ["a.txt"]
    for taken in (tmp_path / "empty", tmp_path / "empty" / "a.txt"):
        with pytest.raises(RefusedInput, match="exists already"), partial_folder(taken):
            pytest.fail("the block ran")
    assert names(tmp_path) == ["empty"] and names(tmp_path / "empty") == ["a.txt"]


def test_a_target_filled_meanwhile_is_not_replaced(tmp_path):
    with pytest.raises(RefusedInput, match="exists already"), partial_folder(tmp_path / "result"):
        (tmp_path / "result").mkdir()
        (tmp_path / "result" / "theirs").write_text("b")
    assert names(tmp_path) == ["result"] and names(tmp_path / "result") == ["theirs"]


def test_a_parent_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    wanted = r"file: cannot be written .*name another folder"
    with pytest.raises(RefusedInput, match=wanted), partial_folder(tmp_path / "file" / "result"):
        pytest.fail("the block ran")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, number):
    wanted = f"{tmp_path.name}: the disk became full; nothing was kept"
    with pytest.raises(RefusedInput, match=wanted), partial_folder(tmp_path / "result") as folder:
        (folder / "a.txt").write_text("a")
        raise OSError(number, os.strerror(number))
    assert names(tmp_path) == []


def test_other_system_errors_go_on(tmp_path):
    with pytest.raises(PermissionError), partial_folder(tmp_path / "result"):
        raise PermissionError(errno.EACCES, "no")
    assert names(tmp_path) == []


def test_a_killed_process_leaves_no_result(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; from helpers.core.atomic import partial_folder\n"
        "with partial_folder(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'a').write_text('a')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path / "result")], check=False)
    assert ended.returncode != 0
    assert not (tmp_path / "result").exists()
    assert all(name.startswith(".partial-") for name in names(tmp_path))


def test_what_a_killed_process_left_is_told_of_with_its_size(tmp_path, caplog):
    (tmp_path / ".partial-result-0123abcd").mkdir()
    with (tmp_path / ".partial-result-0123abcd" / "weights").open("wb") as file:
        file.truncate(1_500_000_000)
    (tmp_path / ".partial-result-2-0123abcd").mkdir()  # of another target
    with partial_folder(tmp_path / "result"):
        pass
    (record,) = caplog.records
    assert ".partial-result-0123abcd (1.5 GB) was left by a process that was killed" in record.getMessage()
    assert "Remove it" in record.getMessage() and (tmp_path / ".partial-result-0123abcd").is_dir()


def test_a_replaced_folder_holds_the_new_files_alone(tmp_path):
    for name in ("a", "b"):
        with replacing_folder(tmp_path / "result") as folder:
            (folder / name).write_text(name)
    assert names(tmp_path) == ["result"] and names(tmp_path / "result") == ["b"]


def test_two_that_replace_one_folder_at_once_leave_one_whole_result(tmp_path, caplog):
    with replacing_folder(tmp_path / "result") as first:
        (first / "a").write_text("a")
        with replacing_folder(tmp_path / "result") as second:
            (second / "b").write_text("b")
        assert names(tmp_path / "result") == ["b"]
    assert names(tmp_path) == ["result"] and names(tmp_path / "result") == ["a"]
    assert "or another process is writing it now" in caplog.text


@pytest.mark.parametrize("fails", [1, 2])
def test_an_earlier_folder_stays_where_it_cannot_be_replaced(tmp_path, monkeypatch, fails):
    (tmp_path / "result").mkdir()
    (tmp_path / "result" / "earlier").write_text("a")
    replace, calls = os.replace, []

    def refuse(source, target):
        calls.append(source)
        if len(calls) == fails:
            raise OSError(errno.EIO, "the disk failed")
        replace(source, target)

    monkeypatch.setattr(atomic.os, "replace", refuse)
    with pytest.raises(OSError, match="the disk failed"), replacing_folder(tmp_path / "result") as folder:
        (folder / "new").write_text("b")
    assert names(tmp_path) == ["result"] and names(tmp_path / "result") == ["earlier"]


def test_a_place_that_cannot_be_written_is_told_before_any_work(tmp_path):
    require_writable(tmp_path / "not" / "yet" / "result")
    assert names(tmp_path) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(RefusedInput, match=r"file: cannot be written \(Not a directory\); name another folder"):
        require_writable(tmp_path / "file" / "result")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc, which nobody can write to")
def test_a_read_only_place_is_refused():
    for check in (require_writable, lambda path: partial_folder(path).__enter__()):
        with pytest.raises(RefusedInput, match=r"/proc: cannot be written .*; name another folder"):
            check(atomic.Path("/proc/result"))


def test_files_are_written_whole(tmp_path):
    write_bytes_atomic(tmp_path / "b", b"\x00\xff")
    write_text_atomic(tmp_path / "t", "é\n")
    write_json_atomic(tmp_path / "j", {"b": 1, "a": ["é", None]})
    assert (tmp_path / "b").read_bytes() == b"\x00\xff"
    assert (tmp_path / "t").read_bytes() == "é\n".encode()
    assert (tmp_path / "j").read_text(encoding="utf-8") == '{\n "b": 1,\n "a": [\n  "é",\n  null\n ]\n}\n'
    assert names(tmp_path) == ["b", "j", "t"]


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "value.json"
    write_json_atomic(path, 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json_atomic(path, float("nan"))

    def fail(handle):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(atomic.os, "fsync", fail)
    with pytest.raises(OSError, match="full") as raised:
        write_json_atomic(path, 2)
    assert raised.value.filename == str(path)
    assert json.loads(path.read_text()) == 1 and names(tmp_path) == ["value.json"]


def test_too_little_space_is_said_with_both_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 3_500_000_000}))
    require_free_space(tmp_path, 3_500_000_000, "the weights")
    wanted = r"/out: the weights needs 16.0 GB, 3.5 GB are free"
    for folder in (tmp_path / "out", tmp_path / "out" / ".partial-model-1a2b"):
        with pytest.raises(RefusedInput, match=wanted):
            require_free_space(folder, 16_000_000_000, "the weights")


def test_space_is_asked_of_the_nearest_folder_that_exists(tmp_path):
    require_free_space(tmp_path / "not" / "yet", 1, "a byte")


def test_links_stay_and_what_they_lead_to_is_written(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "file").write_text("old")
    for name, target in (("folder", "real"), ("link", "file"), ("away", "nowhere")):
        (tmp_path / name).symlink_to(target)
    with partial_folder(tmp_path / "folder") as partial:
        (partial / "a").write_text("1")
    with replacing_folder(tmp_path / "folder") as partial:
        (partial / "b").write_text("2")
    write_text_atomic(tmp_path / "link", "new")
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["b"] and (tmp_path / "file").read_text() == "new"
    assert (tmp_path / "folder").is_symlink() and (tmp_path / "link").is_symlink()
    for write in (partial_folder, replacing_folder):
        with pytest.raises(UsageProblem, match="leads to nothing"), write(tmp_path / "away"):
            pytest.fail("the work was begun")
    for refuse in (lambda: write_text_atomic(tmp_path / "away", ""), lambda: require_writable(tmp_path / "away")):
        with pytest.raises(UsageProblem, match="leads to nothing"):
            refuse()
    assert not (tmp_path / "nowhere").exists()
