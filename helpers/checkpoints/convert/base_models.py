"""The models that a training run started from: the base folder, and a whole Sa2VA that was loaded over it before
LoRA.
"""

import logging
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath

from helpers.checkpoints.convert.conversion_settings import Candidate, Setting, TrainingRunConfig, resolve_setting
from helpers.checkpoints.convert.key_map import LoraName, canonical_name, is_wrapped
from helpers.checkpoints.convert.plan import ConversionPlan, Fate, SourceRole
from helpers.checkpoints.read.model_identity import SAM2
from helpers.checkpoints.read.weight_source import CheckpointKind, TensorSource, open_source
from helpers.core.errors import RefusedInput, UsageProblem, VesselkitError
from helpers.core.paths import project_root
from helpers.core.shown_text import counted

NOTHING = "none"  # what `--pretrained` takes where nothing was loaded
PRETRAINED = "pretrained"  # its name in the record
_FIELD = "pretrained_pth"
_SA2VA = (CheckpointKind.HF_EXPORT, CheckpointKind.NATIVE)
# Of each, one beginning of names.
_WHOLE_PARTS = (("vision_model.", "visual."), ("language_model.",), (SAM2 + "image_encoder.",))
_SHOWN = 5

_log = logging.getLogger(__name__)

_BASE_FIELD = "base_path"


def open_pretrained(given: Path | str | None) -> TensorSource | None:
    """The file or folder of `--pretrained`; None for None and `none`.

    Raises:
        RefusedInput: for anything but a whole Sa2VA.
    """
    if given is None or given == NOTHING:
        return None
    source = open_source(Path(given))
    name = source.path.name
    wrapped = next((stored for stored in source.tensors if is_wrapped(stored)), None)
    if wrapped is not None:
        raise RefusedInput(
            f"--pretrained {name} is a checkpoint of LoRA (it holds {wrapped}), expected a whole Sa2VA. Convert it "
            "first and pass the folder. The official training takes none of its LoRA: for such a run pass --pretrained "
            f"{NOTHING}"
        )
    if source.kind not in (CheckpointKind.FLAT, CheckpointKind.MMENGINE, *_SA2VA):
        raise RefusedInput(
            f"--pretrained {name}: expected a Sa2VA, its .pth or its folder; this is of kind '{source.kind.value}'"
        )
    if source.kind is CheckpointKind.HF_EXPORT and source.path.is_file() and source.path.suffix != ".safetensors":
        raise RefusedInput(
            f"--pretrained {name}: its names lack the 'mllm.model.' of such files, so that training would have loaded "
            "SAM2 and the [SEG] projection alone, and it is unclear what it did load. Pass the .pth that training was "
            "given, or the folder of that Sa2VA"
        )
    return source


def settle_pretrained(
    given: Path | str | None, run: TrainingRunConfig, checkpoint: TensorSource, base: TensorSource | None
) -> Setting:
    """Which Sa2VA lies beneath the trained tensors: the option's, a Sa2VA that is the base itself, or none.

    Args:
        given: the option; a path, `none`, or None.
        base: that of `--base`.
    Raises:
        UsageProblem: for options that contradict each other.
        RefusedInput: where the config names a Sa2VA that neither option gives.
    """
    named = None if run.governing is None else run.governing.pretrained_pth
    overridden = [Candidate(named, run.origin), *run.overridden(_FIELD)]
    sa2va = base if base is not None and base.kind in _SA2VA else None
    if given == NOTHING:
        if sa2va is not None:
            raise UsageProblem(
                f"--pretrained {NOTHING} says that training loaded no Sa2VA, and --base {sa2va.path.name} is one. Pass "
                "the folder of its base as --base"
            )
        return Setting(PRETRAINED, NOTHING, "--pretrained", _other(overridden, None))
    if given is not None:
        if base is None or sa2va is not None:
            got = "no --base" if base is None else f"--base {base.path.name}, a Sa2VA itself"
            raise UsageProblem(f"--pretrained: is read over the base of --base, got {got}")
        return Setting(PRETRAINED, Path(given).name, "--pretrained", _other(overridden, Path(given).name))
    if sa2va is not None and named is not None:
        return Setting(PRETRAINED, sa2va.path.name, "--base", _other(overridden, sa2va.path.name))
    problem = missing_pretrained(run, base)
    if problem is not None and not is_whole(checkpoint):
        raise problem
    return Setting(PRETRAINED, None, None)


