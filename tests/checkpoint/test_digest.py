import hashlib
import re

import pytest
from safetensors.torch import save_file

from helpers.checkpoint.digest import sha256_file, sha256_source
from helpers.checkpoint.source import open_source
from helpers.errors import RefusedInput
from tests.checkpoint.samples import EXPORT_TENSORS


def test_known_digests(tmp_path):
    (tmp_path / "empty").touch()
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_file(tmp_path / "empty") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert sha256_file(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_file_longer_than_a_piece(tmp_path, capsys):
    data = bytes(range(256)) * 20_000
    (tmp_path / "a").write_bytes(data)
    assert sha256_file(tmp_path / "a") == hashlib.sha256(data).hexdigest()
    assert capsys.readouterr().err == ""
    assert sha256_file(tmp_path / "a", progress=True) == hashlib.sha256(data).hexdigest()
    assert re.search(r"sha256: 100%.* 5\.12M/5\.12M .*[MG]B/s", capsys.readouterr().err)


def test_missing_file(tmp_path):
    with pytest.raises(RefusedInput, match="cannot be read"):
        sha256_file(tmp_path / "none")


def test_source_lists_every_weight_file(tmp_path):
    save_file(EXPORT_TENSORS, tmp_path / "model.safetensors")
    expected = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    assert sha256_source(open_source(tmp_path)) == {"model.safetensors": expected}
