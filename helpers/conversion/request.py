"""What a user asks of a conversion, and the sources that answer it."""

import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from helpers.checkpoint.source import CheckpointKind, TensorSource, open_source
from helpers.checkpoint.train_config import TrainingConfig, read_training_config, read_training_config_file
from helpers.conversion.key_map import SAM2, LoraName, canonical_name
from helpers.conversion.lora_settings import read_lora_settings
from helpers.conversion.plan import Role
from helpers.conversion.settings import Candidate, Setting, check_template, read_sam2_sizes, settle
from helpers.conversion.tokenizer import has_tokenizer
from helpers.errors import RefusedInput, UsageProblem
from helpers.paths import project_root
from helpers.sa2va.configuration_sa2va import SPECIAL_TOKENS
from helpers.sa2va.sam2_sizes import PRESETS, Sam2Sizes

_log = logging.getLogger(__name__)

DTYPES = ("bfloat16", "float16", "float32")


@dataclass(frozen=True)
class ConversionRequest:
    """The options of `vesselkit convert`; None means that the sources decide.

    Attributes:
        checkpoint: mmengine or flat `.pth`, official export, or native folder.
        output: the folder to write; it must not exist. None where the model is composed in memory.
        base: the InternVL folder (or a Sa2VA folder) that the run started from.
        sam2: the SAM 2.0 file.
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
    dtype: str = "bfloat16"
    shard_bytes: int = 2_000_000_000


@dataclass(frozen=True)
class Sources:
    """The opened sources of a conversion and the settings they agree on.

    Attributes:
        opened: by role; CHECKPOINT is always there.
        folder: where config.json is read from.
        tokenizer_folder: where the tokenizer is read from.
        settings: lora_alpha, rank_stabilised, template, special_tokens, base and sam2_config, with their origins.
        sam2_sizes: sizes of SAM2.
        chosen_layers: whether the run put LoRA on some layers only.
        text_files: config files that were read, by what they are.
        notes: what a reader of the record should know.
    """

    opened: Mapping[Role, TensorSource]
    folder: Path
    tokenizer_folder: Path
    settings: Mapping[str, Setting]
    sam2_sizes: Sam2Sizes
    chosen_layers: bool
    text_files: Mapping[str, Path]
    notes: tuple[str, ...]

    @property
    def official(self) -> Mapping:
        """The parsed config.json of `folder`."""
        source = next(source for source in self.opened.values() if source.path == self.folder)
        return source.config

    @property
    def lora_alpha(self) -> float | None:
        return self.settings["lora_alpha"].value

    @property
    def rank_stabilised(self) -> bool:
        return bool(self.settings["rank_stabilised"].value)

    @property
    def template(self) -> str:
        return self.settings["template"].value

    @property
    def special_tokens(self) -> tuple[str, ...]:
        return tuple(self.settings["special_tokens"].value)

    @property
    def native(self) -> frozenset[Role]:
        """Roles whose tensors already carry the native names."""
        return frozenset(role for role, source in self.opened.items() if source.kind is CheckpointKind.NATIVE)


def open_sources(request: ConversionRequest) -> Sources:
    """Open every file of a request and settle its settings; reads headers and names, no weights.

    Raises:
        UsageProblem: for options that cannot work together, or a setting that no source names.
        RefusedInput: for files that are refused, and sources that disagree.
    """
    _check_options(request)
    checkpoint = open_source(request.checkpoint)
    configs = _training_configs(request, checkpoint)
    opened = {Role.CHECKPOINT: checkpoint}
    base = _settle_base(request, configs, checkpoint)
    if base.value is not None:
        opened[Role.BASE] = open_source(Path(base.value))
    if request.sam2 is not None:
        opened[Role.SAM2] = open_source(request.sam2)
    folder = _folder(opened)
    _require_kinds(opened)
    loras = [read_lora_settings(config) for config in configs]
    settings = _settings(request, configs, opened)
    file_given = request.train_config is not None
    settings["rank_stabilised"] = settle(
        "rank_stabilised",
        [
            Candidate(lora.rank_stabilised, config.origin, explicit=file_given and index == 0)
            for index, (lora, config) in enumerate(zip(loras, configs, strict=True))
        ],
        "--train-config",
    )
    settings["base"] = _base_setting(base, configs)
    sizes, settings["sam2_config"] = _sam2_sizes(request, opened)
    notes = [
        f"the training config loaded {config.pretrained_pth} before training; where its weights fitted, they are the "
        "base: convert that file first and pass the resulting folder as --base"
        for config in configs
        if config.pretrained_pth and opened.get(Role.BASE, checkpoint).kind is CheckpointKind.INTERNVL_BASE
    ]
    notes += [f"{config.origin}: not read: {entry}" for config in configs for entry in config.unread]
    notes += [
        f"{source.path.name}: left aside: {name} ({reason})"
        for source in opened.values()
        for name, reason in source.ignored.items()
    ]
    notes += _rank_notes(configs, checkpoint)
    for note in notes:
        _log.warning("%s", note)
    chosen = any(lora.chosen_layers for lora in loras)
    texts = {"train_config": request.train_config} if request.train_config else {}
    if request.sam2_config and Path(request.sam2_config).is_file():
        texts["sam2_config"] = Path(request.sam2_config)
    tokenizer_folder = next(
        (place for place in (folder, *(s.path for s in opened.values() if s.path.is_dir())) if has_tokenizer(place)),
        folder,
    )
    return Sources(opened, folder, tokenizer_folder, settings, sizes, chosen, texts, tuple(notes))


def _check_options(request: ConversionRequest) -> None:
    if request.dtype not in DTYPES:
        raise UsageProblem(f"--dtype: expected one of {DTYPES}, got {request.dtype!r}")
    if (
        request.output is not None
        and request.output.exists()
        and (not request.output.is_dir() or any(request.output.iterdir()))
    ):
        raise UsageProblem(f"--output {request.output}: exists already; name a new folder")
    if request.base is not None and not request.base.is_dir():
        raise UsageProblem(f"--base {request.base}: expected the folder of the InternVL base, found no such folder")
    if request.lora_alpha is not None and not (math.isfinite(request.lora_alpha) and request.lora_alpha > 0):
        raise UsageProblem(f"--lora-alpha: expected a positive number, got {request.lora_alpha}")


def _training_configs(request: ConversionRequest, checkpoint: TensorSource) -> list[TrainingConfig]:
    """The config file first, the text in the checkpoint second."""
    configs = []
    if request.train_config is not None:
        given = read_training_config_file(request.train_config)
        options = {"lora_alpha": request.lora_alpha, "template": request.template}
        unread = [entry for entry in given.unread if options.get(entry.split(":")[0], "") is None]
        if unread:
            raise UsageProblem(
                f"--train-config {request.train_config}: {unread[0]} is not a plain value and is not computed; pass "
                f"--{unread[0].split(':')[0].replace('_', '-')}"
            )
        configs.append(given)
    text = checkpoint.meta.config_text if checkpoint.meta else None
    if text:
        configs.append(read_training_config(text, f"the config text in {request.checkpoint.name}"))
    return configs


def _candidates(request: ConversionRequest, configs: list[TrainingConfig], field: str) -> list[Candidate]:
    file_given = request.train_config is not None
    return [
        Candidate(getattr(config, field), config.origin, explicit=file_given and index == 0)
        for index, config in enumerate(configs)
    ]


def _settle_base(request: ConversionRequest, configs: list[TrainingConfig], checkpoint: TensorSource) -> Setting:
    """The base folder: the option, else the training config's path where it exists on this machine."""
    if request.base is not None:
        return Setting("base", str(request.base), "--base")
    named = settle("base", _candidates(request, configs, "base_path"), "--base")
    if named.value is None:
        return Setting("base", None, None)
    near = [project_root(), *list(request.checkpoint.resolve().parents)[:3]]
    found = next((folder / named.value for folder in near if (folder / named.value / "config.json").is_file()), None)
    if found is not None:
        return Setting("base", str(found), named.source)
    if not checkpoint.path.is_dir():
        raise UsageProblem(
            f"{request.checkpoint.name} needs its base for the config, the tokenizer and what was not trained. "
            f"The training config names {named.value!r}, which is not here: pass --base with that InternVL folder"
        )
    return Setting("base", None, None)


