"""Whether a base is the one that a checkpoint was trained on, as far as sizes can tell."""

import re

from helpers.conversion.key_map import LoraName, canonical_name
from helpers.conversion.plan import EMBEDDINGS, Role
from helpers.conversion.request import Sources
from helpers.errors import RefusedInput

_LAYER = re.compile(r"language_model\.model\.layers\.(\d+)\.(?:self_attn\.[qkv]_proj|mlp\.(?:gate|up)_proj)\.weight")


def checkpoint_sizes(sources: Sources) -> dict[str, int]:
    """Sizes that the trained tensors show: language width, language layers, vision width."""
    sizes: dict[str, int] = {}
    layers = set()
    for name, tensor in sources.opened[Role.CHECKPOINT].tensors.items():
        found = canonical_name(name)
        is_factor = isinstance(found, LoraName)
        canonical = found.weight if is_factor else found
        match = _LAYER.fullmatch(canonical)
        if match:
            layers.add(int(match.group(1)))
            if not is_factor or found.factor == "A":
                sizes["language width"] = tensor.shape[1]
        elif canonical == EMBEDDINGS:
            sizes["language width"] = tensor.shape[1]
        elif canonical == "mlp1.0.weight":
            sizes["vision width"] = tensor.shape[0] // 4
    if layers:
        sizes["language layers"] = max(layers) + 1
    return sizes


def require_base_fits(sources: Sources) -> None:
    """Stop where the base's config has other sizes than the trained tensors.

    Raises:
        RefusedInput: naming both, size by size.
    """
    if Role.BASE not in sources.opened or sources.folder != sources.opened[Role.BASE].path:
        return
    config = sources.official
    text = config.get("llm_config", config.get("text_config", {}))
    base = {
        "language width": text.get("hidden_size"),
        "language layers": text.get("num_hidden_layers"),
        "vision width": config.get("vision_config", {}).get("hidden_size"),
    }
    trained = checkpoint_sizes(sources)
    different = [name for name, size in trained.items() if base[name] is not None and base[name] != size]
    if different:
        listed = "; ".join(f"{name}: checkpoint {trained[name]}, base {base[name]}" for name in different)
        raise RefusedInput(
            f"the base {sources.folder.name} does not fit the checkpoint "
            f"{sources.opened[Role.CHECKPOINT].path.name} ({listed}); pass as --base the InternVL folder that the "
            "run started from"
        )
