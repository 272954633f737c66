"""What is known of the training run: whose word on its settings counts, and what else was said."""

from dataclasses import dataclass
from pathlib import Path

from helpers.checkpoint.adapters import AdapterPart, AdapterSettings
from helpers.checkpoint.foreign_folder import ADAPTER_CONFIG
from helpers.checkpoint.source import TensorSource
from helpers.checkpoint.train_config import (
    CONTRADICTION,
    TrainingConfig,
    adapter_training_config,
    read_training_config,
    read_training_config_file,
)
from helpers.conversion.settings import Candidate
from helpers.errors import RefusedInput, UsageProblem


@dataclass(frozen=True)
class RunConfig:
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
    def lora(self) -> "RunConfig":
        """Whose word on LoRA counts."""
        return self if self.adapter_file is None else RunConfig(self.adapter_file, adapter_file=self.adapter_file)

    def adapter(self, part: AdapterPart) -> AdapterSettings | None:
        """The settings of one part's LoRA; None where there is no config, or it has none for this part."""
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


def open_run_config(train_config: Path | None, checkpoint: TensorSource) -> RunConfig:
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
        found = RunConfig(read_training_config(text, stored_origin) if text else adapter, adapter_file=adapter)
    else:
        superseded, notes = None, ()
        if text:
            try:
                superseded = read_training_config(text, stored_origin)
            except RefusedInput as error:
                notes = (f"{stored_origin} was not read, and --train-config stands in its place: {error}",)
        found = RunConfig(read_training_config_file(train_config), superseded, True, adapter, notes)
    if found.governing is not None and found.governing.inherited is not None:
        raise found.problem(
            f"{found.origin} takes over another config ({found.governing.inherited}), which is not followed; pass as "
            "--train-config the merged one that mmengine wrote into the run's work folder"
        )
    return found