def _base_setting(base: Setting, configs: list[TrainingConfig]) -> Setting:
    """The base by its folder's name, and the other names that configs give."""
    name = Path(base.value).name if base.value else None
    others = tuple(
        Candidate(config.base_path, config.origin)
        for config in configs
        # Path knows no backslashes here, and the run may have been on Windows.
        if name is not None and config.base_path and PureWindowsPath(config.base_path).name != name
    )
    for other in others:
        _log.warning("base: %s from %s, but %s names %s", name, base.source, other.source, other.value)
    return Setting("base", name, base.source, others)


def _require_kinds(opened: Mapping[Role, TensorSource]) -> None:
    """Stop where a file is not of the kind that its option asks for, or has adapters beside its weights."""
    sam2 = opened.get(Role.SAM2)
    if sam2 is not None and sam2.kind is not CheckpointKind.SAM2:
        raise RefusedInput(
            f"--sam2 {sam2.path.name}: expected a SAM 2.0 file such as sam2_hiera_large.pt, this is of kind "
            f"'{sam2.kind.value}'"
        )
    for source in opened.values():
        adapters = [name for name in source.ignored if name.startswith("adapter_model")]
        if adapters:
            raise RefusedInput(
                f"{source.path.name} holds {adapters[0]} beside its weights: adapters that would not be merged. Merge "
                "them first, or move them away"
            )


