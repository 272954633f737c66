"""The local map and its key: made once, private, the same for all processes."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.data.cases import Record
from helpers.data.ids import id_key
from helpers.data.ids.id_key import create_key, default_key_path, fingerprint, read_key
from helpers.data.ids.id_map import map_path, pseudonyms, read_map


def records(*names):
    return tuple(Record(name, Path("/data") / name, patient=name[0]) for name in names)


@pytest.fixture
def key(tmp_path):
    return default_key_path(tmp_path)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_key_and_map_are_private_and_ignored_by_git(key, tmp_path):
    names, mark = pseudonyms(records("a1", "b1"), key, tmp_path)
    assert key == tmp_path / ".vesselkit" / "id.key"
    assert (mode(key), mode(map_path(key))) == (0o600, 0o600)
    assert (key.parent / ".gitignore").read_text() == "*\n"
    assert len(read_key(key)) == 32 and mark == fingerprint(read_key(key)) and len(mark) == 16
    assert read_map(map_path(key)).paths(names[0].case_id) == (tmp_path / "a1",)


def test_a_second_opening_changes_nothing(key, tmp_path):
    first = pseudonyms(records("a1", "b1"), key, tmp_path)
    content = map_path(key).read_bytes(), key.read_bytes()
    assert pseudonyms(records("a1", "b1"), key, tmp_path) == first
    assert (map_path(key).read_bytes(), key.read_bytes()) == content


def test_the_map_survives_added_and_removed_files(key, tmp_path):
    ((first, *_), _) = pseudonyms(records("a1", "b1"), key, tmp_path)
    pseudonyms(records("b1", "c1"), key, tmp_path)
    ((again,), _) = pseudonyms(records("a1"), key, tmp_path)
    assert again == first


def test_names_that_are_no_utf_8_are_kept(key, tmp_path):
    name = os.fsdecode(b"Gef\xe4\xdf \xe2\x82\xac.png")
    (first, second), _ = pseudonyms(records(name, "Gefäß.png"), key, tmp_path)
    assert first != second
    assert read_map(map_path(key)).paths(first.case_id) == (tmp_path / name,)
    assert pseudonyms(records(name, "Gefäß.png"), key, tmp_path)[0] == (first, second)


def test_a_key_is_never_replaced(key, tmp_path):
    pseudonyms(records("a1"), key, tmp_path)
    with pytest.raises(FileExistsError):
        create_key(key)


def test_a_lost_or_changed_key_is_refused(key, tmp_path):
    pseudonyms(records("a1"), key, tmp_path)
    key.write_text("00" * 32)
    with pytest.raises(RefusedInput, match="another key"):
        pseudonyms(records("a1"), key, tmp_path)
    key.write_text("no key")
    with pytest.raises(RefusedInput, match="hexadecimal"):
        pseudonyms(records("a1"), key, tmp_path)
    key.unlink()
    with pytest.raises(RefusedInput, match="missing"):
        pseudonyms(records("a1"), key, tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "vesselkit.id-map", "version": 2}'])
def test_a_damaged_map_is_refused(key, tmp_path, text):
    pseudonyms(records("a1"), key, tmp_path)
    map_path(key).write_text(text)
    with pytest.raises(RefusedInput, match="vesselkit.id-map"):
        pseudonyms(records("a1"), key, tmp_path)


def test_a_read_only_folder_asks_for_another_key_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageProblem, match="--id-key"):
        pseudonyms(records("a1"), tmp_path / "file" / "id.key", tmp_path)


def test_a_complete_map_on_a_read_only_disk_still_opens(key, tmp_path, monkeypatch):
    first = pseudonyms(records("a1"), key, tmp_path)

    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(id_key.FileLock, "acquire", refuse)
    monkeypatch.setattr(id_key.os, "open", refuse)
    assert pseudonyms(records("a1"), key, tmp_path) == first
    with pytest.raises(UsageProblem, match="Read-only"):
        pseudonyms(records("a1", "b1"), key, tmp_path)


@pytest.mark.slow
def test_two_processes_at_once_agree(key, tmp_path):
    program = (
        "import sys; from pathlib import Path; from helpers.data.ids.id_map import pseudonyms; "
        "from helpers.data.cases import Record; names = [f'{n}.png' for n in range(int(sys.argv[2]), 40)]; "
        "found, mark = pseudonyms(tuple(Record(n, Path(n)) for n in names), Path(sys.argv[1]), Path('/data')); "
        "print(mark, *(given.case_id for given in found[-20:]))"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program, str(key), start], stdout=subprocess.PIPE, text=True)
        for start in ("0", "20")
    ]
    one, other = (process.communicate()[0] for process in started)
    assert len(one.split()) == 21 and one == other


def test_a_key_in_a_work_tree_is_ignored_there_and_nothing_else_is(tmp_path):
    (tmp_path / "tree" / ".git").mkdir(parents=True)
    key = tmp_path / "tree" / "keys" / "my[1].key"
    key.parent.mkdir()
    (key.parent / ".gitignore").write_text("*.tmp")
    for _ in range(2):
        pseudonyms(records("a1"), key, tmp_path)
        lines = (key.parent / ".gitignore").read_text().splitlines()
        assert lines == ["*.tmp", r"/my\[1].key", r"/my\[1]-map.json", r"/my\[1].lock"]


def test_git_agrees(tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    pseudonyms(records("a1"), tmp_path / "keys" / "my[1].key", tmp_path)
    (tmp_path / "keys" / "other.key").touch()
    said = subprocess.run(
        ["git", "-C", tmp_path, "status", "--short", "-uall"], capture_output=True, text=True, check=True
    )
    assert said.stdout.split() == ["??", "keys/.gitignore", "??", "keys/other.key"]


def test_outside_of_work_trees_no_file_is_left(tmp_path):
    pseudonyms(records("a1"), tmp_path / "keys" / "my.key", tmp_path)
    assert not (tmp_path / "keys" / ".gitignore").exists()


def test_a_key_that_others_may_read_is_made_private_and_that_is_said(key, tmp_path, caplog):
    pseudonyms(records("a1"), key, tmp_path)
    key.chmod(0o644)
    pseudonyms(records("a1"), key, tmp_path)
    assert mode(key) == 0o600 and "mode 644" in caplog.text and str(tmp_path) not in caplog.text
