import os

import pytest
import torch
from safetensors.torch import save_file

from helpers.checkpoints.read import weight_file
from helpers.checkpoints.read.weight_file import TensorInfo, open_weight_file
from helpers.core.errors import RefusedInput

TENSORS = {name: torch.full((4, 4), float(index)) for index, name in enumerate("dbca")}


@pytest.fixture(params=["a.pth", "a.safetensors"])
def path(request, tmp_path):
    path = tmp_path / request.param
    if path.suffix == ".pth":
        torch.save(TENSORS, path)
    else:
        save_file(TENSORS, path)
    return path


def test_info_counts_bytes():
    info = TensorInfo("w", (3, 5), torch.bfloat16)
    assert (info.parameters, info.nbytes) == (15, 30)
    assert TensorInfo("scalar", (), torch.float32).nbytes == 4


def test_values_stay_equal_when_the_mapping_is_made_anew(path, monkeypatch):
    monkeypatch.setattr(weight_file, "MAPPED_WINDOW_BYTES", 100)
    loads = []
    original = weight_file.load_torch_file
    monkeypatch.setattr(weight_file, "load_torch_file", lambda at: loads.append(at) or original(at))
    file = open_weight_file(path)
    held = {name: file.read(name) for name in file.tensors}
    assert {name: tensor.tolist() for name, tensor in held.items()} == {n: t.tolist() for n, t in TENSORS.items()}
    if path.suffix == ".pth":
        assert len(loads) == 4


def test_a_mapping_serves_as_many_bytes_as_its_window_has(path, monkeypatch):
    monkeypatch.setattr(weight_file, "MAPPED_WINDOW_BYTES", 130)  # two tensors of 64 bytes
    opened = []
    for name in ("load_torch_file", "map_bytes"):
        original = getattr(weight_file, name)
        monkeypatch.setattr(weight_file, name, lambda *at, real=original, **how: opened.append(at) or real(*at, **how))
    file = open_weight_file(path)
    file.read("a")
    file.close()
    opened.clear()
    counts = []
    for name in "bcdab":
        file.read(name)
        counts.append(len(opened))
    assert counts == [1, 2, 2, 3, 3]


DTYPES = (
    "bool uint8 int8 int16 uint16 int32 uint32 int64 uint64 float16 bfloat16 float32 float64 float8_e4m3fn float8_e5m2"
)


@pytest.mark.parametrize("name", DTYPES.split())
def test_every_dtype_is_read_as_stored(tmp_path, name):
    dtype = getattr(torch, name)
    stored = torch.tensor([0.0, 1.0, 1.0]).to(dtype)
    save_file({"w": stored}, tmp_path / "a.safetensors")
    file = open_weight_file(tmp_path / "a.safetensors")
    assert file.tensors["w"] == TensorInfo("w", (3,), dtype)
    assert file.read("w").dtype is dtype and file.read("w").double().tolist() == [0, 1, 1]


def test_what_lies_beside_the_state_dict(tmp_path):
    content = {"meta": {"iter": 5}, "state_dict": {"w": torch.ones(2), "note": "x", 3: 4}, "optimizer": torch.ones(1)}
    torch.save(content, tmp_path / "a.pth")
    file = open_weight_file(tmp_path / "a.pth")
    assert (file.location, list(file.tensors), file.meta.iter) == ("state_dict", ["w"], 5)
    assert file.ignored == {"note": "str", "3": "int"}
    assert file.other_entries == {"meta": "dict", "optimizer": "Tensor (torch.strided)"}


def test_meta_counts_only_beside_a_state_dict(tmp_path):
    torch.save({"meta": {"iter": 5}, "model": {"w": torch.ones(2)}}, tmp_path / "a.pth")
    file = open_weight_file(tmp_path / "a.pth")
    assert (file.location, file.meta, file.other_entries) == ("model", None, {"meta": "dict"})
    torch.save({"meta": {"iter": 5}, "w": torch.ones(2)}, tmp_path / "b.pth")
    file = open_weight_file(tmp_path / "b.pth")
    assert (file.location, file.meta, file.other_entries, file.ignored) == (None, None, {}, {"meta": "dict"})


def test_pages_are_brought_in_of_what_is_mapped(tmp_path, path, monkeypatch):
    asked = []
    monkeypatch.setattr(weight_file, "bring_in", lambda tensor, at: asked.append((tensor.nbytes, at)))
    file = open_weight_file(path)
    assert asked == []
    file.read("c")
    assert asked == [(64, path)]  # its own bytes, not those of the others
    torch.save(TENSORS, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    open_weight_file(tmp_path / "old.pth").read("c")
    assert len(asked) == 1


def test_read_after_close(path):
    file = open_weight_file(path)
    file.close()
    assert torch.equal(file.read("c"), TENSORS["c"])


def test_missing_tensor_names_the_file(path):
    with pytest.raises(RefusedInput, match="no tensor 'zz'") as refusal:
        open_weight_file(path).read("zz")
    assert str(path) in str(refusal.value)


def test_file_changed_while_open(path):
    file = open_weight_file(path)
    file.close()
    os.utime(path, ns=(0, 0))
    with pytest.raises(RefusedInput, match="changed while it was being read"):
        file.read("a")


@pytest.mark.parametrize("kept", [9, 60, 0.5, 0.99])
def test_truncated_safetensors(tmp_path, kept):
    path = tmp_path / "model.safetensors"
    save_file(TENSORS, path)
    data = path.read_bytes()
    path.write_bytes(data[: kept if isinstance(kept, int) else int(len(data) * kept)])
    with pytest.raises(RefusedInput, match="truncated") as refusal:
        open_weight_file(path)
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize(("window", "loads"), [(64, [0, 1]), (127, [0, 1]), (128, [0, 0])])
def test_the_first_read_never_makes_the_mapping_anew(tmp_path, monkeypatch, window, loads):
    torch.save(TENSORS, tmp_path / "a.pth")
    file, seen = open_weight_file(tmp_path / "a.pth"), []
    original = weight_file.load_torch_file
    monkeypatch.setattr(weight_file, "MAPPED_WINDOW_BYTES", window)
    monkeypatch.setattr(weight_file, "load_torch_file", lambda at: seen.append(at) or original(at))
    counts = [file.read(name) is not None and len(seen) for name in "bc"]
    assert counts == loads


def test_tensors_are_listed_in_the_order_of_their_data_beside_metadata(tmp_path):
    tensors = {"a": torch.ones(2, dtype=torch.float16), "b": torch.full((2,), 3.0)}
    save_file(tensors, tmp_path / "a.safetensors", metadata={"format": "pt"})
    file = open_weight_file(tmp_path / "a.safetensors")
    assert list(file.tensors) == ["b", "a"] and file.read("b").tolist() == [3, 3]


def test_a_dtype_that_is_not_read_is_named(tmp_path):
    save_file({"w": torch.ones(2, dtype=torch.complex64)}, tmp_path / "a.safetensors")
    with pytest.raises(RefusedInput, match="a.safetensors: tensor 'w' has dtype C64, which is not read"):
        open_weight_file(tmp_path / "a.safetensors")
