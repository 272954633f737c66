import zipfile

import pytest
import torch
from safetensors.torch import save_file

from helpers.checkpoints.read.file_type import (
    FileType,
    adapter_weights,
    detect_file_type,
    is_adapter_folder,
    refuse_adapters_within,
    refuse_cache_folder,
    refuse_universal,
)
from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted

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


def folder_with(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


@pytest.mark.parametrize("byte", [0x1F, 0x7F, 0x00, 0x0B])
def test_a_byte_that_no_text_holds_makes_a_file_no_text(tmp_path, byte):
    (tmp_path / "a.pth").write_bytes(b"words" + bytes([byte]))
    with pytest.raises(RefusedInput, match="neither a torch file nor a safetensors file: it begins with 77 6f"):
        detect_file_type(tmp_path / "a.pth")


@pytest.mark.parametrize("byte", [0x20, 0x7E, 0x09, 0x0A, 0x0D, 0x0C, 0x80, 0xFF])
def test_bytes_that_text_holds(tmp_path, byte):
    (tmp_path / "a.pth").write_bytes(b"words" + bytes([byte]) + b"more")
    with pytest.raises(RefusedInput, match="is a text file of 10 bytes, beginning 'words"):
        detect_file_type(tmp_path / "a.pth")


@pytest.mark.parametrize(
    "whole",
    ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"],
)
def test_an_adapter_folder_has_no_whole_model_beside(tmp_path, whole):
    assert not is_adapter_folder(tmp_path)
    assert is_adapter_folder(folder_with(tmp_path, "adapter_config.json"))
    assert not is_adapter_folder(folder_with(tmp_path, whole))


def test_the_weights_of_an_adapter_are_one_file(tmp_path):
    with pytest.raises(RefusedInput, match=r"expected one of adapter_model.safetensors or adapter_model.bin .*none of"):
        adapter_weights(tmp_path)
    for name in ("adapter_model.bin", "adapter_model.safetensors"):
        (tmp_path / name).touch()
        if name.endswith("bin"):
            assert adapter_weights(tmp_path) == tmp_path / name
    with pytest.raises(RefusedInput, match="found adapter_model.safetensors and adapter_model.bin. Copy the folder"):
        adapter_weights(tmp_path)


@pytest.mark.parametrize("where", [".", "snapshots", "blobs", "refs"])
def test_each_folder_of_a_cached_model_is_told_with_the_version_named_main(tmp_path, where):
    cached = folder_with(tmp_path / "models--o--m", "snapshots/aa/x", "snapshots/bb/x", "blobs/0", "refs/main")
    (cached / "refs/main").write_text("bb\n")
    with pytest.raises(RefusedInput) as refusal:
        refuse_cache_folder(cached / where)
    assert "belongs to HuggingFace's download cache" in str(refusal.value)
    assert str(refusal.value).endswith(f"Give {cached / 'snapshots/bb'}, the one named main (others: aa).")
    refuse_cache_folder(cached / "snapshots/bb")


def said_of(folder):
    with pytest.raises(RefusedInput) as refusal:
        refuse_cache_folder(folder)
    return str(refusal.value).partition(" of its own. ")[2]


def test_which_version_of_a_cached_model_to_give(tmp_path):
    cached = tmp_path / "models--o--m"
    (cached / "snapshots").mkdir(parents=True)
    assert said_of(cached) == "It holds no version: the download did not finish. Download the model again."
    folder_with(cached, "snapshots/aa/x")
    assert said_of(cached) == f"Give {cached / 'snapshots/aa'}."
    folder_with(cached, "refs/main")
    (cached / "refs/main").write_text("aa")
    assert said_of(cached) == f"Give {cached / 'snapshots/aa'}, the one named main."
    (cached / "refs/main").write_text("gone")
    folder_with(cached, *(f"snapshots/{name * 2}/x" for name in "bcdef"))
    six = [str(cached / "snapshots" / (name * 2)) for name in "abcde"]
    assert said_of(cached) == f"Give one of {', '.join(six)}."
    (cached / "refs/main").write_text("ff")
    assert said_of(cached).endswith("the one named main (others: aa, bb, cc, dd, ee).")


def test_a_cache_under_another_name_is_told_by_its_blobs(tmp_path):
    cached = folder_with(tmp_path / "mine", "snapshots/aa/x")
    refuse_cache_folder(cached)
    folder_with(cached, "blobs/0")
    assert said_of(cached) == f"Give {cached / 'snapshots/aa'}."


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (1, "models--0"),
        (5, "models--0, models--1, models--2, models--3, models--4"),
        (6, "models--0, models--1, models--2, models--3, models--4, ..."),
    ],
)
def test_the_cache_itself_is_told_with_its_models(tmp_path, count, shown):
    for number in range(count):
        folder_with(tmp_path, f"models--{number}/snapshots/aa/x")
    folder_with(tmp_path, "models--none/x")
    said = (
        f"is HuggingFace's download cache, with {counted(count, 'model')} ({shown}). Give the snapshot of one, such as "
    )
    with pytest.raises(RefusedInput) as refusal:
        refuse_cache_folder(tmp_path)
    assert said + str(tmp_path / "models--0/snapshots") in str(refusal.value)


def test_a_universal_checkpoint_is_told_from_any_place_within(tmp_path):
    folder = folder_with(tmp_path / "run", "step/zero/layer/fp32.pt", "latest_universal")
    for place in (folder, folder / "step", folder / "step/zero/layer/fp32.pt"):
        with pytest.raises(RefusedInput, match=f"{place} belongs to a DeepSpeed universal checkpoint"):
            refuse_universal(place)
    folder_with(folder, "other.pth")
    refuse_universal(folder / "other.pth")
    refuse_universal(tmp_path)


def test_adapters_in_a_folder_without_a_model_are_told(tmp_path):
    refuse_adapters_within(tmp_path)
    folder_with(tmp_path, *(f"{name}/adapter_config.json" for name in "bacdef"))
    with pytest.raises(RefusedInput, match=rf"no model but 6 adapters \(a, b, c, d, e\). .*from, or {tmp_path}/a\."):
        refuse_adapters_within(tmp_path)
    folder_with(tmp_path, "adapter_model.bin")
    with pytest.raises(RefusedInput, match="holds the LoRA of a peft adapter, but adapter_config.json is missing"):
        refuse_adapters_within(tmp_path)
