"""Names of tensors without what torch's wrappers of a model put into them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from helpers.core.errors import RefusedInput

# A part of a name, anywhere, that only a wrapper makes -> which one.
_PARTS = {
    "_orig_mod": "torch.compile",
    "_fsdp_wrapped_module": "FullyShardedDataParallel",
    "_checkpoint_wrapped_module": "activation checkpoints",
}
# The first part of every name of a model within a wrapper that has it as its only module.
_FIRST, _FIRST_BY = "module.", "DistributedDataParallel"


@dataclass(frozen=True)
class PlainNames:
    """Names as the model itself has them.

    Attributes:
        stored: plain name -> the name in the file, in the file's order.
        wrappers: what made the others, such as `torch.compile`.
    """

    stored: dict[str, str]
    wrappers: tuple[str, ...]


def plain_names(names: Iterable[str], path: Path) -> PlainNames:
    """Take the wrappers' parts out of names.

    `module.` counts where every name begins with it: a model may have a module of that name, a Sa2VA has none.

    Raises:
        RefusedInput: where only some names begin so, or two would become one.
    """
    listed = list(names)
    found: dict[str, None] = {}
    plain = [_without_parts(name, found) for name in listed]
    while plain and all(name.startswith(_FIRST) for name in plain):
        found[_FIRST_BY] = None
        plain = [name.removeprefix(_FIRST) for name in plain]
    mixed = next((name for name in plain if name.startswith(_FIRST)), None)
    if mixed is not None:
        raise RefusedInput(
            f"{path}: some names begin with {_FIRST!r}, as {_FIRST_BY} puts it in front of every name ({mixed}), and "
            "others do not. The file was put together from several: give the checkpoint as training wrote it"
        )
    stored = dict(zip(plain, listed, strict=True))
    if len(stored) < len(listed):
        twice = next(name for at, name in enumerate(plain) if stored[name] != listed[at])
        raise RefusedInput(
            f"{path} holds {twice} twice, with and without what {' and '.join(found)} puts into names; "
            "it is unclear which counts. Give the checkpoint as training wrote it"
        )
    return PlainNames(stored, tuple(found))


def _without_parts(name: str, found: dict[str, None]) -> str:
    """The name without parts of wrappers, which are added to `found`."""
    kept = name.split(".")
    for part in dict.fromkeys(kept):
        if part in _PARTS:
            found[_PARTS[part]] = None
    return ".".join(part for part in kept if part not in _PARTS)
