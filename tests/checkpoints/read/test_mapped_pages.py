"""A file that goes away while it is mapped is told of, not answered with the end of the process."""

import errno
import mmap
import os
import sys
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from helpers.checkpoints.read import weight_file
from helpers.checkpoints.read.weight_file import bring_in, map_bytes, open_weight_file
from helpers.core.errors import RefusedInput

VALUES = torch.arange(40_000, dtype=torch.float32)

on_linux = pytest.mark.skipif(
    sys.platform != "linux" or tuple(map(int, os.uname().release.split(".")[:2])) < (5, 14),
    reason="only Linux since 5.14 reads pages beforehand",
)


def test_mapped_bytes_are_those_of_the_file(tmp_path):
    (tmp_path / "x").write_bytes(bytes(range(256)))
    found = map_bytes(tmp_path / "x", 256)
    bring_in(found[3:9], tmp_path / "x")
    bring_in(found[:0], tmp_path / "x")
    assert found.tolist() == list(range(256))


def test_what_is_written_into_mapped_bytes_stays_out_of_the_file(tmp_path):
    (tmp_path / "x").write_bytes(bytes(range(256)))
    found = map_bytes(tmp_path / "x", 200)
    found += 1
    assert found[199] == 200 and (tmp_path / "x").read_bytes() == bytes(range(256))


@on_linux
@pytest.mark.parametrize("name", ["model.safetensors", "iter_1.pth"])
def test_a_file_that_is_cut_or_lost_while_it_is_read_is_refused(tmp_path, name):
    path = tmp_path / name
    tensors = {"first": VALUES.clone(), "last": VALUES + 1}
    save_file(tensors, path) if path.suffix == ".safetensors" else torch.save({"state_dict": tensors}, path)
    opened = open_weight_file(path)
    assert torch.equal(opened.read("first"), VALUES) and torch.equal(opened.read("last"), VALUES + 1)
    os.truncate(path, 5000)
    with pytest.raises(RefusedInput, match=rf"{name} cannot be read any more: .* Check that it is there and whole"):
        opened.read("last")


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS])
def test_a_system_that_cannot_be_asked_changes_nothing(monkeypatch, tmp_path, number):
    class Library:
        def madvise(self, *arguments):
            return -1

    monkeypatch.setattr(weight_file.ctypes, "CDLL", lambda *arguments, **options: Library())
    monkeypatch.setattr(weight_file.ctypes, "get_errno", lambda: number)
    bring_in(VALUES, tmp_path)


def test_tensors_at_odd_places_are_read(tmp_path):
    save_file({"a": torch.tensor([1, 2, 3], dtype=torch.uint8), "b": VALUES[:5].clone()}, tmp_path / "x.safetensors")
    content = (tmp_path / "x.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + length] + b" "  # so that no value of four bytes begins at a multiple of four
    (tmp_path / "x.safetensors").write_bytes((length + 1).to_bytes(8, "little") + header + content[8 + length :])
    opened = open_weight_file(tmp_path / "x.safetensors")
    assert opened.read("b").tolist() == [0, 1, 2, 3, 4] and opened.read("a").tolist() == [1, 2, 3]


@pytest.fixture
def system(monkeypatch):
    """A system that notes what it is asked, and answers with these errors, then with success."""
    told = SimpleNamespace(asked=[], errors=[])

    class Library:
        def madvise(self, *arguments):
            told.asked.append([getattr(one, "value", one) for one in arguments])
            return -1 if told.errors else 0

    monkeypatch.setattr(weight_file.ctypes, "CDLL", lambda *arguments, **options: Library())
    monkeypatch.setattr(weight_file.ctypes, "get_errno", lambda: told.errors.pop(0))
    monkeypatch.setattr(weight_file.sys, "platform", "linux")
    return told


def test_whole_pages_are_asked_for(system, tmp_path):
    part = VALUES[1500:1503]
    bring_in(part, tmp_path)
    ((start, length, advice),) = system.asked
    assert advice == 22  # MADV_POPULATE_READ of Linux
    assert start % mmap.PAGESIZE == 0 and 0 <= part.data_ptr() - start < mmap.PAGESIZE
    assert start + length == part.data_ptr() + 12


def test_nothing_is_asked_of_no_values_or_of_another_system(system, tmp_path, monkeypatch):
    bring_in(VALUES[:0], tmp_path)
    monkeypatch.setattr(weight_file.sys, "platform", "darwin")
    bring_in(VALUES, tmp_path)
    assert system.asked == []


@pytest.mark.parametrize("number", [errno.EFAULT, errno.EIO, errno.ENOMEM])
def test_interrupted_calls_are_made_again_and_pages_that_cannot_be_read_are_told(system, tmp_path, number):
    system.errors = [errno.EINTR, errno.EAGAIN]
    bring_in(VALUES, tmp_path)
    assert len(system.asked) == 3
    system.errors = [number]
    with pytest.raises(RefusedInput, match="cannot be read any more"):
        bring_in(VALUES, tmp_path)
