"""From a case id back to the original file and the other way, on the machine that holds the map or the data set."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.data.dataset import open_dataset
from helpers.data.ids.case_ids import IdPolicy
from helpers.data.ids.id_map import map_path, read_map
from helpers.data.layouts.detection import dataset_root, saved_rules
from helpers.data.rule_file import key_path
from helpers.data.rules import Rules


@dataclass(frozen=True)
class OriginalFile:
    """Where the frame of a case lies.

    Attributes:
        paths: several where copies of a data set share a map.
        kept: whether the id is the file's own name rather than a pseudonym.
    """

    paths: tuple[Path, ...]
    kept: bool


def ids_of_file(name: str, dataset: Path, key: Path | None = None) -> tuple[str, ...]:
    """The case ids of a file of a data set whose ids were drawn already; nothing for any other text.

    Args:
        name: the file's path, relative to the data set or not, its name, or its stem.
    """
    root = dataset_root(dataset)
    if not map_path(key or key_path(root, saved_rules(root))).is_file():
        return ()
    wanted = PurePosixPath(name.replace("\\", "/"))
    return tuple(
        frame.case_id for frame in open_dataset(dataset, id_key=key).frames if _is_meant(frame.path, wanted, root)
    )


def _is_meant(path: Path, wanted: PurePosixPath, root: Path) -> bool:
    if wanted.is_absolute():
        return path == Path(wanted)
    own = path.relative_to(root) if path.is_relative_to(root) else path
    return own.as_posix() == wanted.as_posix() or str(wanted) in (own.name, own.stem)


def origin(case_id: str, dataset: Path, key: Path | None = None) -> OriginalFile:
    """The file behind a case id: by the map, else by the names of the data set's own files.

    Args:
        dataset: folder or annotation file.
        key: of another map than the data set's own; then that map alone is asked.
    Raises:
        UsageProblem: where the id is unknown, or nothing here can tell.
    """
    root = dataset_root(dataset)
    path = map_path(key or key_path(root, saved_rules(root)))
    if path.is_file():
        files = read_map(path).paths(case_id)
        if files:
            return OriginalFile(files, kept=False)
    if key is not None:
        asked = f"an id of the map {path}, found no such id" if path.is_file() else f"the map of {key}, found none"
        raise UsageProblem(f"{case_id}: expected {asked}. Pass the --id-key that the ids were made with")
    try:
        frames = open_dataset(dataset, tried=Rules(ids=IdPolicy.KEEP)).frames
    except RefusedInput as error:
        asked = f"an id of the map {path}, found no such id" if path.is_file() else "a data set with a map, found none"
        raise UsageProblem(
            f"{dataset}: {case_id}: expected {asked}. Pass --data DATASET, and --id-key FILE where one was used"
        ) from error
    files = tuple(frame.path for frame in frames if frame.case_id == case_id)
    if not files:
        raise UsageProblem(
            f"{case_id}: expected a case of {dataset}, found none, neither under a pseudonym nor under its own name. "
            "Pass --data DATASET, and --id-key FILE where one was used"
        )
    return OriginalFile(files, kept=True)
