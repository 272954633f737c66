"""The accounting of a conversion: which rows of which source tensor fill which target, and what became of the rest.

A plan is made from names and shapes alone, before any weight is read. It is complete or it is refused: every target
has a source, every source tensor has a fate, and nothing trained is left over.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from helpers.conversion.key_map import SAM21_ONLY, LoraName, Place, canonical_name, places
from helpers.errors import RefusedInput

EMBEDDINGS = "language_model.model.embed_tokens.weight"
LM_HEAD = "language_model.lm_head.weight"
_SHOWN = 12  # problems in a message


class Role(Enum):
    """Where a source tensor comes from. Earlier roles win: the trained checkpoint overrides every base."""

    CHECKPOINT = "checkpoint"
    SAM2 = "sam2"
    BASE = "base"


class Fate(Enum):
    """What became of a source tensor."""

    USED = "used"
    MERGED = "merged"
    OVERRIDDEN = "overridden"
    TIED = "tied"
    RECOMPUTED = "recomputed"


class Origin(Enum):
    """What fills a target tensor."""

    CHECKPOINT = "checkpoint"
    SAM2 = "sam2"
    BASE = "base"
    MERGED = "merged"


@dataclass(frozen=True)
class Rows:
    """Rows `start:stop` (first axis) of a stored tensor."""

    role: Role
    name: str
    start: int
    stop: int


@dataclass(frozen=True)
class Lora:
    """A low-rank change of one target: W + scale * B[start:stop] @ A.

    Attributes:
        a, b: stored names of the factors, A (rank, in) and B (out, rank).
        start, stop: rows of B that belong to this target.
        scale: alpha / rank, or alpha / sqrt(rank) for rank-stabilised LoRA.
    """

    a: str
    b: str
    start: int
    stop: int
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
    origin: Origin
    rows: tuple[Rows, ...]
    lora: Lora | None = None
    base_rows: tuple[Rows, ...] | None = None


@dataclass(frozen=True)
class SourceFate:
    """What became of one source tensor, and the targets it reached."""

    fate: Fate
    targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A complete conversion on paper."""

    targets: tuple[Target, ...]
    fates: Mapping[Role, Mapping[str, SourceFate]]


@dataclass
class _Offers:
    """What one source has to give, by target."""

    weights: dict[str, dict[int, tuple[Place, Rows]]] = field(default_factory=dict)
    factors: dict[str, dict[str, str]] = field(default_factory=dict)


Shapes = Mapping[str, tuple[int, ...]]


def make_plan(
    sources: Mapping[Role, Shapes],
    targets: Shapes,
    *,
    native: frozenset[Role] = frozenset(),
    lora_alpha: float | None = None,
    rank_stabilised: bool = False,
    tied: bool = False,
) -> Plan:
    """Account for every tensor.

    Args:
        sources: stored name -> shape, for each source.
        targets: name -> shape of the native model to fill.
        native: sources that already use the native model's names.
        lora_alpha: needed where the checkpoint holds LoRA factors.
        rank_stabilised: whether the run divided alpha by sqrt(rank).
        tied: the output head shares the embeddings, so that a stored head is accounted as tied.
    Raises:
        RefusedInput: naming every problem found.
    """
    problems: list[str] = []
    fates: dict[Role, dict[str, SourceFate]] = {role: {} for role in sources}
    offers = {
        role: _collect(role, shapes, targets, role in native, tied, fates[role], problems)
        for role, shapes in sources.items()
    }
    loras = _pair_factors(sources, offers, targets, lora_alpha, rank_stabilised, problems)
    planned = []
    for name, shape in targets.items():
        found = [role for role in Role if role in offers and name in offers[role].weights]
        if not found:
            problems.append(f"target tensor without a source: {name} {list(shape)}")
            continue
        target = _fill(name, shape, found, offers, sources, loras.get(name), problems)
        if target is not None:
            planned.append(target)
    _settle(planned, offers, sources, fates, problems)
    if problems:
        raise RefusedInput(_report(problems))
    return Plan(tuple(planned), fates)


