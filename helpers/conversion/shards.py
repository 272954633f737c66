"""Writing safetensors shards as a stream: the header first, then every tensor block by block.

The library writes a shard from tensors held in memory; an 8B model in one dtype is exported here with blocks of a few
megabytes instead. The format is 8 bytes of header length (little endian), a JSON header, and the tensors' bytes.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

_DTYPE_NAMES = {torch.bfloat16: "BF16", torch.float16: "F16", torch.float32: "F32"}
_ALIGNMENT = 8


@dataclass(frozen=True)
class WrittenFile:
    """A finished shard."""

    name: str
    sha256: str
    nbytes: int


@dataclass(frozen=True)
class Shard:
    """A shard to write: its file name and the names of its tensors, in order."""

    name: str
    tensors: tuple[str, ...]


def lay_out(sizes: Mapping[str, int], shard_bytes: int) -> tuple[Shard, ...]:
    """Distribute tensors over shards of at most `shard_bytes`, in order; a larger tensor gets a shard of its own.

    Args:
        sizes: bytes of each tensor, in the order they are written.
    """
    groups: list[list[str]] = [[]]
    filled = 0
    for name, size in sizes.items():
        if groups[-1] and filled + size > shard_bytes:
            groups.append([])
            filled = 0
        groups[-1].append(name)
        filled += size
    if len(groups) == 1:
        return (Shard("model.safetensors", tuple(groups[0])),)
    return tuple(
        Shard(f"model-{index:05d}-of-{len(groups):05d}.safetensors", tuple(names))
        for index, names in enumerate(groups, start=1)
    )


def header(shapes: Mapping[str, Sequence[int]], dtype: torch.dtype) -> bytes:
    """The length and header of a shard that holds these tensors in order, padded for alignment."""
    entries: dict[str, dict] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, shape in shapes.items():
        size = tensor_bytes(shape, dtype)
        entries[name] = {
            "dtype": _DTYPE_NAMES[dtype],
            "shape": list(shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def tensor_bytes(shape: Sequence[int], dtype: torch.dtype) -> int:
    """Bytes of a tensor of this shape and dtype."""
    return torch.Size(shape).numel() * dtype.itemsize


def raw_bytes(block: torch.Tensor) -> memoryview:
    """A tensor's bytes without a copy, where it is contiguous; bfloat16 included, which numpy does not know."""
    flat = block.contiguous().reshape(-1)
    return memoryview(flat.view(torch.uint8).numpy()) if flat.numel() else memoryview(b"")


def write_shard(
    path: Path,
    shapes: Mapping[str, Sequence[int]],
    dtype: torch.dtype,
    blocks: Iterable[tuple[str, Iterator[torch.Tensor]]],
) -> tuple[WrittenFile, dict[str, str]]:
    """Write one shard.

    Args:
        shapes: of its tensors, in order.
        blocks: for each tensor in the same order, its name and its row blocks, each of `dtype`.
    Returns:
        The file, and the sha256 of each tensor's bytes.
    Raises:
        ValueError: where the blocks of a tensor do not have its size.
    """
    whole, digests = hashlib.sha256(), {}
    with path.open("wb") as file:
        start = header(shapes, dtype)
        file.write(start)
        whole.update(start)
        for name, parts in blocks:
            digest, written = hashlib.sha256(), 0
            for part in parts:
                data = raw_bytes(part)
                file.write(data)
                whole.update(data)
                digest.update(data)
                written += data.nbytes
            if written != tensor_bytes(shapes[name], dtype):
                raise ValueError(f"{name}: {written} bytes written, {tensor_bytes(shapes[name], dtype)} announced")
            digests[name] = digest.hexdigest()
        nbytes = file.tell()
    return WrittenFile(path.name, whole.hexdigest(), nbytes), digests


def index_json(shards: Sequence[Shard], total_bytes: int) -> dict:
    """The index of a sharded folder, as transformers reads it."""
    return {
        "metadata": {"total_size": total_bytes},
        "weight_map": {name: shard.name for shard in shards for name in shard.tensors},
    }


def fingerprint(digests: Mapping[str, str], shapes: Mapping[str, Sequence[int]], dtype: torch.dtype) -> str:
    """One hash of all tensors, whatever their order or shards: equal exactly where names, shapes and bytes are."""
    total = hashlib.sha256()
    for name in sorted(digests):
        total.update(json.dumps([name, list(shapes[name]), str(dtype), digests[name]]).encode())
    return total.hexdigest()
