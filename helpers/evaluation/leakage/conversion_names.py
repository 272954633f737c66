"""Keep the names of a model's training images on this machine, so that an evaluation knows them unasked.

See docs/training-data.md. Nothing of it lies in the export, and whatever cannot be read is a note: a conversion never
stops for it.
"""

from dataclasses import dataclass
from pathlib import Path

from helpers.checkpoints.convert.conversion_record import read_record
from helpers.checkpoints.read.weight_source import open_source
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.shown_text import counted
from helpers.data.ids.id_key import fingerprint, key_at, machine_key_path
from helpers.evaluation.leakage.kept_names import keep_names
from helpers.evaluation.leakage.training_files import ListRole, TrainingFiles, read_training_text

_ABOVE = 4  # folders above a checkpoint or a config from which its paths may start
_OR_LIST = "or name the images when scores are made (--training)"


@dataclass(frozen=True)
class Kept:
    """What was kept.

    Attributes:
        names: number of names of training images; 0 where nothing was kept.
        text: what was kept and what was not, for people: without names and paths.
    """

    names: int
    text: str


def keep_names_of_export(folder: Path, checkpoint: Path, train_config: Path | None, id_key: Path | None = None) -> Kept:
    """As `keep_training_names`, for a folder that `convert` wrote: its record has the fingerprint of the tensors."""
    try:
        fingerprint_of_tensors = read_record(folder).values["tensors_sha256"]
    except RefusedInput as error:
        return _nothing(str(error))
    return keep_training_names(checkpoint, train_config, fingerprint_of_tensors, id_key)


def keep_training_names(
    checkpoint: Path, train_config: Path | None, tensors_sha256: str, id_key: Path | None = None
) -> Kept:
    """Keep the names of the training images of a converted model, where its training config's annotations can be read.

    Args:
        checkpoint: that was converted; its own config text is read where no other is given.
        train_config: the training run's config file, in place of that text.
        tensors_sha256: fingerprint of the model's tensors.
        id_key: file of the key of the hashes, made where it is missing; None for this machine's key.
    """
    try:
        training = _training_files(checkpoint, train_config)
    except RefusedInput:
        return _nothing(f"the training config cannot be read: correct a copy and give it (--train-config), {_OR_LIST}")
    if training is None:
        return _nothing(f"the checkpoint holds no training config: give it (--train-config), {_OR_LIST}")
    count = sum(len(one.names) for one in training.sources if one.role is ListRole.TRAINING)
    if not count:
        return _nothing(
            f"no annotation file that the training config names ({len(training.named)}) is here and names training "
            f"images: convert where they are, {_OR_LIST}"
        )
    try:
        key = key_at(machine_key_path() if id_key is None else id_key)
        keep_names(training, tensors_sha256, key)
    except (UsageProblem, RefusedInput, OSError) as error:
        return _nothing(f"{type(error).__name__}: {error}")
    said = (
        f"names of {counted(count, 'training image')} were kept on this machine as hashes, under key {fingerprint(key)}"
    )
    return Kept(count, f"{said}: evaluate says which patients are TRAINING patients{_lacking(training)}")


def _training_files(checkpoint: Path, train_config: Path | None) -> TrainingFiles | None:
    """What the config says; None where there is no config. Raises RefusedInput where it is not Python."""
    origin = checkpoint if train_config is None else train_config
    text = _own_text(checkpoint) if train_config is None else _text(train_config)
    if text is None:
        return None
    folders = (Path.cwd(), *list(origin.resolve().parents)[:_ABOVE])
    return read_training_text(text, origin, folders, lenient=True)


def _own_text(checkpoint: Path) -> str | None:
    try:
        with open_source(checkpoint) as source:
            return None if source.meta is None else source.meta.config_text
    except RefusedInput:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedInput(f"{path}: expected a training config in Python ({error})") from error


def _lacking(found: TrainingFiles) -> str:
    parts = []
    if found.absent:
        parts.append(f"{counted(found.absent, 'annotation file')} of the training config not here")
    if found.unread:
        parts.append(f"{found.unread} without a name of an image that is understood, or unreadable")
    if found.keyless:
        parts.append(f"the splits of {counted(found.keyless, 'data set')} name patients under a key that is not here")
    if not parts:
        return ""
    return f". {' and '.join(parts)}: other patients stay unknown, not unseen"


def _nothing(reason: str) -> Kept:
    return Kept(0, f"names of training images were not kept, {reason}")