def _folder(opened: Mapping[Role, TensorSource]) -> Path:
    """Where config and tokenizer are: the checkpoint's own folder, else the base's."""
    for role in (Role.CHECKPOINT, Role.BASE):
        source = opened.get(role)
        if source is not None and source.path.is_dir() and source.config is not None:
            return source.path
    raise UsageProblem(
        f"{opened[Role.CHECKPOINT].path.name} holds no config.json and no tokenizer; pass --base with the "
        "InternVL folder that the run started from"
    )


def _settings(
    request: ConversionRequest, configs: list[TrainingConfig], opened: Mapping[Role, TensorSource]
) -> dict[str, Setting]:
    alpha = [Candidate(request.lora_alpha, "--lora-alpha", explicit=True)]
    alpha += _candidates(request, configs, "lora_alpha")
    template = [Candidate(request.template, "--template", explicit=True)]
    template += _candidates(request, configs, "template")
    for source in opened.values():
        # An InternVL base names its own template, which is not the one that Sa2VA trains with.
        if source.kind in (CheckpointKind.HF_EXPORT, CheckpointKind.NATIVE) and source.config:
            template.append(Candidate(source.config.get("template"), f"config.json of {source.path.name}"))
    settled = {
        "lora_alpha": settle("lora_alpha", alpha, "--lora-alpha"),
        "template": settle("template", template, "--template"),
        "special_tokens": settle("special_tokens", _candidates(request, configs, "special_tokens"), "--train-config"),
    }
    check_template(settled["template"])
    if settled["special_tokens"].value is None:
        settled["special_tokens"] = Setting("special_tokens", SPECIAL_TOKENS, "the official order")
    tokens = settled["special_tokens"]
    if not tokens.value or "[SEG]" not in tokens.value:
        raise RefusedInput(f"special_tokens: {tokens.source} gives {list(tokens.value)}; expected [SEG] among them")
    return settled


def _sam2_sizes(request: ConversionRequest, opened: Mapping[Role, TensorSource]) -> tuple[Sam2Sizes, Setting]:
    """SAM2's sizes: the option, else a native folder's config, else the preset whose image encoder the tensors fit."""
    if request.sam2_config is not None:
        sizes = read_sam2_sizes(request.sam2_config)
        stored = [
            Candidate(source.config["sam2_config"], f"config.json of {source.path.name}")
            for source in opened.values()
            if source.kind is CheckpointKind.NATIVE and Sam2Sizes.from_dict(source.config["sam2_config"]) != sizes
        ]
        return sizes, Setting("sam2_config", Path(request.sam2_config).name, "--sam2-config", tuple(stored))
    for source in opened.values():
        if source.kind is CheckpointKind.NATIVE:
            sizes = Sam2Sizes.from_dict(source.config["sam2_config"])
            return sizes, Setting("sam2_config", "as stored", f"config.json of {source.path.name}")
    for source in opened.values():
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


def _rank_notes(configs: list[TrainingConfig], checkpoint: TensorSource) -> list[str]:
    """The rank is read from the tensors; a config that says otherwise may belong to another run."""
    ranks = set()
    for name, tensor in checkpoint.tensors.items():
        found = canonical_name(name)
        if isinstance(found, LoraName) and found.factor == "A":
            ranks.add(tensor.shape[0])
    return [
        f"{config.origin} says LoRA rank {config.lora_rank}, the tensors have {sorted(ranks)}: the tensors' rank is "
        "used; check that this config belongs to this run, since alpha comes from it"
        for config in configs
        if ranks and config.lora_rank is not None and ranks != {config.lora_rank}
    ]


def require_embedding_rows(sources: Sources, rows: int, tokenizer_length: int, seg_id: int) -> None:
    """Stop where tokenizer, embedding and config place `[SEG]` differently.

    Raises:
        RefusedInput: with the three ids.
    """
    count = len(sources.special_tokens)
    ids = {"tokenizer": seg_id, "embedding": rows - count}
    config = sources.official
    if "sa2va_format_version" in config:
        ids["config"] = config["token_ids"]["[SEG]"]
    elif "sa2va" in str(config.get("model_type", "")):
        ids["config"] = config["llm_config"]["vocab_size"] - count
    if len(set(ids.values())) > 1 or rows != tokenizer_length:
        listed = ", ".join(f"{name} {number}" for name, number in ids.items())
        raise RefusedInput(
            f"the id of [SEG] differs: {listed} (embedding rows {rows}, tokenizer length {tokenizer_length}); the "
            f"tokenizer of {sources.folder.name} is not the one the run used"
        )