def _collect(
    role: Role,
    shapes: Shapes,
    targets: Shapes,
    native: bool,
    tied: bool,
    fates: dict[str, SourceFate],
    problems: list[str],
) -> _Offers:
    """Sort a source's tensors by the target they can fill."""
    offers = _Offers()
    if any(_is_sam21(name) for name in shapes):
        problems.append(
            f"{role.value}: this SAM2 file is SAM 2.1 (it holds no_obj_embed_spatial or obj_ptr_tpos_proj); Sa2VA is "
            "built on SAM 2.0. Pass the 2.0 file, for example sam2_hiera_large.pt"
        )
        return offers
    for name, shape in shapes.items():
        canonical = name if native else canonical_name(name)
        if isinstance(canonical, LoraName):
            factors = offers.factors.setdefault(canonical.weight, {})
            if canonical.factor in factors:
                problems.append(f"{role.value}: two LoRA adapters for {canonical.weight}; merge all but one first")
            factors[canonical.factor] = name
            continue
        if canonical.endswith("rotary_emb.inv_freq"):
            fates[name] = SourceFate(Fate.RECOMPUTED)
            continue
        if tied and canonical == LM_HEAD:
            fates[name] = SourceFate(Fate.TIED, (EMBEDDINGS,))
            continue
        goes_to = (Place(name),) if native else places(canonical)
        if not goes_to or any(place.target not in targets for place in goes_to):
            problems.append(f"{role.value} tensor with no place in the model: {name} {list(shape)}")
            continue
        for place in goes_to:
            if place.parts > 1 and shape[0] % place.parts:
                problems.append(f"{role.value}: {name} {list(shape)} cannot be split into {place.parts} equal parts")
                continue
            size = shape[0] // place.parts
            pieces = offers.weights.setdefault(place.target, {})
            if place.position in pieces:
                problems.append(f"{role.value}: {name} and {pieces[place.position][1].name} both fill {place.target}")
                continue
            pieces[place.position] = (place, Rows(role, name, place.part * size, (place.part + 1) * size))
    return offers


def _is_sam21(stored: str) -> bool:
    """Whether this stored name exists in SAM 2.1 only."""
    name = canonical_name(stored)
    return isinstance(name, str) and name.startswith(SAM21_ONLY)


def _pair_factors(
    sources: Mapping[Role, Shapes],
    offers: Mapping[Role, _Offers],
    targets: Shapes,
    alpha: float | None,
    rank_stabilised: bool,
    problems: list[str],
) -> dict[str, Lora]:
    """LoRA changes by target; factors are taken from the checkpoint alone."""
    loras: dict[str, Lora] = {}
    for role, offer in offers.items():
        if role is not Role.CHECKPOINT and offer.factors:
            problems.append(f"{role.value}: holds LoRA factors; a base must be merged. Convert it first")
    if Role.CHECKPOINT not in offers:
        return loras
    shapes, factors = sources[Role.CHECKPOINT], offers[Role.CHECKPOINT].factors
    if factors and alpha is None:
        problems.append(
            "LoRA alpha is unknown: it is no tensor, and neither the checkpoint's own training config nor "
            "--train-config names it. Pass --lora-alpha"
        )
        return loras
    for weight, pair in factors.items():
        if set(pair) != {"A", "B"}:
            missing = "B" if "A" in pair else "A"
            problems.append(f"LoRA pair incomplete: {weight} has no lora_{missing} (only {next(iter(pair.values()))})")
            continue
        shape_a, shape_b = shapes[pair["A"]], shapes[pair["B"]]
        if len(shape_a) != 2 or len(shape_b) != 2 or shape_a[0] != shape_b[1]:
            problems.append(f"LoRA pair of different ranks: {pair['A']} {list(shape_a)}, {pair['B']} {list(shape_b)}")
            continue
        goes_to = [place for place in places(weight) if place.target in targets]
        if not goes_to:
            problems.append(f"LoRA pair with no place in the model: {weight}")
        for place in goes_to:
            size = shape_b[0] // place.parts
            rank = shape_a[0]
            scale = alpha / (rank**0.5 if rank_stabilised else rank)
            change = Lora(pair["A"], pair["B"], place.part * size, (place.part + 1) * size, scale)
            if (size, shape_a[1]) != tuple(targets[place.target]):
                problems.append(
                    f"shape mismatch: LoRA of {place.target} is {[size, shape_a[1]]}, "
                    f"the base's is {list(targets[place.target])}"
                )
            loras[place.target] = change
    return loras


