"""What a folder of the kit is, so that no folder is taken for one of another kind."""

from enum import StrEnum
from pathlib import Path

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.vocabulary import Exported
from helpers.data.exported_masks import read_exported
from helpers.data.layouts.file_walk import files_under
from helpers.evaluation.metrics_folder import SCHEMA as METRICS_SCHEMA
from helpers.evaluation.metrics_folder import SUMMARY_NAME
from helpers.evaluation.metrics_folder import TABLE_NAME as SCORES_NAME
from helpers.review.corrections.reviewed import corrections_beside
from helpers.review.corrections.store import RECORD_NAME
from helpers.review.verdicts import SCHEMA as VERDICT_SCHEMA
from helpers.review.verdicts import SUFFIX
from helpers.runs.finishing import TABLE_NAME
from helpers.runs.run_config import CONFIG_NAME, MANIFEST_NAME
from helpers.runs.run_config import SCHEMA as RUN_SCHEMA

_LINE = 100_000  # bytes of a file of verdicts that are looked at


class KitFolder(StrEnum):
    """What a folder of the kit holds."""

    RUN = "a run"
    METRICS = "the scores of a run"
    EXPORT = "masks that the kit exported"
    PAIRS = "pairs to train with"
    READER = "one reader's corrections"
    CORRECTIONS = "corrections of readers"
    VERDICTS = "verdicts of reviewers"


_NO_CORRECTED_MASKS = (KitFolder.RUN, KitFolder.METRICS, KitFolder.PAIRS, KitFolder.READER)
UNCORRECTED = (
    "Nobody corrected these masks: `vesselkit export RUN --what masks` writes them for another program; correct them "
    "there and import that folder. Masks that are corrected already go into a folder of their own"
)
_ADVICE = {
    KitFolder.RUN: UNCORRECTED + "; a run stays a run, named to `evaluate --predictions` or `--against`",
    KitFolder.METRICS: UNCORRECTED,
    KitFolder.PAIRS: "Export with `--what corrections` in place of pairs, correct these masks and import that folder",
    KitFolder.READER: (
        "These are corrections already, under their reader's name: copy the reader's whole folder into the folder of "
        "corrections"
    ),
}
_ADVICE[KitFolder.CORRECTIONS] = _ADVICE[KitFolder.READER]


def kit_folder(folder: Path) -> KitFolder | None:
    """What a folder of the kit holds, by its own files; None for any other folder, an empty one, a file, or nothing.

    Raises:
        RefusedInput: for a damaged record of exported masks.
    """
    if _says(folder / CONFIG_NAME, RUN_SCHEMA) or _says(folder / MANIFEST_NAME, RUN_SCHEMA):
        return KitFolder.RUN
    if (folder / TABLE_NAME).is_file():  # also where run.json is damaged
        return KitFolder.RUN
    if _says(folder / SUMMARY_NAME, METRICS_SCHEMA) or (folder / SCORES_NAME).is_file():
        return KitFolder.METRICS
    exported = read_exported(folder)
    if exported is not None:
        return KitFolder.PAIRS if exported.what is Exported.PAIRS else KitFolder.EXPORT
    if (folder / RECORD_NAME).is_file():
        return KitFolder.READER
    if any(folder.glob(f"*/{RECORD_NAME}")):
        return KitFolder.CORRECTIONS
    if any(_says(path, VERDICT_SCHEMA, _LINE) for path in folder.glob(f"*{SUFFIX}")):
        return KitFolder.VERDICTS
    return None


def require_corrected_masks(path: Path) -> None:
    """Refuse what the kit itself wrote and nobody corrected, as masks that a reader corrected.

    Masks that the kit exported are taken: the record beside them says what they began from.

    Args:
        path: folder or file. It, the folders above it up to two, and all below it are looked at.
    Raises:
        RefusedInput: naming the folder of the kit.
    """
    own = path.resolve()
    folders = (own, *own.parents[:2]) if own.is_dir() else own.parents[:3]
    for folder in folders:
        kind = kit_folder(folder)
        if kind is KitFolder.EXPORT:
            break
        if kind in _NO_CORRECTED_MASKS or (kind is KitFolder.CORRECTIONS and folder == own):
            raise _uncorrected(path, folder, kind)
    marks = {CONFIG_NAME, MANIFEST_NAME, TABLE_NAME, SUMMARY_NAME, RECORD_NAME}
    names = files_under(own)[0] if own.is_dir() else ()
    for folder in dict.fromkeys(own / Path(name).parent for name in names if Path(name).name in marks):
        kind = kit_folder(folder)
        if kind in _NO_CORRECTED_MASKS:
            raise _uncorrected(path, folder, kind)


