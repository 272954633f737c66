"""Streamed safetensors shards are what the library itself would read."""

import hashlib

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from helpers.checkpoints.convert.weights import fingerprint, header, index_json, lay_out, write_shard


def _blocks(tensors):
    for name, tensor in tensors.items():
        yield name, iter(tensor.split(1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_the_library_reads_back_what_was_streamed(tmp_path, dtype):
    tensors = {
        "a": torch.arange(6).reshape(2, 3).to(dtype),
        "b.c": torch.tensor([1.5, -2.0, 0.25]).to(dtype),
        "empty": torch.zeros((0, 4), dtype=dtype),
    }
    path = tmp_path / "model.safetensors"
    file, digests = write_shard(path, {n: t.shape for n, t in tensors.items()}, dtype, _blocks(tensors))

    found = load_file(path)
    assert list(found) == sorted(tensors) or set(found) == set(tensors)
    assert all(torch.equal(found[name], tensor) and found[name].dtype == dtype for name, tensor in tensors.items())
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert file.nbytes == path.stat().st_size
    assert digests["b.c"] == hashlib.sha256(tensors["b.c"].view(torch.uint8).numpy().tobytes()).hexdigest()
    with safe_open(path, "pt") as opened:
        assert opened.metadata() == {"format": "pt"}


def test_a_tensor_of_the_wrong_size_is_not_written_silently(tmp_path):
    with pytest.raises(ValueError, match="4 bytes written, 8 announced"):
        write_shard(tmp_path / "x", {"a": (2,)}, torch.float32, [("a", iter([torch.zeros(1)]))])


def test_shards_keep_order_and_size():
    sizes = {"a": 4, "b": 5, "c": 20, "d": 1}
    shards = lay_out(sizes, 10)
    assert [shard.tensors for shard in shards] == [("a", "b"), ("c",), ("d",)]
    assert shards[0].name == "model-00001-of-00003.safetensors"
    assert index_json(shards, 30)["weight_map"]["c"] == "model-00002-of-00003.safetensors"


def test_one_shard_has_the_plain_name():
    assert [shard.name for shard in lay_out({"a": 4, "b": 5}, 10)] == ["model.safetensors"]


def test_fingerprint_ignores_order_and_sees_every_change():
    digests, shapes = {"a": "1", "b": "2"}, {"a": (1,), "b": (2,)}
    same = fingerprint(dict(reversed(digests.items())), shapes, torch.float32)
    assert fingerprint(digests, shapes, torch.float32) == same
    assert fingerprint(digests | {"b": "3"}, shapes, torch.float32) != same
    assert fingerprint(digests, shapes | {"b": (2, 1)}, torch.float32) != same
    assert fingerprint(digests, shapes, torch.float16) != same


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [
        ({"a": 4, "b": 6}, [("a", "b")]),
        ({"a": 4, "b": 7}, [("a",), ("b",)]),
        ({"a": 6, "b": 6, "c": 4}, [("a",), ("b", "c")]),
        ({"a": 11}, [("a",)]),
    ],
)
def test_a_shard_may_be_filled_to_the_last_byte(sizes, groups):
    assert [shard.tensors for shard in lay_out(sizes, 10)] == groups


@pytest.mark.parametrize(
    ("dtype", "name", "size"), [(torch.float32, "F32", 4), (torch.float16, "F16", 2), (torch.bfloat16, "BF16", 2)]
)
def test_a_header_as_the_format_of_safetensors_writes_it(dtype, name, size):
    text = (
        '{"__metadata__":{"format":"pt"},'
        f'"a":{{"dtype":"{name}","shape":[2,3],"data_offsets":[0,{6 * size}]}},'
        f'"b":{{"dtype":"{name}","shape":[1],"data_offsets":[{6 * size},{7 * size}]}}}}'
    )
    found = header({"a": (2, 3), "b": (1,)}, dtype)
    assert found[8:].rstrip(b" ").decode() == text and int.from_bytes(found[:8], "little") == len(found) - 8


def test_an_index_as_transformers_reads_it():
    assert index_json(lay_out({"a": 4, "b": 9}, 10), 13) == {
        "metadata": {"total_size": 13},
        "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"},
    }


def test_a_fingerprint_is_the_hash_of_a_json_list_for_each_tensor():
    listed = b'["a", [2, 3], "torch.float16", "01"]' + b'["b", [], "torch.float16", "02"]'
    found = fingerprint({"b": "02", "a": "01"}, {"a": (2, 3), "b": ()}, torch.float16)
    assert found == hashlib.sha256(listed).hexdigest()
