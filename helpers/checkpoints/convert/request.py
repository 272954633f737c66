"""A user's request for a conversion, and the sources that answer it."""

import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from helpers.checkpoints.convert.base_models import (
    PRETRAINED,
    base_setting,
    config_folder,
    is_whole,
    missing_pretrained,
    open_pretrained,
    require_base_of_run,
    settle_base,
    settle_pretrained,
)
from helpers.checkpoints.convert.conversion_settings import (
    TEMPLATE_OPTION,
    Candidate,
    Setting,
    TrainingRunConfig,
    check_template,
    open_run_config,
    resolve_setting,
    settle_sam2_sizes,
)
from helpers.checkpoints.convert.families import FAMILIES, FamilyFacts, facts_of
from helpers.checkpoints.convert.lora_settings import LoraScale, lora_scales, settle_lora
from helpers.checkpoints.convert.plan import SourceRole
from helpers.checkpoints.convert.tokenizer_files import has_tokenizer
from helpers.checkpoints.read.adapters import AdapterPart
from helpers.checkpoints.read.model_identity import foreign_model, require_known
from helpers.checkpoints.read.weight_source import CheckpointKind, TensorSource, empty_text, open_source
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.vocabulary import ExportDtype
from helpers.model.configuration_sa2va import SPECIAL_TOKENS
from helpers.model.sam2_sizes import Sam2Sizes

_log = logging.getLogger(__name__)

# An entry of a checkpoint beside its weights that holds others.
_EMA = re.compile(r"(?:^|_)ema(?:_|$)|averaged?(?:_|$)", re.IGNORECASE)
_BASES = (CheckpointKind.INTERNVL_BASE, CheckpointKind.QWEN_VL_BASE, CheckpointKind.HF_EXPORT, CheckpointKind.NATIVE)


@dataclass(frozen=True)
class ConversionRequest:
    """The options of `vesselkit convert`; None means that the sources decide.

    Attributes:
        checkpoint: mmengine or flat `.pth`, official export, or native folder.
        output: the folder to write; it must not exist. None where the model is composed in memory.
        base: the folder of the base, or of a Sa2VA, that the run started from.
        sam2: the SAM 2.0 file.
        pretrained: a Sa2VA that the run loaded over `base`, its .pth or folder; 'none' where it loaded none.
        sam2_config: a preset's name or a JSON file of sizes.
        train_config: the training run's config file; read, never executed.
        lora_alpha: LoRA alpha, where no config names it or it must be overridden.
        template: name of the chat template, likewise.
        dtype: of every tensor of the export.
        shard_bytes: most bytes of one weight file.
    """

    checkpoint: Path
    output: Path | None
    base: Path | None = None
    sam2: Path | None = None
    sam2_config: str | None = None
    train_config: Path | None = None
    lora_alpha: float | None = None
    template: str | None = None
    dtype: str = ExportDtype.BFLOAT16
    shard_bytes: int = 2_000_000_000
    pretrained: Path | str | None = None


@dataclass(frozen=True)
class Sources:
    """The opened sources of a conversion and the settings they agree on.

    Attributes:
        opened: by role; CHECKPOINT is always there.
        folder: where config.json is read from.
        tokenizer_folder: where the tokenizer is read from.
        settings: lora_alpha, rank_stabilised, template, special_tokens, base and sam2_config, with their origins; where
            there are any, those of the vision tower's LoRA, and the pretrained Sa2VA.
        sam2_sizes: sizes of SAM2.
        run: what is known of the training run.
        text_files: config files that were read, by what they are.
        notes: what a reader of the record should know.
    """

    opened: Mapping[SourceRole, TensorSource]
    folder: Path
    tokenizer_folder: Path
    settings: Mapping[str, Setting]
    sam2_sizes: Sam2Sizes
    run: TrainingRunConfig
    text_files: Mapping[str, Path]
    notes: tuple[str, ...]

    @property
    def official(self) -> Mapping:
        """The parsed config.json of `folder`."""
        source = next(source for source in self.opened.values() if source.path == self.folder)
        return source.required_config

    @property
    def family(self) -> FamilyFacts:
        """The family of the model."""
        return facts_of(self.official)

    @property
    def scales(self) -> Mapping[AdapterPart, LoraScale]:
        """By which the LoRA of each part is merged."""
        return lora_scales(self.settings)

    @property
    def template(self) -> str:
        return self.settings["template"].value

    @property
    def special_tokens(self) -> tuple[str, ...]:
        return tuple(self.settings["special_tokens"].value)

    @property
    def native(self) -> frozenset[SourceRole]:
        """Roles whose tensors already carry the native names."""
        return frozenset(role for role, source in self.opened.items() if source.kind is CheckpointKind.NATIVE)


