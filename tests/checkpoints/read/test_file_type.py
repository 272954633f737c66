import zipfile

import pytest
import torch
from safetensors.torch import save_file

from helpers.checkpoints.read.file_type import FileType, detect_file_type
from helpers.core.errors import RefusedInput

POINTER = "version https://git-lfs.example/spec/v1\noid sha256:" + "0" * 64 + "\nsize 16364400968\n"


def test_formats_are_told_by_content_not_suffix(tmp_path):
    zipped, legacy, tensors = tmp_path / "a.safetensors", tmp_path / "b.pth", tmp_path / "c.pth"
    torch.save({"w": torch.ones(2)}, zipped)
    torch.save({"w": torch.ones(2)}, legacy, _use_new_zipfile_serialization=False)
    save_file({"w": torch.ones(2)}, tensors)
    assert detect_file_type(zipped) is FileType.TORCH_ZIP
    assert detect_file_type(legacy) is FileType.TORCH_LEGACY
    assert detect_file_type(tensors) is FileType.SAFETENSORS
    tensors.write_bytes(b"seven..\0{")  # the length of a header, eight bytes, need not look like one
    assert detect_file_type(tensors) is FileType.SAFETENSORS


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty (0 bytes)"),
        (b"hello, these are no weights\nbut lines\n", "text file of 38 bytes, beginning 'hello, these are no weights'"),
        (b"-" * 90, f"beginning '{'-' * 60}'"),
        (b"caf\xe9 ~ no weights", "beginning 'caf\N{REPLACEMENT CHARACTER} ~ no weights'"),
        (b" \n", "text file of 2 bytes, beginning ''"),
        (b"hello\x7f", "neither a torch file nor"),
        (b"\x00\x01\x02\x03\x04\x05\x06\x07\x08", "begins with 00 01 02 03 04 05 06 07. It"),
        (POINTER.encode()[:40], "(the real file is elsewhere)"),
        (b"<!DOCTYPE html><html>" + b" " * 2000, "web page"),
        (POINTER.encode(), "git-lfs pointer"),
        (POINTER.encode() + b"x" * 890, "16,364,400,968 bytes"),
        (bytes(1024), "neither a torch file nor a safetensors file"),
        (b"PK\x03\x04" + bytes(1020), "truncated"),
    ],
)
def test_what_is_no_weight_file_is_named(tmp_path, content, expected):
    path = tmp_path / "iter_1.pth"
    path.write_bytes(content)
    with pytest.raises(RefusedInput) as refusal:
        detect_file_type(path)
    assert expected in str(refusal.value)
    assert str(path) in str(refusal.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(RefusedInput, match="does not exist"):
        detect_file_type(tmp_path / "none.pth")
    with pytest.raises(RefusedInput, match="not a regular file"):
        detect_file_type(tmp_path)


def test_foreign_and_repacked_zips_are_refused(tmp_path):
    foreign, repacked, original = tmp_path / "a.pth", tmp_path / "b.pth", tmp_path / "c.pth"
    with zipfile.ZipFile(foreign, "w") as archive:
        archive.writestr("readme.txt", "x")
    torch.save({"w": torch.ones(2)}, original)
    with zipfile.ZipFile(original) as source, zipfile.ZipFile(repacked, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.namelist():
            target.writestr(entry, source.read(entry))
    with pytest.raises(RefusedInput, match="not one written by torch.save"):
        detect_file_type(foreign)
    with pytest.raises(RefusedInput, match="compressed entries"):
        detect_file_type(repacked)
