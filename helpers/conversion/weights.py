"""Values of target tensors, block by block: rows copied, LoRA merged in float32, everything cast to one dtype."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from helpers.conversion.plan import Role, Rows, Target
from helpers.errors import RefusedInput

BLOCK_VALUES = 8_000_000


class Reader(Protocol):
    """An opened source of tensors."""

    def read(self, name: str) -> torch.Tensor: ...


@dataclass
class Change:
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

    def __init__(self, readers: Mapping[Role, Reader], dtype: torch.dtype):
        self._readers = readers
        self._dtype = dtype

    def blocks(self, target: Target, change: Change | None = None) -> Iterator[torch.Tensor]:
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

    def equal(self, first: tuple[Role, str], second: tuple[Role, str]) -> bool:
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
        reader = self._readers[Role.CHECKPOINT]
        b = reader.read(target.lora.b)[target.lora.start : target.lora.stop]
        return reader.read(target.lora.a).float(), b.float(), target.lora.scale


def row_blocks(shape: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ranges of rows with at most `BLOCK_VALUES` values each, at least one row."""
    rows = shape[0]
    width = max(1, torch.Size(shape).numel() // max(1, rows))
    step = max(1, BLOCK_VALUES // width)
    for start in range(0, rows, step):
        yield start, min(start + step, rows)


def _measure(change: Change, new: torch.Tensor, base: torch.Tensor) -> None:
    if not len(base) or new.shape[1:] != base.shape[1:]:
        return
    old = base.float()
    change.squared_base += float(old.square().sum(dtype=torch.float64))
    change.squared_change += float((new[: len(base)].float() - old).square().sum(dtype=torch.float64))
