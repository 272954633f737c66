"""A conversion's settings beside its tensors, and what is known of the training run that decides them.

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

from helpers.checkpoints.convert.key_map import LoraName, canonical_name
from helpers.checkpoints.read.adapters import AdapterPart, AdapterSettings
from helpers.checkpoints.read.file_type import ADAPTER_CONFIG
from helpers.checkpoints.read.model_identity import SAM2
from helpers.checkpoints.read.train_config import (
    CONTRADICTION,
    TrainingConfig,
    adapter_training_config,
    read_training_config,
    read_training_config_file,
)
from helpers.checkpoints.read.weight_source import CheckpointKind, TensorSource
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.model.configuration_sa2va import TEMPLATES
from helpers.model.sam2_sizes import PRESETS, Sam2Sizes

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


def resolve_setting(
    name: str, candidates: Iterable[Candidate], option: str, superseded: Iterable[Candidate] = ()
) -> Setting:
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
        "converted before these words are in TEMPLATES of helpers/model/configuration_sa2va.py: take its INSTRUCTION "
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
            Candidate(source.required_config["sam2_config"], f"config.json of {source.path.name}")
            for source in natives
            if Sam2Sizes.from_dict(source.required_config["sam2_config"]) != sizes
        ]
        return sizes, Setting("sam2_config", Path(asked).name, "--sam2-config", tuple(stored))
    for source in natives:
        sizes = Sam2Sizes.from_dict(source.required_config["sam2_config"])
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
            f"--sam2-config {name}: expected one of {sorted(PRESETS)} or a JSON file; no such file exists"
        )
    try:
        return Sam2Sizes.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageProblem(f"--sam2-config {path}: {error}") from error


@dataclass(frozen=True)
class TrainingRunConfig:
    """A training run's config.

    Attributes:
        governing: whose word counts; None where none was given or stored.
        superseded: the text in the checkpoint where `--train-config` stands in its place: recorded, never used.
        explicit: whether `--train-config` gave the governing one.
        adapter_file: what an adapter's own settings say, where the checkpoint is one: of its LoRA they alone count.
        notes: what a reader of the record should know of it.
    """

    governing: TrainingConfig | None = None
    superseded: TrainingConfig | None = None
    explicit: bool = False
    adapter_file: TrainingConfig | None = None
    notes: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """Of the governing config, for messages."""
        if self.governing is None:
            return "no training config"
        return f"--train-config {self.governing.origin}" if self.explicit else self.governing.origin

    @property
    def written_out(self) -> str:
        """What to pass where a value of the governing config was not read."""
        if self.governing is not None and self.governing is self.adapter_file:
            return f"a copy of that folder with the value written out in its {ADAPTER_CONFIG}"
        return "as --train-config a copy of the config with the value written out"

    @property
    def lora(self) -> "TrainingRunConfig":
        """Whose word on LoRA counts."""
        return (
            self if self.adapter_file is None else TrainingRunConfig(self.adapter_file, adapter_file=self.adapter_file)
        )

    def adapter(self, part: AdapterPart) -> AdapterSettings | None:
        """The settings of one part's LoRA; None without a config, or where it names no such part."""
        config = self.lora.governing
        return None if config is None else config.adapters.get(part)

    def candidates(self, field: str) -> list[Candidate]:
        """The governing config's word on a field."""
        if self.governing is None:
            return []
        return [Candidate(getattr(self.governing, field), self.governing.origin, self.explicit)]

    def overridden(self, field: str) -> list[Candidate]:
        """What the text in the checkpoint says where `--train-config` stands in its place."""
        if self.superseded is None:
            return []
        return [Candidate(getattr(self.superseded, field), self.superseded.origin)]

    def unread(self, field: str) -> str | None:
        """The source text of a field that was found and not understood."""
        return None if self.governing is None else self.governing.unread_text(field)

    def require_read(self, field: str, advice: str) -> None:
        """Stop where a field was found and not understood.

        Args:
            advice: what to do.
        Raises:
            UsageProblem: where `--train-config` gave the config.
            RefusedInput: where the checkpoint holds it.
        """
        text = self.unread(field)
        if text is not None:
            why = "" if text.startswith(CONTRADICTION) else " is not a plain value and is not computed"
            raise self.problem(f"{self.origin}: {field}: {text}{why}; {advice}")

    def problem(self, message: str) -> UsageProblem | RefusedInput:
        """An error about the governing config, of the kind that its source asks for."""
        return UsageProblem(message) if self.explicit else RefusedInput(message)


def open_run_config(train_config: Path | None, checkpoint: TensorSource) -> TrainingRunConfig:
    """The config file where one is given, else the text in the checkpoint; nothing in either is executed.

    Raises:
        UsageProblem, RefusedInput: for a config that is not read, contradicts itself, or takes over another one.
    """
    adapter = None
    if checkpoint.adapter is not None:
        adapter = adapter_training_config(checkpoint.adapter, f"the {ADAPTER_CONFIG} of {checkpoint.path.name}")
    text = checkpoint.meta.config_text if checkpoint.meta else None
    stored_origin = f"the config text in {checkpoint.path.name}"
    if train_config is None:
        found = TrainingRunConfig(read_training_config(text, stored_origin) if text else adapter, adapter_file=adapter)
    else:
        superseded, notes = None, tuple[str, ...]()
        if text:
            try:
                superseded = read_training_config(text, stored_origin)
            except RefusedInput as error:
                notes = (f"{stored_origin} was not read, and --train-config stands in its place: {error}",)
        found = TrainingRunConfig(read_training_config_file(train_config), superseded, True, adapter, notes)
    if found.governing is not None and found.governing.inherited is not None:
        raise found.problem(
            f"{found.origin} takes over another config ({found.governing.inherited}), which is not followed; pass as "
            "--train-config the merged one that mmengine wrote into the run's work folder"
        )
    return found
