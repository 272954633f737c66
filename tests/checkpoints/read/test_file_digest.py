import errno
import hashlib
import io
import os
from pathlib import Path

import pytest
from safetensors.torch import save_file

from helpers.checkpoints.read.file_digest import sha256_file, sha256_files, sha256_source
from helpers.checkpoints.read.weight_source import open_source
from helpers.core.errors import RefusedInput
from tests.support.bars import recorded
from tests.support.checkpoint_samples import EXPORT_TENSORS


def test_known_digests(tmp_path):
    (tmp_path / "empty").touch()
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_file(tmp_path / "empty") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert sha256_file(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_file_longer_than_a_piece(tmp_path):
    data = bytes(range(256)) * 20_000
    (tmp_path / "a").write_bytes(data)
    with recorded() as seen:
        assert sha256_file(tmp_path / "a") == hashlib.sha256(data).hexdigest()
        assert not seen.told
        assert sha256_file(tmp_path / "a", progress=True) == hashlib.sha256(data).hexdigest()
    assert seen.told[0] == ("begun", "sha256", 5_120_000, "B", 0, 0) and seen.ends == {"sha256": 5_120_000}


def test_many_files_are_one_bar_of_bytes(tmp_path):
    for name, size in (("a", 5_000_000), ("b", 3_000_000)):
        (tmp_path / name).write_bytes(bytes(size))
    with recorded() as seen:
        assert sha256_files([tmp_path / "b", tmp_path / "a"], "hashing") == [
            hashlib.sha256(bytes(size)).hexdigest() for size in (3_000_000, 5_000_000)
        ]
    assert seen.told[0][:4] == ("begun", "hashing", 8_000_000, "B") and seen.ends == {"hashing": 8_000_000}


@pytest.mark.parametrize("progress", [True, False])
def test_missing_file(tmp_path, progress):
    with pytest.raises(RefusedInput, match="none cannot be read to the end: No such file"):
        sha256_file(tmp_path / "none", progress)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_a_drive_that_goes_away_is_told_with_the_file(tmp_path, monkeypatch, number):
    class Gone(io.BytesIO):
        def read(self, size=-1):
            raise OSError(number, os.strerror(number))

    (tmp_path / "a").write_bytes(b"a")
    monkeypatch.setattr(Path, "open", lambda path, mode, **_: Gone())
    with pytest.raises(RefusedInput, match=rf"a cannot be read to the end: {os.strerror(number)}. Check file and disk"):
        sha256_file(tmp_path / "a")


def test_source_lists_every_weight_file(tmp_path):
    save_file(EXPORT_TENSORS, tmp_path / "model.safetensors")
    expected = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    assert sha256_source(open_source(tmp_path)) == {"model.safetensors": expected}
