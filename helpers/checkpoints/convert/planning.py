"""Making a plan, from names and shapes alone, before any weight is read.

It is complete or it is refused: every target has a source, every source tensor has a fate, and nothing trained is left
over.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby

from helpers.checkpoints.convert.base_models import misfit_message
from helpers.checkpoints.convert.key_map import (
    SAM21_ONLY,
    AttentionHeads,
    LoraName,
    TensorPlace,
    canonical_name,
    places,
)
from helpers.checkpoints.convert.lora_settings import LoraScale, adapter_part
from helpers.checkpoints.convert.plan import (
    EMBEDDINGS,
    LM_HEAD,
    ConversionPlan,
    Fate,
    Lora,
    Problems,
    Rows,
    SourceFate,
    SourceRole,
    Target,
    TensorOrigin,
    joined_ranges,
)
from helpers.checkpoints.read.adapters import AdapterPart
from helpers.core.errors import RefusedInput


@dataclass
class _Offers:
    """What one source has to give, by target."""

    weights: dict[str, dict[int, tuple[TensorPlace, Rows]]] = field(default_factory=dict)
    factors: dict[str, dict[str, str]] = field(default_factory=dict)


Shapes = Mapping[str, tuple[int, ...]]


def make_plan(
    sources: Mapping[SourceRole, Shapes],
    targets: Shapes,
    *,
    native: frozenset[SourceRole] = frozenset(),
    scales: Mapping[AdapterPart, LoraScale] | None = None,
    tied: bool = False,
    names: Mapping[SourceRole, str] | None = None,
    heads: AttentionHeads | None = None,
) -> ConversionPlan:
    """Account for every tensor.

    Args:
        sources: stored name -> shape, for each source.
        targets: name -> shape of the native model to fill.
        native: sources that already use the native model's names.
        scales: of the LoRA of each part that has any.
        tied: the output head shares the embeddings, so that a stored head is accounted as tied.
        names: of the sources' files, for messages.
        heads: of the language model, by which a fused attention weight is split.
    Raises:
        RefusedInput: naming every kind of problem found.
    """
    problems = Problems()
    fates: dict[SourceRole, dict[str, SourceFate]] = {role: {} for role in sources}
    offers = {
        role: _collect(role, shapes, targets, role in native, tied, heads, fates[role], problems)
        for role, shapes in sources.items()
    }
    _require_fit(sources, targets, SourceRole.PRETRAINED in native, tied, heads, names or {})
    loras = _pair_factors(sources, offers, targets, scales or {}, heads, problems)
    planned = []
    for name, shape in targets.items():
        found = [role for role in SourceRole if role in offers and name in offers[role].weights]
        if not found:
            problems.add("target tensor without a source", f"{name} {list(shape)}")
            continue
        target = _fill(name, shape, found, offers, sources, loras.get(name), problems)
        if target is not None:
            planned.append(target)
    _settle(planned, offers, sources, fates, problems)
    problems.raise_any()
    return ConversionPlan(tuple(planned), fates)


def _collect(
    role: SourceRole,
    shapes: Shapes,
    targets: Shapes,
    native: bool,
    tied: bool,
    heads: AttentionHeads | None,
    fates: dict[str, SourceFate],
    problems: Problems,
) -> _Offers:
    """Sort a source's tensors by the target they can fill."""
    offers = _Offers()
    if any(_is_sam21(name) for name in shapes):
        raise RefusedInput(
            f"{role.value}: this SAM2 file is SAM 2.1 (it holds no_obj_embed_spatial or obj_ptr_tpos_proj); Sa2VA is "
            "built on SAM 2.0. Pass the 2.0 file, for example sam2_hiera_large.pt"
        )
    for name, shape in shapes.items():
        stem, original, _ = name.partition(".original_module.")
        if original and any(other.startswith(f"{stem}.modules_to_save.") for other in shapes):
            fates[name] = SourceFate(Fate.ORIGINAL)
            continue
        canonical = name if native else canonical_name(name)
        if isinstance(canonical, LoraName):
            factors = offers.factors.setdefault(canonical.weight, {})
            if canonical.factor in factors:
                problems.add(f"{role.value}: two LoRA adapters, merge all but one first", canonical.weight)
            factors[canonical.factor] = name
            continue
        if canonical.endswith("rotary_emb.inv_freq"):
            fates[name] = SourceFate(Fate.RECOMPUTED)
            continue
        if tied and canonical == LM_HEAD:
            fates[name] = SourceFate(Fate.TIED, (EMBEDDINGS,))
            continue
        goes_to = _places(canonical, native, targets, heads)
        if not goes_to:
            if role is SourceRole.PRETRAINED:
                fates[name] = SourceFate(Fate.NOT_TAKEN)
            else:
                problems.add(f"{role.value} tensor with no place in the model", f"{name} {list(shape)}")
            continue
        for place in goes_to:
            if place.parts > 1 and shape[0] % place.parts:
                problems.add(f"{role.value} tensor that cannot be split into equal parts", f"{name} {list(shape)}")
                continue
            size = shape[0] // place.parts
            pieces = offers.weights.setdefault(place.target, {})
            if place.position in pieces:
                other = pieces[place.position][1].name
                problems.add(f"{role.value}: two tensors for one", f"{name} and {other} both fill {place.target}")
                continue
            pieces[place.position] = (place, Rows(role, name, place.part * size, (place.part + 1) * size))
    return offers


