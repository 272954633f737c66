"""From a case id back to the original file, on the machine that holds the map or the data set."""

from pathlib import Path

from helpers.data.dataset import open_dataset
from helpers.data.id_key import default_key_path
from helpers.data.id_map import map_path, read_map
from helpers.data.ids import IdPolicy
from helpers.data.readers.detection import dataset_root
from helpers.errors import RefusedInput, UsageProblem


def original_paths(case_id: str, dataset: Path, key: Path | None = None) -> tuple[Path, ...]:
    """Where the frame of a case lies; several paths where copies of a data set share a map.

    Args:
        dataset: folder or annotation file; its map is asked, or the names of its own files where it has none.
        key: of another map than the data set's own.
    Raises:
        UsageProblem: where the id is unknown, or nothing here can tell.
    """
    path = map_path(key or default_key_path(dataset_root(dataset)))
    if path.is_file():
        found = read_map(path).paths(case_id)
        if not found:
            raise UsageProblem(f"{case_id}: expected an id of the map {path}, found none such. Pass its --data DATASET")
        return found
    if key is not None:
        raise UsageProblem(
            f"{path}: expected the map of {key}, found none. Pass the --id-key that the ids were made with"
        )
    try:
        frames = open_dataset(dataset, ids=IdPolicy.KEEP).frames
    except RefusedInput as error:
        raise UsageProblem(
            f"{dataset}: expected a data set with a map of its ids, found none. Pass --data DATASET, and --id-key FILE "
            "where one was used"
        ) from error
    found = tuple(frame.path for frame in frames if frame.case_id == case_id)
    if not found:
        raise UsageProblem(
            f"{case_id}: expected a case of {dataset}, which has no map of ids, found none. Pass --data DATASET, and "
            "--id-key FILE where one was used"
        )
    return found
