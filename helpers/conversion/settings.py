"""Settings of a conversion that are no tensors: LoRA alpha, chat template, special tokens, SAM2 sizes.

Each setting keeps a record of where it came from. An explicit option wins and the override is recorded; two sources
that nobody chose explicitly and that disagree are refused.
"""

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.errors import RefusedInput, UsageProblem
from helpers.sa2va.configuration_sa2va import TEMPLATES
from helpers.sa2va.sam2_sizes import PRESETS, Sam2Sizes

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """One source's word on a setting. `explicit`: the user named this value or this file on the command line."""

    value: Any
    source: str
    explicit: bool = False


@dataclass(frozen=True)
class Setting:
    """A settled setting: its value, its source, and the other values it overrode."""

    name: str
    value: Any
    source: str | None
    overrides: tuple[Candidate, ...] = ()

    def to_dict(self) -> dict:
        return {
            "value": self.value,
            "source": self.source,
            "overrides": [{"value": other.value, "source": other.source} for other in self.overrides],
        }


def settle(name: str, candidates: Iterable[Candidate], option: str) -> Setting:
    """Choose a value.

    Args:
        candidates: in order of precedence among explicit ones; those with value None say nothing.
        option: the command-line option that settles it, for messages.
    Raises:
        RefusedInput: where no candidate is explicit and two disagree.
    """
    said = [candidate for candidate in candidates if candidate.value is not None]
    if not said:
        return Setting(name, None, None)
    chosen = next((candidate for candidate in said if candidate.explicit), said[0])
    others = tuple(candidate for candidate in said if candidate.value != chosen.value)
    if others and not chosen.explicit:
        listed = "; ".join(f"{candidate.source} says {candidate.value!r}" for candidate in said)
        raise RefusedInput(f"{name}: the sources disagree ({listed}). Decide with {option}")
    for other in others:
        _log.warning(
            "%s: %r from %s overrides %r from %s", name, chosen.value, chosen.source, other.value, other.source
        )
    return Setting(name, chosen.value, chosen.source, others)


def check_template(setting: Setting) -> str:
    """The template's name, known to the kit.

    Raises:
        UsageProblem: where no source names one.
        RefusedInput: for a template the kit has no text for.
    """
    if setting.value is None:
        raise UsageProblem(
            "template: no training config and no export names the chat template; pass --template, one of "
            f"{sorted(TEMPLATES)} (the one in the training config)"
        )
    if setting.value not in TEMPLATES:
        raise RefusedInput(
            f"template: {setting.source} names {setting.value!r}; expected one of {sorted(TEMPLATES)}. "
            "Decide with --template"
        )
    return setting.value


def read_sam2_sizes(name: str) -> Sam2Sizes:
    """SAM2 sizes from a preset's name or a JSON file.

    Raises:
        UsageProblem: where it is neither, or the file does not hold sizes.
    """
    if name in PRESETS:
        return PRESETS[name]
    path = Path(name)
    if not path.is_file():
        raise UsageProblem(
            f"--sam2-config {name}: expected one of {sorted(PRESETS)} or a JSON file; there is no such file"
        )
    try:
        return Sam2Sizes.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageProblem(f"--sam2-config {path}: {error}") from error
