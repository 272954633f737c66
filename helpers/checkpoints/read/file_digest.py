"""SHA-256 of weight files, read in pieces."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from helpers.checkpoints.read.weight_source import TensorSource
from helpers.core.errors import RefusedInput
from helpers.core.progress import Bar

_PIECE_BYTES = 4 << 20


def sha256_file(path: Path, progress: bool = False) -> str:
    """The file's SHA-256 in lower-case hex; a few MB of memory whatever its size.

    Raises RefusedInput when the file cannot be read.
    """
    (digest,) = sha256_files([path], "sha256", progress)
    return digest


def sha256_files(paths: Sequence[Path], what: str, progress: bool = True) -> list[str]:
    """`sha256_file` of each, under one bar that moves with the bytes, so that a slow disk is seen at work.

    Args:
        what: for the bar.
    """
    if not progress:
        return [_digest(path, lambda count: None) for path in paths]
    with Bar(what, sum(_size(path) for path in paths), unit="B") as bar:
        return [_digest(path, bar.update) for path in paths]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error


def _digest(path: Path, read: Callable[[int], object]) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while piece := stream.read(_PIECE_BYTES):
                digest.update(piece)
                read(len(piece))
    except OSError as error:
        raise _unreadable(path, error) from error
    return digest.hexdigest()


def _unreadable(path: Path, error: OSError) -> RefusedInput:
    return RefusedInput(f"{path} cannot be read to the end: {error.strerror}. Check file and disk.")


def sha256_source(source: TensorSource, progress: bool = False) -> dict[str, str]:
    """File name -> SHA-256 of every weight file of a checkpoint."""
    return {path.name: sha256_file(path, progress) for path in source.files}
