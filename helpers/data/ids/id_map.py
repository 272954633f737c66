"""The local map from original names to ids. It names patients: mode 600, beside the key, never in a result."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from helpers.core.documents import document, read_document, refuse_damaged
from helpers.core.errors import RefusedInput, UsageProblem
from helpers.data.cases import Record
from helpers.data.ids.case_ids import GivenIds, Names, assign
from helpers.data.ids.id_key import create_key, fingerprint, keep_from_git, locked, read_key, write_private

_SCHEMA = "vesselkit.id-map"
_VERSION = 1
_VERSION_KEY = "version"
_RESTORE = "Restore it from a copy; without it earlier ids cannot be traced back"
_KINDS = ("patients", "sequences", "cases")
_HALF = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class IdMap:
    """What a map file holds.

    Attributes:
        key_fingerprint: of the key that the ids were drawn under.
        taken: ids by original names.
        roots: folders of the data sets that were opened with it, absolute.
    """

    key_fingerprint: str
    taken: GivenIds = field(repr=False)
    roots: tuple[str, ...] = field(repr=False)

    def paths(self, case_id: str, root: Path | None = None) -> tuple[Path, ...]:
        """Where the frame of a case lies: in `root`, or wherever a data set of the map has such a file.

        The position in a file of several frames stands behind a '#'. Empty where the map has no such id.
        """
        names = [name for name, given in self.taken.cases.items() if given == case_id]
        roots = [Path(folder) for folder in self.roots] if root is None else [root]
        possible = [folder / name for name in names for folder in roots]
        there = [path for path in possible if path.exists() or Path(str(path).rpartition("#")[0]).is_file()]
        return tuple(there or possible)


def map_path(key: Path) -> Path:
    """The map that belongs to a key file: `id-map.json` beside `id.key`."""
    return key.with_name(f"{key.stem}-map.json")


def read_map(path: Path) -> IdMap:
    """Read a map. Raises `RefusedInput` where it is none."""
    fields = ("key_fingerprint", "roots", *_KINDS)
    value = read_document(path, _SCHEMA, _VERSION, fields, _RESTORE, _VERSION_KEY)
    with refuse_damaged(path, _SCHEMA, _VERSION, _RESTORE):
        kinds = {kind: {str(name): str(given) for name, given in value[kind].items()} for kind in _KINDS}
        return IdMap(str(value["key_fingerprint"]), GivenIds(**kinds), tuple(map(str, value["roots"])))


def pseudonyms(records: tuple[Record, ...], key_path: Path, root: Path) -> tuple[tuple[Names, ...], str]:
    """Ids of records under the key, which is created where there is none; new names are added to its map.

    Args:
        records: grouped.
        key_path: of the key; the map lies beside it.
        root: folder that the records' names start from.
    Returns:
        The names of each record, in their order, and the fingerprint of the key.
    Raises:
        UsageProblem: where the folder of the key cannot be written and something must be.
        RefusedInput: where key or map are damaged, or do not belong together.
    """
    try:
        with locked(key_path):
            lock = key_path.with_suffix(".lock").name
            keep_from_git(key_path.parent, key_path.name, map_path(key_path).name, lock)
            return _assigned(records, key_path, root)
    except UsageProblem:
        # A data set on a read-only disk still opens where its key and map are complete.
        if not key_path.is_file() or not map_path(key_path).is_file():
            raise
        return _assigned(records, key_path, root)


def _assigned(records: tuple[Record, ...], key_path: Path, root: Path) -> tuple[tuple[Names, ...], str]:
    path = map_path(key_path)
    if path.is_file() and not key_path.is_file():
        raise RefusedInput(f"{key_path}: the key of the existing map {path.name} is missing. Restore it")
    key = read_key(key_path) if key_path.is_file() else create_key(key_path)
    mark = fingerprint(key)
    known = read_map(path) if path.is_file() else IdMap(mark, GivenIds(), ())
    if known.key_fingerprint != mark:
        raise RefusedInput(f"{path}: was made with another key than {key_path.name} beside it. Restore that key")
    names, taken = assign(records, known.taken, key)
    roots = tuple(dict.fromkeys((*known.roots, str(root))))
    if taken != known.taken or roots != known.roots:
        _write(path, IdMap(mark, taken, roots))
    return names, mark


def _write(path: Path, value: IdMap) -> None:
    values = {
        "key_fingerprint": value.key_fingerprint,
        "roots": list(value.roots),
        **{kind: dict(sorted(getattr(value.taken, kind).items())) for kind in _KINDS},
    }
    content = document(_SCHEMA, _VERSION, values, _VERSION_KEY)
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    # A name that is no UTF-8, as on disks of old systems, holds halves of characters, which JSON writes as escapes.
    write_private(path, _HALF.sub(lambda found: f"\\u{ord(found[0]):04x}", text))
