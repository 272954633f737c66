"""Content of a checkpoint or a training folder, as a record, a JSON object and a table."""

import math
from dataclasses import dataclass
from pathlib import Path

from helpers.checkpoints.read.adapters import AdapterPart
from helpers.checkpoints.read.convert_line import ConvertLine, convert_line, published_model
from helpers.checkpoints.read.file_digest import sha256_source
from helpers.checkpoints.read.file_type import ADAPTER_CONFIG
from helpers.checkpoints.read.model_identity import family_name, foreign_model
from helpers.checkpoints.read.tensor_groups import GroupSummary, lora_ranks, summarise_groups, vocabulary_size
from helpers.checkpoints.read.train_config import TrainingConfig, adapter_training_config, read_training_config
from helpers.checkpoints.read.training_folder import (
    CheckpointMeta,
    LogScope,
    TrainingCheckpoint,
    is_training_folder,
    list_checkpoints,
    list_runs,
    read_training_log,
)
from helpers.checkpoints.read.weight_source import CheckpointKind, TensorSource, empty_text, open_source
from helpers.core.errors import RefusedInput
from helpers.core.shown_text import aligned, bytes_text, counted, printable, shown


@dataclass(frozen=True)
class CheckpointInspection:
    """What one checkpoint holds. `nbytes` and those in `groups` count tensor values; `file_bytes` the files.

    `config_problem` says why the training config in the file could not be read; None otherwise.
    `empty_tensors` counts those without any value. `family` is that of the vision-language model,
    None where nothing tells it, and `size` what people call a published size of it. `conversion` is how
    the checkpoint is converted, None where it is none. `not_converted` says what the model is where the
    kit converts none of its kind.
    """

    path: Path
    kind: CheckpointKind
    file_bytes: dict[str, int]
    sha256: dict[str, str]
    groups: tuple[GroupSummary, ...]
    lora_ranks: tuple[int, ...]
    vocabulary_size: int | None
    meta: CheckpointMeta | None
    config: TrainingConfig | None
    config_problem: str | None
    other_entries: dict[str, str]
    ignored: dict[str, str]
    empty_tensors: int = 0
    family: str | None = None
    size: str | None = None
    conversion: ConvertLine | None = None
    not_converted: str | None = None

    @property
    def tensors(self) -> int:
        return sum(group.tensors for group in self.groups)

    @property
    def parameters(self) -> int:
        return sum(group.parameters for group in self.groups)

    @property
    def nbytes(self) -> int:
        return sum(group.nbytes for group in self.groups)

    def to_dict(self) -> dict[str, object]:
        """The inspection as JSON can hold it."""
        return {
            "path": str(self.path),
            "kind": self.kind.value,
            "family": self.family,
            "size": self.size,
            "files": [
                {"name": name, "bytes": size, "sha256": self.sha256[name]} for name, size in self.file_bytes.items()
            ],
            "tensors": self.tensors,
            "parameters": self.parameters,
            "bytes": self.nbytes,
            "groups": [
                {
                    "group": group.group.value,
                    "tensors": group.tensors,
                    "dtypes": group.dtypes,
                    "parameters": group.parameters,
                    "bytes": group.nbytes,
                }
                for group in self.groups
            ],
            "lora_ranks": list(self.lora_ranks),
            "vocabulary_size": self.vocabulary_size,
            "meta": None if self.meta is None else _meta_dict(self.meta),
            "training_config": None if self.config is None else _config_dict(self.config),
            "training_config_problem": self.config_problem,
            "training_config_text": None if self.meta is None else self.meta.config_text,
            "other_entries": self.other_entries,
            "ignored": self.ignored,
            "conversion": None if self.conversion is None else _conversion_dict(self.conversion),
            **({"empty_tensors": self.empty_tensors} if self.empty_tensors else {}),
            **({"not_converted": self.not_converted} if self.not_converted else {}),
        }

    def to_text(self) -> str:
        """The inspection for reading: the training config, which is long, first; then facts and a table of groups."""
        parts = [aligned(self._facts()), aligned(self._group_rows(), header=True)]
        if self.meta is not None and self.meta.config_text is not None:
            parts.insert(0, f"training config\n{printable(self.meta.config_text.rstrip())}")
        return "\n\n".join(parts) + "\n"

    def _facts(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = [("checkpoint", str(self.path)), ("kind", self.kind.value)]
        if self.family is not None:
            rows.append(("family", self.family if self.size is None else f"{self.family}, {self.size}"))
        rows += [
            ("file", f"{name}, {bytes_text(size)}, sha256 {self.sha256[name]}")
            for name, size in self.file_bytes.items()
        ]
        if self.meta is not None:
            rows += [(name, shown(value)) for name, value in _meta_dict(self.meta).items()]
        if self.lora_ranks:
            rows.append(("LoRA rank", ", ".join(str(rank) for rank in self.lora_ranks)))
        if self.config is not None:
            rows += [(name, shown(value)) for name, value in _config_dict(self.config).items()]
        if self.config_problem is not None:
            rows.append(("training config", f"not read: {self.config_problem}"))
        rows.append(("vocabulary size", shown(self.vocabulary_size)))
        if self.empty_tensors:
            rows.append(("empty tensors", empty_text(self.empty_tensors, self.tensors)))
        rows += [("other entry", f"{name} ({kind})") for name, kind in self.other_entries.items()]
        rows += [("not read", f"{name} ({kind})") for name, kind in self.ignored.items()]
        if self.conversion is not None:
            rows += [("to convert", printable(self.conversion.line)), ("which needs", _needs_text(self.conversion))]
        if self.not_converted is not None:
            rows.append(("not converted", printable(self.not_converted)))
        return rows

    def _group_rows(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = [("group", "tensors", "dtypes", "parameters", "bytes")]
        for group in self.groups:
            dtypes = ", ".join(f"{name} x {count}" for name, count in group.dtypes.items())
            rows.append(
                (group.group.value, str(group.tensors), dtypes, f"{group.parameters:,}", bytes_text(group.nbytes))
            )
        rows.append(("all", str(self.tensors), "", f"{self.parameters:,}", bytes_text(self.nbytes)))
        return rows


@dataclass(frozen=True)
class TrainingFolderInspection:
    """The checkpoints of a training folder, and the log of its newest run.

    `last_values` are those of the log's last line with a loss, by column; `steps` its first and
    last step. Both are None without a log.
    """

    path: Path
    checkpoints: tuple[TrainingCheckpoint, ...]
    runs: tuple[str, ...]
    log_lines: int
    steps: tuple[int, int] | None
    last_values: dict[str, float] | None

    def to_dict(self) -> dict[str, object]:
        """The inspection as JSON can hold it. A loss that is not finite is given as text."""
        return {
            "path": str(self.path),
            "kind": "training_folder",
            "checkpoints": [
                {
                    "name": item.path.name,
                    "bytes": item.size,
                    "iter": item.iteration,
                    "epoch": item.epoch,
                    "last": item.is_last,
                }
                for item in self.checkpoints
            ],
            "runs": list(self.runs),
            "log_lines": self.log_lines,
            "steps": None if self.steps is None else list(self.steps),
            "last_values": None
            if self.last_values is None
            else {name: value if math.isfinite(value) else str(value) for name, value in self.last_values.items()},
        }

    def to_text(self) -> str:
        """The inspection for reading: a table of checkpoints, then the log in short."""
        rows: list[tuple[str, ...]] = [("checkpoint", "size", "")]
        for item in self.checkpoints:
            size = "DeepSpeed folder" if item.size is None else bytes_text(item.size)
            rows.append((item.path.name, size, "last" if item.is_last else ""))
        facts = [("training folder", str(self.path)), ("runs", ", ".join(self.runs) or "no log")]
        if self.steps is not None:
            facts.append(
                ("log of newest run", f"{counted(self.log_lines, 'line')}, steps {self.steps[0]} to {self.steps[1]}")
            )
        facts += [(f"last {name}", f"{value:g}") for name, value in (self.last_values or {}).items()]
        return aligned(facts) + "\n\n" + aligned(rows, header=True) + "\n"


Inspection = CheckpointInspection | TrainingFolderInspection


def inspect_checkpoint(path: Path, progress: bool = False) -> Inspection:
    """Inspect a checkpoint (file or folder), or list a training folder.

    Reads headers and names, and every byte once for the SHA-256 (`progress` shows a bar for that).
    Raises RefusedInput as `open_source` does. A training config that is refused does not stop the
    inspection: it is reported as a problem.
    """
    path = Path(path)
    if is_training_folder(path):
        return inspect_training_folder(path)
    with open_source(path) as source:
        config, problem = _config(source)
        foreign = foreign_model(source.tensors, source.config, None if config is None else config.values)
        groups = summarise_groups(source.tensors.values())
        family = family_name(source.tensors, source.config, None if config is None else _training_class(config))
        published = published_model(family, source.tensors.values())
        parts = {group.group for group in groups}
        line = None if foreign is not None else convert_line(path, source.kind, parts, config, published)
        return CheckpointInspection(
            path=path,
            kind=source.kind,
            file_bytes={file.name: file.stat().st_size for file in source.files},
            sha256=sha256_source(source, progress),
            groups=groups,
            lora_ranks=lora_ranks(source.tensors.values()),
            vocabulary_size=vocabulary_size(source.tensors.values()),
            meta=source.meta,
            config=config,
            config_problem=problem,
            other_entries=dict(source.other_entries),
            ignored=dict(source.ignored),
            empty_tensors=len(source.empty),
            family=family,
            size=None if published is None else published.size,
            conversion=line,
            not_converted=None if foreign is None else f"{foreign.kind.value} (told by {foreign.sign!r})",
        )


def inspect_training_folder(path: Path) -> TrainingFolderInspection:
    """List a training folder's checkpoints and summarise the log of its newest run."""
    checkpoints = list_checkpoints(path)
    frame = read_training_log(path, LogScope.NEWEST)
    steps = frame["step"].dropna()
    losses = [name for name in frame.columns if "loss" in name]
    trained = frame.dropna(subset=losses, how="all") if losses else frame.iloc[:0]
    shown = [*losses, *(name for name in ("lr",) if name in frame.columns)]
    return TrainingFolderInspection(
        path=path,
        checkpoints=checkpoints,
        runs=tuple(run.parent.parent.name for run in list_runs(path)),
        log_lines=len(frame),
        steps=None if steps.empty else (int(steps.min()), int(steps.max())),
        last_values=None if trained.empty else {name: float(trained.iloc[-1][name]) for name in shown},
    )


def _config(source: TensorSource) -> tuple[TrainingConfig | None, str | None]:
    if source.adapter is not None:
        return adapter_training_config(source.adapter, f"the {ADAPTER_CONFIG} in {source.path}"), None
    if source.meta is None or source.meta.config_text is None:
        return None, None
    try:
        return read_training_config(source.meta.config_text, f"the training config in {source.path}"), None
    except RefusedInput as error:
        return None, str(error)


def _training_class(config: TrainingConfig) -> object:
    """The class that holds the vision-language model in the training config."""
    model = config.values.get("model")
    mllm = model.get("mllm") if isinstance(model, dict) else None
    return mllm.get("type") if isinstance(mllm, dict) else None


def _meta_dict(meta: CheckpointMeta) -> dict[str, object]:
    return {
        "iter": meta.iter,
        "epoch": meta.epoch,
        "seed": meta.seed,
        "experiment_name": meta.experiment_name,
        "time": meta.time,
        "mmengine_version": meta.mmengine_version,
        "dataset_meta": meta.dataset_meta,
    }


def _config_dict(config: TrainingConfig) -> dict[str, object]:
    vision = config.adapters.get(AdapterPart.VISION)
    return {
        "lora_alpha": config.lora_alpha,
        "lora_rank": config.lora_rank,
        "template": config.template,
        "special_tokens": None if config.special_tokens is None else list(config.special_tokens),
        "base_path": config.base_path,
        "sam2_path": config.sam2_path,
        "sam2_config": config.sam2_config,
        "pretrained_pth": config.pretrained_pth,
        "unread": list(config.unread),
        **({} if vision is None else {"vision_lora_alpha": vision.alpha, "vision_lora_rank": vision.rank}),
    }


def _conversion_dict(conversion: ConvertLine) -> dict[str, object]:
    return {
        "line": conversion.line,
        "needs": [{"name": name, "bytes": size} for name, size in conversion.needs],
        "output_bytes": conversion.output_bytes,
    }


def _needs_text(conversion: ConvertLine) -> str:
    """What stands beside a checkpoint and how large it is, and the disk that the export takes."""
    needs = [name if size is None else f"{name} {bytes_text(size)}" for name, size in conversion.needs]
    if conversion.output_bytes is not None:
        needs.append(f"{bytes_text(conversion.output_bytes)} of disk for an export in bfloat16")
    return printable(", ".join(needs)) or "nothing else"