def _is_sam21(stored: str) -> bool:
    """Whether this stored name exists in SAM 2.1 only."""
    name = canonical_name(stored)
    return isinstance(name, str) and name.startswith(SAM21_ONLY)


def _places(canonical: str, native: bool, targets: Shapes, heads: AttentionHeads | None) -> tuple[TensorPlace, ...]:
    """Where a tensor goes, all of it in the model; empty where it has no place there."""
    goes_to = (TensorPlace(canonical),) if native or canonical in targets else places(canonical, heads)
    return goes_to if all(place.target in targets for place in goes_to) else ()


def _require_fit(
    sources: Mapping[SourceRole, Shapes],
    targets: Shapes,
    native: bool,
    tied: bool,
    heads: AttentionHeads | None,
    names: Mapping[SourceRole, str],
) -> None:
    """Stop where a tensor of the pretrained file has another shape than the model's, whatever overrides it."""
    misfits = {}
    for name, shape in sources.get(SourceRole.PRETRAINED, {}).items():
        canonical = name if native else canonical_name(name)
        if isinstance(canonical, LoraName):
            continue
        head = tied and canonical == LM_HEAD
        for place in _places(EMBEDDINGS if head else canonical, native, targets, heads):
            rows, *rest = targets[place.target] or (1,)
            expected = (rows * place.parts // place.positions, *rest)
            if tuple(shape) != expected:
                misfits[name] = (tuple(shape), expected)
    if misfits:
        file = names.get(SourceRole.PRETRAINED, "FILE_OR_DIR")
        raise RefusedInput(misfit_message(file, names.get(SourceRole.BASE, "DIR"), misfits))


def _pair_factors(
    sources: Mapping[SourceRole, Shapes],
    offers: Mapping[SourceRole, _Offers],
    targets: Shapes,
    scales: Mapping[AdapterPart, LoraScale],
    heads: AttentionHeads | None,
    problems: Problems,
) -> dict[str, Lora]:
    """LoRA changes by target; factors are taken from the checkpoint alone."""
    loras: dict[str, Lora] = {}
    for role, offer in offers.items():
        if role is not SourceRole.CHECKPOINT and offer.factors:
            raise RefusedInput(f"{role.value}: holds LoRA factors; a base must be merged. Convert it first")
    if SourceRole.CHECKPOINT not in offers:
        return loras
    shapes, factors = sources[SourceRole.CHECKPOINT], offers[SourceRole.CHECKPOINT].factors
    for weight, pair in factors.items():
        alpha, is_stabilised = _scale(weight, scales)
        if set(pair) != {"A", "B"}:
            missing = "B" if "A" in pair else "A"
            problems.add("LoRA pair incomplete", f"{weight} has no lora_{missing} (only {next(iter(pair.values()))})")
            continue
        shape_a, shape_b = shapes[pair["A"]], shapes[pair["B"]]
        if len(shape_a) != 2 or len(shape_b) != 2 or shape_a[0] != shape_b[1]:
            problems.add("LoRA pair of different ranks", f"{pair['A']} {list(shape_a)}, {pair['B']} {list(shape_b)}")
            continue
        goes_to = _places(weight, False, targets, heads)
        if not goes_to:
            problems.add("LoRA pair with no place in the model", weight)
        rank = shape_a[0]
        factor = alpha / (rank**0.5 if is_stabilised else rank)
        for target in dict.fromkeys(place.target for place in goes_to):
            here = sorted((one for one in goes_to if one.target == target), key=lambda one: one.position)
            sizes = {one: shape_b[0] // one.parts for one in here}
            ranges = joined_ranges((one.part * size, (one.part + 1) * size) for one, size in sizes.items())
            change = (sum(sizes.values()), shape_a[1])
            if change != tuple(targets[target]):
                problems.add(
                    "shape mismatch",
                    f"LoRA of {target} is {list(change)}, the base's is {list(targets[target])}",
                )
            loras[target] = Lora(pair["A"], pair["B"], ranges, factor)
    return loras


def _scale(weight: str, scales: Mapping[AdapterPart, LoraScale]) -> tuple[float, bool]:
    """Alpha of the part that a weight belongs to, and whether the rank's root divides it.

    Raises RefusedInput where nothing names alpha.
    """
    part = adapter_part(weight)
    if part is None:
        raise RefusedInput(
            f"LoRA of {weight}: belongs to neither {' nor '.join(one.value for one in AdapterPart)}, so that nothing "
            "names its alpha. Merge it with peft in the training environment, save the full model, and convert that"
        )
    scale = scales.get(part, LoraScale(None))
    if scale.alpha is None:
        told = "neither the checkpoint's own training config nor --train-config names it"
        if part is AdapterPart.LANGUAGE:
            raise RefusedInput(f"LoRA alpha is unknown: it is not a tensor, and {told}. Pass --lora-alpha")
        raise RefusedInput(
            f"LoRA alpha of {part.value} is unknown: it is not a tensor, and {told}; --lora-alpha is the language "
            f"model's. Pass as --train-config a copy of the config with {part.value} written out"
        )
    return scale.alpha, scale.rank_stabilised


def _fill(
    name: str,
    shape: tuple[int, ...],
    found: list[SourceRole],
    offers: Mapping[SourceRole, _Offers],
    sources: Mapping[SourceRole, Shapes],
    lora: Lora | None,
    problems: Problems,
) -> Target | None:
    """The target from the first role that offers it; a later role is its counterpart in the bases."""
    role = found[0]
    rows = _joined(name, shape, role, offers[role], sources[role], problems)
    if rows is None:
        return None
    origin = TensorOrigin.MERGED if lora else TensorOrigin(role.value)
    target = Target(name, shape, origin, rows, lora)
    counterpart = next((other for other in found if other is not SourceRole.CHECKPOINT), None)
    if lora:
        return replace(target, base_rows=rows)
    if role is SourceRole.CHECKPOINT and counterpart is not None:
        pieces = offers[counterpart].weights[name]
        return replace(target, base_rows=_one_after_another(pieces[position][1] for position in sorted(pieces)))
    return target


def _joined(
    name: str, shape: tuple[int, ...], role: SourceRole, offer: _Offers, shapes: Shapes, problems: Problems
) -> tuple[Rows, ...] | None:
    pieces = offer.weights[name]
    expected = next(iter(pieces.values()))[0].positions
    if len(pieces) != expected:
        problems.add(f"{role.value}: pieces missing", f"{name} needs {expected} pieces, found {len(pieces)}")
        return None
    rows = _one_after_another(pieces[position][1] for position in sorted(pieces))
    trailing = {tuple(shapes[part.name][1:]) for part in rows}
    came = [sum(part.stop - part.start for part in rows), *next(iter(trailing))]
    if len(trailing) > 1 or came != list(shape):
        stored = ", ".join(f"{part.name} {list(shapes[part.name])}" for part in rows)
        problems.add("shape mismatch", f"{name} expects {list(shape)}, the {role.value} gives {came} ({stored})")
        return None
    return rows


def _one_after_another(rows: Iterable[Rows]) -> tuple[Rows, ...]:
    """Rows in order, those of one tensor that follow one another as one range."""
    return tuple(
        Rows(role, name, start, stop)
        for (role, name), group in groupby(rows, key=lambda one: (one.role, one.name))
        for start, stop in joined_ranges((one.start, one.stop) for one in group)
    )


def _settle(
    planned: Iterable[Target],
    offers: Mapping[SourceRole, _Offers],
    sources: Mapping[SourceRole, Shapes],
    fates: dict[SourceRole, dict[str, SourceFate]],
    problems: Problems,
) -> None:
    """Write every source tensor's fate; what is left without one is a problem."""
    reached: dict[tuple[SourceRole, str], list[str]] = {}
    merged: set[tuple[SourceRole, str]] = set()
    filled_by: dict[str, SourceRole] = {}
    for target in planned:
        filled_by[target.name] = target.rows[0].role
        used = [(part.role, part.name) for part in target.rows]
        if target.lora:
            used += [(SourceRole.CHECKPOINT, target.lora.a), (SourceRole.CHECKPOINT, target.lora.b)]
            merged.update(used)
        for key in dict.fromkeys(used):  # a target may take several row ranges of one tensor
            reached.setdefault(key, []).append(target.name)
    for role, offer in offers.items():
        for name in sources[role]:
            if name in fates[role]:
                continue
            key = (role, name)
            if key in reached:
                fate = Fate.MERGED if key in merged else Fate.USED
                fates[role][name] = SourceFate(fate, tuple(reached[key]))
        for place, pieces in offer.weights.items():
            for _, part in pieces.values():
                if part.name not in fates[role] and filled_by.get(place, role) is not role:
                    fates[role][part.name] = SourceFate(Fate.OVERRIDDEN, (place,))
        if not problems:
            for name in sources[role]:
                if name not in fates[role]:
                    problems.add(f"{role.value} tensor unused", name)
