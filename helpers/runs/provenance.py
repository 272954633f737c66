"""Provenance of a run: versions, devices, and the image files behind its cases."""

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import helpers
from helpers.core.shown_text import counted
from helpers.core.versions import version
from helpers.data.frames.frame import Frame
from helpers.runs.durable import json_bytes, write_soon

# Those whose version can change what a model answers.
PACKAGES = ("torch", "transformers", "numpy", "pillow")


def making(device: str) -> dict[str, str | None]:
    """Versions and machine of this process, without names: a JSON object whose equality means equal conditions.

    Args:
        device: that computes, such as `cpu` or `cuda:1`.
    """
    gpu = None
    if device.startswith("cuda"):
        import torch  # here, since a run is opened without it

        gpu = torch.cuda.get_device_name(device)
    versions = {name: version(name) for name in PACKAGES}
    return {"vesselkit": helpers.__version__, **versions, "processor": platform.machine(), "gpu": gpu}


def making_text(made: Mapping[str, str | None] | None) -> str | None:
    """A making as text, equal for equal ones; None for an unknown one."""
    return None if made is None else json.dumps(made, sort_keys=True)


def mixture(counts: Mapping[str | None, int]) -> str | None:
    """A sentence on cases that were not all computed under the same conditions; None where they were.

    Args:
        counts: number of cases by `making_text`.
    """
    if len(counts) < 2:
        return None
    known: dict[str | None, Any] = {text: json.loads(text) for text in counts if text is not None}
    names = list(dict.fromkeys(name for made in known.values() for name in made))
    apart = [name for name in names if len({made.get(name) for made in known.values()}) > 1]
    shares = [
        f"{count} of {counted(sum(counts.values()), 'case')} with {making_words(known.get(text), apart or names)}"
        for text, count in counts.items()
    ]
    return (
        f"computed under different versions or on different machines: {'; '.join(shares)}. A difference between these "
        "cases may come from that; predict into a new folder to have all from one"
    )


def making_words(made: Mapping[str, str | None] | None, names: Iterable[str]) -> str:
    """What a making says of some of its fields, for people."""
    if made is None:
        return "no versions kept"
    return ", ".join(f"{name} {made.get(name, 'unknown') or 'none'}" for name in names)


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
        status = path.stat()
    except OSError:
        return None
    facts = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
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


def _kept(run: Path, case_id: str) -> dict[str, str | None]:
    """What `write_source` kept; empty where there is none, which also a damaged file means: then the frame is read."""
    try:
        values = json.loads(source_path(run, case_id).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
