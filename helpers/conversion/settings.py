"""Settings of a conversion that are no tensors: LoRA alpha, chat template, special tokens, SAM2 sizes.

Each setting keeps a record of where it came from. An explicit option wins and the override is recorded; two sources
that nobody chose explicitly and that disagree are refused.
"""

import json
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.checkpoint.source import CheckpointKind, TensorSource
from helpers.conversion.key_map import SAM2, LoraName, canonical_name
from helpers.errors import RefusedInput, UsageProblem
from helpers.sa2va.configuration_sa2va import TEMPLATES
from helpers.sa2va.sam2_sizes import PRESETS, Sam2Sizes

_log = logging.getLogger(__name__)

TEMPLATE_OPTION = "--template"


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


def settle(name: str, candidates: Iterable[Candidate], option: str, superseded: Iterable[Candidate] = ()) -> Setting:
    """Choose a value.

    Args:
        candidates: in order of precedence among explicit ones; those with value None say nothing.
        option: the command-line option that settles it, for messages.
        superseded: what was said by a source that another one stands in place of; recorded, never chosen.
    Raises:
        RefusedInput: where no candidate is explicit and two disagree.
    """
    said = [candidate for candidate in candidates if candidate.value is not None]
    if not said:
        return Setting(name, None, None)
    chosen = next((candidate for candidate in said if candidate.explicit), said[0])
    others = tuple(candidate for candidate in said if candidate.value != chosen.value)
    replaced = (candidate for candidate in superseded if candidate.value is not None)
    if others and not chosen.explicit:
        listed = "; ".join(f"{candidate.source} says {candidate.value!r}" for candidate in said)
        raise RefusedInput(f"{name}: the sources disagree ({listed}). Decide with {option}")
    others += tuple(candidate for candidate in replaced if candidate.value != chosen.value)
    for other in others:
        _log.warning(
            "%s: %r from %s overrides %r from %s", name, chosen.value, chosen.source, other.value, other.source
        )
    return Setting(name, chosen.value, chosen.source, others)


def check_template(setting: Setting) -> str:
    """The template's name, known to the kit.

    Raises:
        UsageProblem: where no source names one, or `--template` names an unknown one.
        RefusedInput: for a template of the run that the kit has no text for.
    """
    if setting.value is None:
        raise UsageProblem(
            "template: no training config and no export names the chat template; pass --template, one of "
            f"{sorted(TEMPLATES)} (the one in the training config)"
        )
    if setting.value in TEMPLATES:
        return setting.value
    if setting.source == TEMPLATE_OPTION:
        raise UsageProblem(f"--template {setting.value}: expected one of {sorted(TEMPLATES)}")
    raise RefusedInput(
        f"template: {setting.source} names {setting.value!r}, and this version has the texts of {sorted(TEMPLATES)} "
        f"only. The model knows prompts in the words of {setting.value!r} and in no other's, so that it cannot be "
        "converted before these words are in TEMPLATES of helpers/sa2va/configuration_sa2va.py: take its INSTRUCTION "
        "and STOP_WORDS from the code that trained it"
    )


def settle_sam2_sizes(asked: str | None, opened: Iterable[TensorSource]) -> tuple[Sam2Sizes, Setting]:
    """SAM2's sizes: the option, else a native folder's config, else the preset whose image encoder the tensors fit.

    Args:
        asked: a preset's name, or a JSON file.
        opened: every source, the one that counts first.
    Raises:
        UsageProblem: where nothing tells them.
    """
    sources = list(opened)
    natives = [source for source in sources if source.kind is CheckpointKind.NATIVE]
    if asked is not None:
        sizes = read_sam2_sizes(asked)
        stored = [
            Candidate(source.config["sam2_config"], f"config.json of {source.path.name}")
            for source in natives
            if Sam2Sizes.from_dict(source.config["sam2_config"]) != sizes
        ]
        return sizes, Setting("sam2_config", Path(asked).name, "--sam2-config", tuple(stored))
    for source in natives:
        sizes = Sam2Sizes.from_dict(source.config["sam2_config"])
        return sizes, Setting("sam2_config", "as stored", f"config.json of {source.path.name}")
    for source in sources:
        names = {canonical_name(name): tensor.shape for name, tensor in source.tensors.items()}
        patch = names.get(f"{SAM2}image_encoder.trunk.patch_embed.proj.weight")
        if patch is None:
            continue
        pattern = re.compile(re.escape(SAM2) + r"image_encoder\.trunk\.blocks\.(\d+)\.")
        found = (pattern.match(name) for name in names if not isinstance(name, LoraName))
        blocks = len({match.group(1) for match in found if match})
        for preset, sizes in PRESETS.items():
            if (sizes.embed_dim, sum(sizes.stages)) == (patch[0], blocks):
                return sizes, Setting("sam2_config", preset, f"tensor shapes of {source.path.name}")
        raise UsageProblem(
            f"{source.path.name}: SAM2 with width {patch[0]} and {blocks} blocks is none of {sorted(PRESETS)}; "
            "pass --sam2-config with a JSON file of its sizes"
        )
    raise UsageProblem(
        "SAM2: no source holds its image encoder; pass --sam2 with the SAM 2.0 file the run started from "
        "(for the official configs: sam2_hiera_large.pt)"
    )


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
