"""Values of target tensors, block by block, and the safetensors shards that they are streamed into."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch

from helpers.checkpoints.convert.plan import Rows, SourceRole, Target
from helpers.core.errors import RefusedInput

_DTYPE_NAMES = {torch.bfloat16: "BF16", torch.float16: "F16", torch.float32: "F32"}
_ALIGNMENT = 8
BLOCK_VALUES = 8_000_000


class Reader(Protocol):
    """An opened source of tensors."""

    def read(self, name: str) -> torch.Tensor: ...


@dataclass
class TensorChange:
    """How far a target is from its counterpart in the bases, as sums of squares in float64 arithmetic.

    Attributes:
        squared_base: of the counterpart.
        squared_change: of the difference over the rows and columns that both have; before the final cast.
    """

    squared_base: float = 0.0
    squared_change: float = 0.0

    @property
    def base_norm(self) -> float:
        return self.squared_base**0.5

    @property
    def change_norm(self) -> float:
        return self.squared_change**0.5


class Weights:
    """Reads a plan's targets from opened sources."""

    def __init__(self, readers: Mapping[SourceRole, Reader], dtype: torch.dtype):
        self._readers = readers
        self._dtype = dtype

    def blocks(self, target: Target, change: TensorChange | None = None) -> Iterator[torch.Tensor]:
        """Row blocks of a target in the export's dtype, in order.

        Args:
            change: where given and the target has a counterpart in the bases, the difference is added to it.
        Raises:
            RefusedInput: for a value that is not finite, or overflows the dtype.
        """
        rows = self._concatenated(target.rows)
        base = self._concatenated(target.base_rows) if target.base_rows else None
        factors = self._factors(target)
        for start, stop in row_blocks(target.shape):
            stored = rows[start:stop]
            exact = stored
            if factors is not None:
                a, b, scale = factors
                exact = stored.float() + scale * (b[start:stop] @ a)
            if change is not None and base is not None:
                _measure(change, exact, base[start : min(stop, len(base))])
            block = exact.to(self._dtype)
            if not torch.isfinite(block).all():
                raise RefusedInput(
                    f"{target.name}: rows {start}:{stop} hold values that are not finite as {self._dtype} (from "
                    f"{', '.join(sorted({part.name for part in target.rows}))}); the checkpoint is damaged, or the "
                    "dtype too narrow: try --dtype bfloat16 or float32"
                )
            yield block

    def tensor(self, target: Target) -> torch.Tensor:
        """A whole target in the export's dtype."""
        return torch.cat(list(self.blocks(target))) if target.shape else next(self.blocks(target))

    def rounding_range(self, target: Target, start: int, stop: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Between what rows of a merged target lie, in the export's dtype, in whatever order float32 sums were taken.

        Processors and releases of torch take them in different orders. The bound is the usual one of a sum of products:
        (number of terms) x 2^-24 x the sum of their sizes.
        """
        factors = self._factors(target)
        if factors is None:
            raise ValueError(f"{target.name}: expected a merged target")
        a, b, scale = factors[0].double(), factors[1][start:stop].double(), factors[2]
        stored = self._concatenated(target.rows)[start:stop].double()
        exact = stored + scale * (b @ a)
        slack = (len(a) + 3) * 2.0**-24 * (stored.abs() + abs(scale) * (b.abs() @ a.abs()))
        return (exact - slack).to(self._dtype), (exact + slack).to(self._dtype)

    def equal(self, first: tuple[SourceRole, str], second: tuple[SourceRole, str]) -> bool:
        """Whether two stored tensors hold the same values."""
        one, two = (self._readers[role].read(name) for role, name in (first, second))
        if one.shape != two.shape:
            return False
        return all(torch.equal(one[a:b].float(), two[a:b].float()) for a, b in row_blocks(one.shape))

    def _concatenated(self, parts: Sequence[Rows]) -> torch.Tensor:
        """The rows as one tensor: a view where they come from one place."""
        pieces = []
        for part in parts:
            stored = self._readers[part.role].read(part.name)
            pieces.append(stored[part.start : part.stop])
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def _factors(self, target: Target) -> tuple[torch.Tensor, torch.Tensor, float] | None:
        if target.lora is None:
            return None
        reader = self._readers[SourceRole.CHECKPOINT]
        stored = reader.read(target.lora.b)
        b = torch.cat([stored[start:stop].float() for start, stop in target.lora.rows])
        return reader.read(target.lora.a).float(), b, target.lora.scale


def row_blocks(shape: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ranges of rows with at most `BLOCK_VALUES` values each, at least one row."""
    rows = shape[0]
    width = max(1, torch.Size(shape).numel() // max(1, rows))
    step = max(1, BLOCK_VALUES // width)
    for start in range(0, rows, step):
        yield start, min(start + step, rows)


def _measure(change: TensorChange, new: torch.Tensor, base: torch.Tensor) -> None:
    if not len(base) or new.shape[1:] != base.shape[1:]:
        return
    old = base.float()
    change.squared_base += float(old.square().sum(dtype=torch.float64))
    change.squared_change += float((new[: len(base)].float() - old).square().sum(dtype=torch.float64))


@dataclass(frozen=True)
class WrittenFile:
    """A finished shard."""

    name: str
    sha256: str
    nbytes: int


@dataclass(frozen=True)
class WeightShard:
    """A shard to write: its file name and the names of its tensors, in order."""

    name: str
    tensors: tuple[str, ...]


def lay_out(sizes: Mapping[str, int], shard_bytes: int) -> tuple[WeightShard, ...]:
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
        return (WeightShard("model.safetensors", tuple(groups[0])),)
    return tuple(
        WeightShard(f"model-{index:05d}-of-{len(groups):05d}.safetensors", tuple(names))
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
    return flat.view(torch.uint8).numpy().data if flat.numel() else memoryview(b"")


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


def index_json(shards: Sequence[WeightShard], total_bytes: int) -> dict:
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