def _fill(
    name: str,
    shape: tuple[int, ...],
    found: list[Role],
    offers: Mapping[Role, _Offers],
    sources: Mapping[Role, Shapes],
    lora: Lora | None,
    problems: list[str],
) -> Target | None:
    """The target from the first role that offers it; a later role is its counterpart in the bases."""
    role = found[0]
    rows = _joined(name, shape, role, offers[role], sources[role], problems)
    if rows is None:
        return None
    origin = Origin.MERGED if lora else Origin(role.value)
    target = Target(name, shape, origin, rows, lora)
    counterpart = next((other for other in found if other is not Role.CHECKPOINT), None)
    if lora:
        return replace(target, base_rows=rows)
    if role is Role.CHECKPOINT and counterpart is not None:
        pieces = offers[counterpart].weights[name]
        return replace(target, base_rows=tuple(pieces[position][1] for position in sorted(pieces)))
    return target


def _joined(
    name: str, shape: tuple[int, ...], role: Role, offer: _Offers, shapes: Shapes, problems: list[str]
) -> tuple[Rows, ...] | None:
    pieces = offer.weights[name]
    expected = next(iter(pieces.values()))[0].positions
    if len(pieces) != expected:
        problems.append(f"{role.value}: {name} needs {expected} pieces, found {len(pieces)}")
        return None
    rows = tuple(pieces[position][1] for position in sorted(pieces))
    trailing = {tuple(shapes[part.name][1:]) for part in rows}
    came = [sum(part.stop - part.start for part in rows), *next(iter(trailing))]
    if len(trailing) > 1 or came != list(shape):
        stored = ", ".join(f"{part.name} {list(shapes[part.name])}" for part in rows)
        problems.append(f"shape mismatch: {name} expects {list(shape)}, the {role.value} gives {came} ({stored})")
        return None
    return rows


def _settle(
    planned: Iterable[Target],
    offers: Mapping[Role, _Offers],
    sources: Mapping[Role, Shapes],
    fates: dict[Role, dict[str, SourceFate]],
    problems: list[str],
) -> None:
    """Write every source tensor's fate; what is left without one is a problem."""
    reached: dict[tuple[Role, str], list[str]] = {}
    merged: set[tuple[Role, str]] = set()
    filled_by: dict[str, Role] = {}
    for target in planned:
        filled_by[target.name] = target.rows[0].role
        used = [(part.role, part.name) for part in target.rows]
        if target.lora:
            used += [(Role.CHECKPOINT, target.lora.a), (Role.CHECKPOINT, target.lora.b)]
            merged.update(used)
        for key in used:
            reached.setdefault(key, []).append(target.name)
    for role, offer in offers.items():
        for name in sources[role]:
            if name in fates[role]:
                continue
            key = (role, name)
            if key in reached:
                fate = Fate.MERGED if key in merged else Fate.USED
                fates[role][name] = SourceFate(fate, tuple(reached[key]))
        for target, pieces in offer.weights.items():
            for _, part in pieces.values():
                if part.name not in fates[role] and filled_by.get(target, role) is not role:
                    fates[role][part.name] = SourceFate(Fate.OVERRIDDEN, (target,))
        if not problems:
            problems.extend(f"{role.value} tensor unused: {name}" for name in sources[role] if name not in fates[role])


def _report(problems: list[str]) -> str:
    shown = "\n".join(f"  - {problem}" for problem in problems[:_SHOWN])
    rest = f"\n  ... and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return f"the tensors do not add up, nothing was written ({len(problems)} problems):\n{shown}{rest}"
