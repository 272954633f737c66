"""Weight files of a model folder, checked against the folder's index."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from helpers.checkpoints.read.weight_file import WeightFile, open_weight_file
from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted

_MAX_JSON_BYTES = 64 << 20
_FORMATS = (
    ("model.safetensors", "model.safetensors.index.json", "model-*-of-*.safetensors"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*-of-*.bin"),
)


def open_weight_folder(folder: Path) -> tuple[tuple[WeightFile, ...], Mapping[str, str]]:
    """Open the weight files of a model folder.

    Looks for model.safetensors or its index, then for pytorch_model.bin or its index. Returns the
    files, and the weight files of the folder that were left aside (name -> reason).

    Raises RefusedInput when there are none, when single file and index are both there, when an
    index names a path outside the folder or a missing file, or when index and files disagree.
    """
    for single, index, pattern in _FORMATS:
        single_path, index_path = folder / single, folder / index
        if single_path.exists() and index_path.exists():
            raise RefusedInput(
                f"{folder} holds both {single} and {index}; it is unclear which one counts. Move one of them away."
            )
        if single_path.exists():
            return (open_weight_file(single_path),), _left_aside(folder, {single})
        if index_path.exists():
            files = _open_indexed(folder, index_path)
            return files, _left_aside(folder, {file.path.name for file in files})
        parts = sorted(path.name for path in folder.glob(pattern))
        if parts:
            raise RefusedInput(
                f"{folder} holds parts of a model ({parts[0]}, {len(parts)} in all) without {index}. Copy it too."
            )
    raise RefusedInput(
        f"{folder} holds no weights that are read. Expected one of: "
        + ", ".join(name for single, index, _ in _FORMATS for name in (single, index))
        + ". Give the folder that holds them, or the checkpoint file itself."
    )


def holds_weights(folder: Path) -> bool:
    """Whether a folder holds a weight file, an index or a part of the formats that `open_weight_folder` looks for."""
    return any(
        (folder / single).exists() or (folder / index).exists() or any(folder.glob(pattern))
        for single, index, pattern in _FORMATS
    )


def read_config(folder: Path) -> dict[str, object] | None:
    """The folder's config.json, None without one. Raises RefusedInput when it is not a JSON object."""
    path = folder / "config.json"
    return read_json_object(path) if path.exists() else None


def read_json_object(path: Path) -> dict[str, object]:
    """Read a JSON file that must hold an object. Raises RefusedInput, naming the file, otherwise."""
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise RefusedInput(f"{path} is larger than {_MAX_JSON_BYTES >> 20} MB, the limit for such files.")
        value = json.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise RefusedInput(f"{path} cannot be read as JSON ({error}). Copy or download it again.") from error
    if not isinstance(value, dict):
        raise RefusedInput(f"{path} holds a {type(value).__name__}; expected a JSON object.")
    return value


def _open_indexed(folder: Path, index_path: Path) -> tuple[WeightFile, ...]:
    by_file = _names_by_file(index_path)
    missing = [name for name in by_file if not (folder / name).exists()]
    if missing:
        raise RefusedInput(
            f"{index_path} names {counted(len(by_file), 'file')}, of which {len(missing)} cannot be found: "
            f"{', '.join(missing)}. Copy or download them."
        )
    files = tuple(open_weight_file(folder / name) for name in by_file)
    _refuse_duplicates(files)
    for file in files:
        _refuse_disagreement(index_path, file, by_file[file.path.name])
        file.close()
    return files


def _names_by_file(index_path: Path) -> dict[str, set[str]]:
    """Tensor names per file, files in the order of the index."""
    weight_map = read_json_object(index_path).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise RefusedInput(f"{index_path} has no 'weight_map' from tensor names to file names. Copy it again.")
    by_file: dict[str, set[str]] = {}
    for tensor, name in weight_map.items():
        if not isinstance(name, str) or not _is_plain_name(name):
            raise RefusedInput(
                f"{index_path}: tensor {tensor!r} is said to be in {name!r}; expected the plain name of a file in the "
                "same folder. The index is damaged or was tampered with."
            )
        by_file.setdefault(name, set()).add(tensor)
    return by_file


def _is_plain_name(name: str) -> bool:
    return name not in ("", ".", "..") and not any(mark in name for mark in ("/", "\\", ":", "\0"))


def _refuse_duplicates(files: tuple[WeightFile, ...]) -> None:
    home: dict[str, Path] = {}
    for file in files:
        for name in file.tensors:
            if name in home:
                raise RefusedInput(
                    f"Tensor {name!r} is in both {home[name]} and {file.path.name}; it is unclear which one counts. "
                    "Export or download the model again."
                )
            home[name] = file.path


def _refuse_disagreement(index_path: Path, file: WeightFile, expected: set[str]) -> None:
    absent = sorted(expected - file.tensors.keys())
    if absent:
        raise RefusedInput(
            f"{index_path} puts {counted(len(expected), 'tensor')} into {file.path.name}, but {len(absent)} cannot be "
            f"found there, for example {absent[0]!r}. Index and files are of different exports: copy all of them again."
        )
    unlisted = sorted(file.tensors.keys() - expected)
    if unlisted:
        raise RefusedInput(
            f"{file.path} holds {counted(len(unlisted), 'tensor')} that {index_path.name} does not put there, for "
            f"example {unlisted[0]!r}. Index and files are of different exports: copy all of them again."
        )


def _left_aside(folder: Path, used: set[str]) -> Mapping[str, str]:
    """Weight files that lie in the folder and are not part of the model read."""
    others = {path.name for suffix in ("safetensors", "bin", "pth", "pt") for path in folder.glob(f"*.{suffix}")}
    return MappingProxyType(dict.fromkeys(sorted(others - used), "weight file that is not part of this model"))
