"""The base folder of a conversion: the option's, or what the training config names where it is at hand."""

import logging
from pathlib import Path, PureWindowsPath

from helpers.checkpoints.convert.conversion_settings import Candidate, Setting, TrainingRunConfig, resolve_setting
from helpers.checkpoints.read.weight_source import TensorSource
from helpers.core.errors import UsageProblem, VesselkitError
from helpers.core.paths import project_root

_log = logging.getLogger(__name__)

_FIELD = "base_path"


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
    named = resolve_setting("base", run.candidates(_FIELD), "--base")
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
        for candidate in (*run.candidates(_FIELD), *run.overridden(_FIELD))
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