def open_sources(request: ConversionRequest) -> Sources:
    """Open every file of a request and settle its settings; reads headers and names, no weights.

    Raises:
        UsageProblem: for options that cannot work together, or a setting that no source names.
        RefusedInput: for files that are refused, and sources that disagree.
    """
    _check_options(request)
    checkpoint = require_values(open_source(request.checkpoint))
    run = open_run_config(request.train_config, checkpoint)
    opened = {SourceRole.CHECKPOINT: checkpoint}
    pretrained = open_pretrained(request.pretrained)
    if pretrained is not None:
        opened[SourceRole.PRETRAINED] = require_values(pretrained)
    beneath = None if request.pretrained is not None or is_whole(checkpoint) else missing_pretrained(run, None)
    base = settle_base(request.base, checkpoint, run, beneath)
    if base.value is not None:
        opened[SourceRole.BASE] = require_values(open_source(Path(base.value)))
    if request.sam2 is not None:
        opened[SourceRole.SAM2] = require_values(open_source(request.sam2))
    for role, source in opened.items():
        training = run.governing.values if role is SourceRole.CHECKPOINT and run.governing is not None else None
        require_known(source.path.name, foreign_model(source.tensors, source.config, training))
    require_sa2va_beneath(checkpoint, opened)
    settled = settle_pretrained(request.pretrained, run, checkpoint, opened.get(SourceRole.BASE))
    folder = config_folder(checkpoint, opened.get(SourceRole.BASE))
    _require_kinds(opened)
    settings = _settings(request, run, opened)
    require_base_of_run(run, checkpoint, opened.get(SourceRole.BASE))
    settings |= settle_lora(request.lora_alpha, run, checkpoint)
    settings["base"] = base_setting(base, run, is_pretrained=settled.source == base.source == "--base")
    if settled.value is not None:
        settings[PRETRAINED] = settled
    sizes, settings["sam2_config"] = settle_sam2_sizes(request.sam2_config, opened.values())
    notes = list(run.notes)
    if run.governing is not None:
        notes += [f"{run.governing.origin}: not read: {entry}" for entry in run.governing.unread]
    notes += [
        f"{source.path.name}: left aside: {name} ({reason})"
        for source in opened.values()
        for name, reason in source.ignored.items()
    ]
    notes += [
        f"{source.path.name}: its names are read without what {' and '.join(source.wrappers)} puts into them"
        for source in opened.values()
        if source.wrappers
    ]
    notes += [
        f"{source.path.name}: holds {entry} beside the weights that are read: another set, such as their running "
        "average. Where mmengine's EMAHook saved the file, those that are read are the average"
        for source in opened.values()
        for entry in source.other_entries
        if _EMA.search(entry)
    ]
    for note in notes:
        _log.warning("%s", note)
    texts = {"train_config": request.train_config} if request.train_config else {}
    if request.sam2_config and Path(request.sam2_config).is_file():
        texts["sam2_config"] = Path(request.sam2_config)
    beside = (
        source.path for role, source in opened.items() if role is not SourceRole.PRETRAINED and source.path.is_dir()
    )
    tokenizer_folder = next((place for place in (folder, *beside) if has_tokenizer(place)), folder)
    return Sources(opened, folder, tokenizer_folder, settings, sizes, run, texts, tuple(notes))


def require_values(source: TensorSource) -> TensorSource:
    """The source itself. Raises RefusedInput where tensors of it are empty."""
    if source.empty:
        raise RefusedInput(
            f"{source.path.name}: {empty_text(len(source.empty), len(source.tensors))}, for example {source.empty[0]}. "
            "Consolidate the DeepSpeed folder that training wrote, with its zero_to_fp32.py, and give the result; or "
            "train with stage3_gather_16bit_weights_on_model_save"
        )
    return source


def require_sa2va_beneath(checkpoint: TensorSource, opened: Mapping[SourceRole, TensorSource]) -> None:
    """Stop where an adapter has no Sa2VA to be merged onto: it holds LoRA alone.

    Raises:
        UsageProblem: saying what to give.
    """
    base = opened.get(SourceRole.BASE)
    is_sa2va = base is not None and base.kind in (CheckpointKind.HF_EXPORT, CheckpointKind.NATIVE)
    if checkpoint.kind is CheckpointKind.PEFT_ADAPTER and not is_sa2va and SourceRole.PRETRAINED not in opened:
        got = "no --base" if base is None else f"--base {base.path.name}, which is none"
        raise UsageProblem(
            f"{checkpoint.path.name} is a peft adapter: LoRA alone, which is merged onto the Sa2VA that it was trained "
            f"on; got {got}. Pass that Sa2VA's folder as --base, or its .pth as --pretrained "
            "together with its base's folder. For a run of mmengine give the iter_N.pth instead, which also holds what "
            "was trained in addition to LoRA"
        )


