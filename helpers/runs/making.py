"""Under which versions, and on what, a case was computed: a run may go on elsewhere, and then says so."""

import json
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version

import helpers

# Those whose version can change what a model answers.
PACKAGES = ("torch", "transformers", "numpy", "pillow")


def making(device: str) -> dict[str, str | None]:
    """Versions and machine of this process, without names: a JSON object whose equality means equal conditions.

    Args:
        device: that computes, such as `cpu` or `cuda:1`.
    """
    gpu = None
    if device.startswith("cuda"):
        import torch  # here, since a run is opened without it

        gpu = torch.cuda.get_device_name(device)
    versions = {name: version(name) for name in PACKAGES}
    return {"vesselkit": helpers.__version__, **versions, "processor": platform.machine(), "gpu": gpu}


def making_text(made: Mapping[str, str | None] | None) -> str | None:
    """A making as text, equal for equal ones; None for an unknown one."""
    return None if made is None else json.dumps(made, sort_keys=True)


def mixture(counts: Mapping[str | None, int]) -> str | None:
    """A sentence on cases that were not all computed under the same conditions; None where they were.

    Args:
        counts: number of cases by `making_text`.
    """
    if len(counts) < 2:
        return None
    known = {text: json.loads(text) for text in counts if text is not None}
    names = list(dict.fromkeys(name for made in known.values() for name in made))
    apart = [name for name in names if len({made.get(name) for made in known.values()}) > 1]
    shares = [
        f"{count} of {sum(counts.values())} cases with {making_words(known.get(text), apart or names)}"
        for text, count in counts.items()
    ]
    return (
        f"computed under different versions or on different machines: {'; '.join(shares)}. A difference between these "
        "cases may come from that; predict into a new folder to have all from one"
    )


def making_words(made: Mapping[str, str | None] | None, names: Iterable[str]) -> str:
    """What a making says of some of its fields, for people."""
    if made is None:
        return "no versions kept"
    return ", ".join(f"{name} {made.get(name, 'unknown') or 'none'}" for name in names)
