"""SHA-256 of weight files, read in pieces."""

import hashlib
from pathlib import Path

from tqdm import tqdm

from helpers.checkpoint.source import TensorSource
from helpers.errors import RefusedInput

_PIECE_BYTES = 4 << 20


def sha256_file(path: Path, progress: bool = False) -> str:
    """The file's SHA-256 in lower-case hex; a few MB of memory whatever its size.

    Raises RefusedInput when the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with (
            path.open("rb") as stream,
            tqdm(total=path.stat().st_size, unit="B", unit_scale=True, desc="sha256", disable=not progress) as bar,
        ):
            while piece := stream.read(_PIECE_BYTES):
                digest.update(piece)
                bar.update(len(piece))
    except OSError as error:
        raise RefusedInput(f"{path} cannot be read to the end: {error.strerror}. Check file and disk.") from error
    return digest.hexdigest()


def sha256_source(source: TensorSource, progress: bool = False) -> dict[str, str]:
    """File name -> SHA-256 of every weight file of a checkpoint."""
    return {path.name: sha256_file(path, progress) for path in source.files}