def missing_pretrained(run: TrainingRunConfig, base: TensorSource | None) -> UsageProblem | RefusedInput | None:
    """The error where the config names a Sa2VA, or may name one, and the base is no Sa2VA; None elsewhere."""
    if run.governing is None or (base is not None and base.kind in _SA2VA):
        return None
    named, unread = run.governing.pretrained_pth, run.unread(_FIELD)
    if named is None and unread is None:
        return None
    folder = "the base's folder" if base is None else base.path.name
    said = f"names {_FIELD}={named!r}" if unread is None else f"gives {_FIELD} as {unread}, which is not computed"
    loaded = "training loaded that Sa2VA" if unread is None else "where that is a Sa2VA, training loaded it"
    return RefusedInput(
        f"{run.origin} {said}: {loaded} over {folder} before LoRA was attached, so that LoRA belongs on its weights. "
        f"Pass its folder as --base, or --base {folder} with --pretrained FILE_OR_DIR, its .pth or folder. Where "
        f"nothing of it was loaded, as by a loader that skips tensors of another shape, --pretrained {NOTHING} says so"
    )


def misfit_message(pretrained: str, base: str, misfits: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]) -> str:
    """What is said of a Sa2VA whose tensors have other shapes.

    Args:
        pretrained, base: names of the files.
        misfits: stored name -> its shape, the model's shape.
    """
    shown = "; ".join(
        f"{name} {list(came)}, in the model {list(to)}" for name, (came, to) in list(misfits.items())[:_SHOWN]
    )
    return (
        f"--pretrained {pretrained} does not fit --base {base}: {counted(len(misfits), 'tensor')} of another shape "
        f"than the model's, and training stops there too ({shown}{'; ...' if len(misfits) > _SHOWN else ''}). Pass the "
        "Sa2VA that the run loaded, over the base that it was loaded over. Where the run's loader skips tensors of "
        "another shape, next to nothing of that file was loaded, and the checkpoint holds what fitted itself (the mask "
        f"decoder): pass --pretrained {NOTHING}, which states that nothing of it was loaded"
    )


def pretrained_notes(opened: Mapping[SourceRole, TensorSource], plan: ConversionPlan) -> list[str]:
    """What a reader should know of a Sa2VA that was read over the base: what nothing took, and what it lacks."""
    source = opened.get(SourceRole.PRETRAINED)
    if source is None:
        return []
    name, notes = source.path.name, []
    spare = [stored for stored, fate in plan.fates[SourceRole.PRETRAINED].items() if fate.fate is Fate.NOT_TAKEN]
    if spare:
        notes.append(
            f"{name}: {len(spare)} of its {counted(len(source.tensors), 'tensor')} without a place in the model, "
            f"skipped as in training, for example {spare[0]}"
        )
    kept = [target.name for target in plan.targets if target.rows[0].role in (SourceRole.BASE, SourceRole.SAM2)]
    if kept:
        notes.append(
            f"{name} lacks {counted(len(kept), 'tensor')} of the model, with the base's values in their place: "
            f"{_some(kept)}"
        )
    return notes


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def require_base_of_run(run: TrainingRunConfig, checkpoint: TensorSource, base: TensorSource | None) -> None:
    """Stop where the base is a Sa2VA, and the run's config says that none was loaded.

    Raises:
        RefusedInput: naming the base of the config.
    """
    config = run.governing
    if base is None or base.kind not in _SA2VA or config is None or is_whole(checkpoint):
        return
    if checkpoint.kind is CheckpointKind.PEFT_ADAPTER:  # what it names as its base may be a Sa2VA of any name
        return
    if config.pretrained_pth is not None or run.unread(_FIELD) is not None or config.base_path is None:
        return
    began = PureWindowsPath(config.base_path).name  # a run on Windows writes backslashes
    if began != base.path.name:
        raise RefusedInput(
            f"--base {base.path.name} is a Sa2VA, and {run.origin} names no {_FIELD}: the run began from {began}, "
            "where its LoRA belongs. Either the base already holds this fine-tune, or it was trained otherwise. Pass "
            f"{began} as --base; where training did load this Sa2VA, name it as {_FIELD} in a copy of the config and "
            "pass that as --train-config"
        )


