"""The image files behind a run's cases, so that a file that was changed after its prediction is noticed."""

import hashlib
import json
from pathlib import Path

from helpers.data.frame import Frame
from helpers.images.digest import pixel_sha256
from helpers.images.reading import UnreadableImage
from helpers.images.source import read_frame
from helpers.runs.durable import json_bytes, write_soon


def source_path(run: Path, case_id: str) -> Path:
    """The file that says how a case's image file was found."""
    return run / "sources" / f"{case_id}.json"


def file_state(path: Path, bits: int | None = None) -> str | None:
    """Digest of a file's number, size and times of change; None where there is no file.

    Equal states mean equal content. A digest, since the times may tell when a patient was examined.

    Args:
        bits: depth that the file's frames are read with, see `Frame`: under another one they have other pixels.
    """
    try:
        found = path.stat()
    except OSError:
        return None
    facts = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return hashlib.sha256(repr(facts if bits is None else (*facts, bits)).encode()).hexdigest()


def write_source(run: Path, case_id: str, state: str, image_sha256: str | None = None) -> None:
    """Keep the state that a case's image file had before it was read. A lost one costs a reading, see `is_as_found`.

    Args:
        image_sha256: of the pixels that were then read; None where they could not be.
    """
    write_soon(source_path(run, case_id), json_bytes({"state": state, "image_sha256": image_sha256}))


def is_as_found(run: Path, frame: Frame, image_sha256: str | None = None) -> bool:
    """Whether a frame's file is in the state that the run found it in. If not, its pixels may still be the same.

    Args:
        image_sha256: of the pixels that the run says it predicted; where others were found then, the answer is False.
            None to ask for none. Earlier versions kept none.
    """
    state, kept = file_state(frame.path, frame.bits), _kept(run, frame.case_id)
    if state is None or state != kept.get("state"):
        return False
    return image_sha256 is None or kept.get("image_sha256", image_sha256) == image_sha256


def current_sha256(frame: Frame) -> str | None:
    """`pixel_sha256` of a frame as its file has it now; None where it cannot be read."""
    try:
        return pixel_sha256(read_frame(frame.path, frame.index, frame.bits))
    except UnreadableImage:
        return None


def _kept(run: Path, case_id: str) -> dict[str, str | None]:
    """What `write_source` kept; empty where there is none, which also a damaged file means: then the frame is read."""
    try:
        values = json.loads(source_path(run, case_id).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