def require_for_corrections(folder: Path, option: str) -> None:
    """Refuse a folder to keep corrections in that holds other things.

    Args:
        folder: it need not exist.
        option: its name, for the message.
    Raises:
        RefusedInput: where it is neither new, nor empty, nor a folder of readers' corrections.
    """
    kind = kit_folder(folder)
    if kind is KitFolder.CORRECTIONS or not folder.is_dir():
        return
    visible = [one for one in folder.iterdir() if not one.name.startswith(".")]
    if visible:
        found = "other files" if kind is None else kind
        advice = f"Name the folder above it, {folder.parent}" if kind is KitFolder.READER else "Name another one"
        raise RefusedInput(
            f"{option} {folder}: expected a new or empty folder, or one of readers' corrections, found {found}. "
            f"{advice}"
        )


def require_corrections(folder: Path, option: str) -> None:
    """Refuse what is no folder of readers' corrections, as far as it is plain what it is instead.

    Raises:
        UsageProblem: saying what to name instead.
    """
    _require_folder(folder, option, KitFolder.CORRECTIONS)
    kind = kit_folder(folder)
    if kind is KitFolder.READER:
        instead = f"Name the folder above it, {folder.parent}"
    elif kind is KitFolder.VERDICTS:
        beside = corrections_beside(folder)
        there = kit_folder(beside) is KitFolder.CORRECTIONS
        instead = f"Name {beside}" if there else f"Corrections would lie in {beside}, and there are none"
    elif kind is None or kind is KitFolder.CORRECTIONS:
        return
    else:
        instead = "Name the folder in which readers' folders with record.jsonl lie; the review names it when it opens"
    raise UsageProblem(f"{option} {folder}: expected a folder of readers' corrections, found {kind}. {instead}")


def require_verdicts(folder: Path, option: str) -> None:
    """Refuse what is no folder of reviewers' verdicts, as far as it is plain what it is instead.

    Raises:
        UsageProblem: saying what to name instead.
    """
    _require_folder(folder, option, KitFolder.VERDICTS)
    kind = kit_folder(folder)
    if kind is None or kind is KitFolder.VERDICTS:
        return
    raise UsageProblem(
        f"{option} {folder}: expected a folder of reviewers' verdicts, found {kind}. Name the one that the review "
        "names when it opens, often `verdicts` beside `corrections`"
    )


def _require_folder(path: Path, option: str, wanted: KitFolder) -> None:
    """Refuse a file, and a folder that has the one that is wanted under its usual name."""
    if path.is_file():
        raise UsageProblem(
            f"{option} {path}: expected a folder of {wanted}, found a file. A file that was downloaded from a page is "
            "imported with `vesselkit review RUN --data DATASET --verdicts DIR --import FILE`; of a reviewer's own "
            "file name the folder that it lies in"
        )
    inner = path / ("verdicts" if wanted is KitFolder.VERDICTS else "corrections")
    if kit_folder(path) is None and kit_folder(inner) is wanted:
        raise UsageProblem(f"{option} {path}: expected a folder of {wanted}, found one above it. Name {inner}")


def _uncorrected(path: Path, folder: Path, kind: KitFolder) -> RefusedInput:
    where = "it is" if folder == path.resolve() else f"{folder} is"
    return RefusedInput(
        f"{path}: expected masks that a reader corrected, and {where} a folder of the kit with {kind}. {_ADVICE[kind]}"
    )


def _says(path: Path, schema: str, limit: int = -1) -> bool:
    """Whether a file names a schema, also where it is damaged; of a large one its first bytes up to `limit` count."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return f'"{schema}"'.encode() in file.read(limit)
