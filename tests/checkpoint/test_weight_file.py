import os

import pytest
import torch
from safetensors.torch import save_file

from helpers.checkpoint import weight_file
from helpers.checkpoint.weight_file import TensorInfo, open_weight_file
from helpers.errors import RefusedInput

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
