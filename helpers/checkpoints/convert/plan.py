"""The accounting of a conversion: which rows of which source tensor fill which target, and what became of the rest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from helpers.core.errors import RefusedInput

_SHOWN = 2  # tensors named in a line
EMBEDDINGS = "language_model.model.embed_tokens.weight"
LM_HEAD = "language_model.lm_head.weight"


class SourceRole(Enum):
    """Where a source tensor comes from. Earlier roles win: the trained checkpoint overrides every base.

    A base that holds SAM2 is a Sa2VA, which training loads over the SAM2 file too.
    """

    CHECKPOINT = "checkpoint"
    PRETRAINED = "pretrained"
    BASE = "base"
    SAM2 = "sam2"


class Fate(Enum):
    """What became of a source tensor.

    ORIGINAL: peft's untrained copy beside a module that was trained as a whole. NOT_TAKEN: of a pretrained file, a name
    that the model lacks, which training passes over.
    """

    USED = "used"
    MERGED = "merged"
    OVERRIDDEN = "overridden"
    TIED = "tied"
    RECOMPUTED = "recomputed"
    ORIGINAL = "original"
    NOT_TAKEN = "not_taken"


class TensorOrigin(Enum):
    """What fills a target tensor."""

    CHECKPOINT = "checkpoint"
    PRETRAINED = "pretrained"
    SAM2 = "sam2"
    BASE = "base"
    MERGED = "merged"


@dataclass(frozen=True)
class Rows:
    """Rows `start:stop` (first axis) of a stored tensor."""

    role: SourceRole
    name: str
    start: int
    stop: int


@dataclass(frozen=True)
class Lora:
    """A low-rank change of one target: W + scale * B[rows] @ A.

    Attributes:
        a, b: stored names of the factors, A (rank, in) and B (out, rank).
        rows: ranges of B's rows that belong to this target, in the order of its own.
        scale: alpha / rank, or alpha / sqrt(rank) for rank-stabilised LoRA.
    """

    a: str
    b: str
    rows: tuple[tuple[int, int], ...]
    scale: float


@dataclass(frozen=True)
class Target:
    """One tensor of the native model and all that fills it.

    Attributes:
        rows: source rows whose concatenation on the first axis is the tensor (before `lora`).
        base_rows: the same tensor in the bases where the checkpoint overrode it, else None.
    """

    name: str
    shape: tuple[int, ...]
    origin: TensorOrigin
    rows: tuple[Rows, ...]
    lora: Lora | None = None
    base_rows: tuple[Rows, ...] | None = None


@dataclass(frozen=True)
class SourceFate:
    """What became of one source tensor, and the targets it reached."""

    fate: Fate
    targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConversionPlan:
    """A complete conversion on paper."""

    targets: tuple[Target, ...]
    fates: Mapping[SourceRole, Mapping[str, SourceFate]]


def joined_ranges(ranges: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Row ranges (start, stop) in order, with those that follow one another made one."""
    joined: list[tuple[int, int]] = []
    for start, stop in ranges:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((start, stop))
    return tuple(joined)


class Problems:
    """Problems by their kind, in the order found."""

    def __init__(self) -> None:
        self._kinds: dict[str, list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._kinds)

    def add(self, kind: str, what: str) -> None:
        """Note one: what is wrong, and with which tensor."""
        self._kinds.setdefault(kind, []).append(what)

    def raise_any(self) -> None:
        """Stop where there are any. Raises RefusedInput."""
        if not self._kinds:
            return
        lines = [_line(kind, found) for kind, found in self._kinds.items()]
        text = lines[0] if len(lines) == 1 else "\n".join(["", *(f"  - {line}" for line in lines)])
        raise RefusedInput(f"the tensors do not add up, nothing was written: {text}")


def _line(kind: str, found: list[str]) -> str:
    more = len(found) - _SHOWN
    return f"{kind}: {'; '.join(found[:_SHOWN])}" + (f"; and {more} more" if more > 0 else "")