def is_whole(checkpoint: TensorSource) -> bool:
    """Whether every part of the model is in the checkpoint itself, so that no base lies beneath it."""
    if checkpoint.kind is CheckpointKind.NATIVE:
        return True
    names = [canonical_name(name) for name in checkpoint.tensors]
    if any(isinstance(name, LoraName) for name in names):
        return False
    return all(any(str(name).startswith(parts) for name in names) for parts in _WHOLE_PARTS)


def _other(said: list[Candidate], name: str | None) -> tuple[Candidate, ...]:
    """What names another file than the one that counts."""
    return tuple(
        candidate for candidate in said if candidate.value is not None and PureWindowsPath(candidate.value).name != name
    )


def settle_base(
    given: Path | None, checkpoint: TensorSource, run: TrainingRunConfig, more_is_missing: VesselkitError | None = None
) -> Setting:
    """The base folder: the option, else the training config's path where it exists on this machine.

    Args:
        given: the option.
        more_is_missing: what to say where the base is not the only thing that is needed and not here.
    Returns:
        The setting; its value is a path, None where there is no base.
    Raises:
        UsageProblem, or `more_is_missing`: where a checkpoint file needs a base that is not here.
    """
    if given is not None:
        return Setting("base", str(given), "--base")
    named = resolve_setting("base", run.candidates(_BASE_FIELD), "--base")
    if named.value is None:
        return Setting("base", None, None)
    near = [project_root(), *list(checkpoint.path.resolve().parents)[:3]]
    found = next((folder / named.value for folder in near if (folder / named.value / "config.json").is_file()), None)
    if found is not None:
        return Setting("base", str(found), named.source)
    if not checkpoint.path.is_dir():
        raise more_is_missing or UsageProblem(
            f"{checkpoint.path.name} needs its base for the config, the tokenizer and what was not trained. "
            f"The training config names {named.value!r}, which is not here: pass --base with that folder"
        )
    return Setting("base", None, None)


def base_setting(base: Setting, run: TrainingRunConfig, is_pretrained: bool) -> Setting:
    """The base by its folder's name, and the other names that configs give.

    Args:
        base: as `settle_base` gives it.
        is_pretrained: whether it is the Sa2VA that the run loaded over its base, whose name is another by right.
    """
    name = Path(base.value).name if base.value else None
    if is_pretrained:
        return Setting("base", name, base.source)
    others = tuple(
        candidate
        for candidate in (*run.candidates(_BASE_FIELD), *run.overridden(_BASE_FIELD))
        # Path knows no backslashes here, and the run may have been on Windows.
        if name is not None and candidate.value and PureWindowsPath(candidate.value).name != name
    )
    for other in others:
        _log.warning("base: %s from %s, but %s names %s", name, base.source, other.source, other.value)
    return Setting("base", name, base.source, tuple(Candidate(other.value, other.source) for other in others))


def config_folder(checkpoint: TensorSource, base: TensorSource | None) -> Path:
    """Where config and tokenizer are: the checkpoint's own folder, else the base's.

    Raises:
        UsageProblem: where neither has any.
    """
    for source in (checkpoint, base):
        if source is not None and source.path.is_dir() and source.config is not None:
            return source.path
    raise UsageProblem(
        f"{checkpoint.path.name} holds no config.json and no tokenizer; pass --base with the "
        "folder of the base that the run started from"
    )