def _check_options(request: ConversionRequest) -> None:
    if request.dtype not in tuple(ExportDtype):
        raise UsageProblem(f"--dtype: expected one of {tuple(map(str, ExportDtype))}, got {request.dtype!r}")
    if (
        request.output is not None
        and request.output.exists()
        and (not request.output.is_dir() or any(request.output.iterdir()))
    ):
        raise UsageProblem(f"--output {request.output}: exists already; name a new folder")
    if request.base is not None and not request.base.is_dir():
        raise UsageProblem(f"--base {request.base}: expected the folder of the base, found no such folder")
    if request.lora_alpha is not None and not (math.isfinite(request.lora_alpha) and request.lora_alpha > 0):
        raise UsageProblem(f"--lora-alpha: expected a positive number, got {request.lora_alpha}")


def _require_kinds(opened: Mapping[SourceRole, TensorSource]) -> None:
    """Stop where a file is not of the kind that its option asks for, or has adapters beside its weights."""
    sam2 = opened.get(SourceRole.SAM2)
    if sam2 is not None and sam2.kind is not CheckpointKind.SAM2:
        raise RefusedInput(
            f"--sam2 {sam2.path.name}: expected a SAM 2.0 file such as sam2_hiera_large.pt, this is of kind "
            f"'{sam2.kind.value}'"
        )
    base = opened.get(SourceRole.BASE)
    if base is not None and base.kind not in _BASES:
        raise RefusedInput(
            f"--base {base.path.name}: expected the folder of a base "
            f"({', '.join(facts.title for facts in FAMILIES.values())}) or of a Sa2VA, this is of kind "
            f"'{base.kind.value}'"
        )
    for source in opened.values():
        adapters = [name for name in source.ignored if name.startswith("adapter_model")]
        if adapters:
            raise RefusedInput(
                f"{source.path.name} holds {adapters[0]} beside its weights: adapters that would not be merged. Merge "
                "them first, or move them away"
            )


def _settings(
    request: ConversionRequest, run: TrainingRunConfig, opened: Mapping[SourceRole, TensorSource]
) -> dict[str, Setting]:
    if request.template is None:
        run.require_read("template", f"pass {TEMPLATE_OPTION}, or {run.written_out}")
    run.require_read("special_tokens", f"pass {run.written_out}")
    template = [Candidate(request.template, TEMPLATE_OPTION, explicit=True), *run.candidates("template")]
    for role, source in opened.items():
        # A base may name its own template, which is not the one that Sa2VA trains with; and a run may take
        # another than the Sa2VA that it loaded.
        is_sa2va = source.kind in (CheckpointKind.HF_EXPORT, CheckpointKind.NATIVE)
        if is_sa2va and source.config and role is not SourceRole.PRETRAINED:
            template.append(Candidate(source.config.get("template"), f"config.json of {source.path.name}"))
    if request.template is None:  # a name without a text is told as such, also where another source names another
        for found in template:
            if found.value is not None:
                check_template(Setting("template", found.value, found.source))
    tokens = run.candidates("special_tokens")
    checkpoint = opened[SourceRole.CHECKPOINT]
    for native in (checkpoint, opened.get(SourceRole.BASE)):
        said = any(one.value is not None for one in tokens)
        if native is not None and native.kind is CheckpointKind.NATIVE and not said:
            stored = native.required_config.get("special_tokens")
            tokens.append(Candidate(stored and tuple(stored), f"config.json of {native.path.name}"))
    settled = {
        "template": resolve_setting("template", template, TEMPLATE_OPTION, run.overridden("template")),
        "special_tokens": resolve_setting("special_tokens", tokens, "--train-config", run.overridden("special_tokens")),
    }
    check_template(settled["template"])
    if settled["special_tokens"].value is None:
        settled["special_tokens"] = Setting("special_tokens", SPECIAL_TOKENS, "the official order")
    special = settled["special_tokens"]
    if not special.value or "[SEG]" not in special.value:
        raise RefusedInput(f"special_tokens: {special.source} gives {list(special.value)}; expected [SEG] among them")
    return settled
