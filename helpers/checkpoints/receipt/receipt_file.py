"""A receipt, read: docs/receipt-format.md. Nothing of it is executed."""

import hashlib
import sys
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from helpers.checkpoints.read.wrapper_names import plain_names
from helpers.checkpoints.receipt.receipt_script import BUCKETS, SCHEMA, SCHEMA_VERSION
from helpers.core.documents import parse_document, refuse_damaged
from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted

_FIELDS = ("created", "prompt", "drawn", "dtype", "device", "versions", "frames", "tensors")
_ADVICE = "Write it again with the script of this version (vesselkit verify --write-receipt-script FILE)"
_MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class Fingerprint:
    """What is known of a tensor, see `receipt_script.fingerprint`.

    Attributes:
        sha256: of its bytes in `dtype`.
        sha256_bfloat16: of its values rounded to bfloat16, as are `norm` and `sketch`, float64 (BUCKETS,).
    """

    shape: tuple[int, ...]
    dtype: str
    sha256: str
    sha256_bfloat16: str
    norm: float
    sketch: np.ndarray = field(repr=False, compare=False)

    @classmethod
    def of(cls, facts: Mapping[str, Any], sketch: np.ndarray) -> "Fingerprint":
        """From what `receipt_script.fingerprint` gives."""
        if sketch.shape != (BUCKETS,):
            raise ValueError(f"a sketch has shape {sketch.shape}")
        return cls(
            tuple(int(size) for size in facts["shape"]),
            str(facts["dtype"]),
            str(facts["sha256"]),
            str(facts["sha256_bfloat16"]),
            float(facts["norm"]),
            sketch,
        )

    def equals(self, other: "Fingerprint") -> bool:
        """Whether shapes and values are equal, those of two dtypes once they are rounded to bfloat16."""
        if self.shape != other.shape:
            return False
        return self.same_bytes(other) or self.sha256_bfloat16 == other.sha256_bfloat16

    def same_bytes(self, other: "Fingerprint") -> bool:
        """Whether shapes, dtypes and every bit are equal."""
        return (self.shape, self.dtype, self.sha256) == (other.shape, other.dtype, other.sha256)

    def distance(self, other: "Fingerprint") -> float:
        """Estimate of the norm of the difference; 0 for equal values, infinity for other shapes and for NaN."""
        if self.equals(other):
            return 0.0
        found = float(np.linalg.norm(self.sketch - other.sketch)) if self.shape == other.shape else np.inf
        return found if np.isfinite(found) else np.inf

    def relative(self, other: "Fingerprint") -> float:
        """The distance over this one's norm."""
        found = self.distance(other)
        return found and found / max(self.norm, sys.float_info.min)


@dataclass(frozen=True)
class FrameReceipt:
    """One call on a frame. S is the number of `[SEG]`, each with a mask.

    Attributes:
        pixels_sha256: of the frame, as `helpers.data.frames.frame_source.pixel_sha256`.
        answer: as text; None where the call gave none.
        pixels, square, tower: input of the vision tower, of SAM2's encoder, and visual tokens.
        prompt_ids, answer_ids: token ids; the answer's are empty where they were not seen.
        states: (S, H) of the language model. projected: (S, D), the prompts of SAM2.
        logits: (S, h, w) of the chosen candidates, low resolution. best: (S,), which these are. ious: (S, 3).
        masks: (S, height, width) bool; None where the call gave none.
    """

    pixels_sha256: str
    width: int
    height: int
    answer: str | None
    pixels: Fingerprint
    square: Fingerprint | None
    tower: Fingerprint
    prompt_ids: Sequence[int]
    answer_ids: Sequence[int]
    states: np.ndarray = field(repr=False)
    projected: np.ndarray = field(repr=False)
    logits: np.ndarray = field(repr=False)
    best: np.ndarray = field(repr=False)
    ious: np.ndarray = field(repr=False)
    masks: np.ndarray | None = field(repr=False)


@dataclass(frozen=True)
class Receipt:
    """What an official model computed.

    Attributes:
        sha256: of the file.
        created: UTC time.
        drawn: whether its frames are `receipt_script.drawn_frames`.
        dtype, device: that it was computed in and on, such as `bfloat16`, `cuda`.
        versions: of the packages there.
        tensors: by the names that the official model has for them, without what wrappers put in, see `plain_names`.
    """

    sha256: str
    created: str
    prompt: str
    drawn: bool
    dtype: str
    device: str
    versions: Mapping[str, str]
    frames: tuple[FrameReceipt, ...] = field(repr=False)
    tensors: Mapping[str, Fingerprint] = field(repr=False)


def read_receipt(path: Path) -> Receipt:
    """The receipt of a file.

    Raises:
        RefusedInput: for a damaged file, or one that is not a receipt of this version.
    """
    arrays = _arrays(path)
    if "header" not in arrays:
        raise _refused(path, "found another file")
    header = parse_document(path, arrays["header"].tobytes(), SCHEMA, SCHEMA_VERSION, _FIELDS, _ADVICE)
    with refuse_damaged(path, SCHEMA, SCHEMA_VERSION, _ADVICE):
        sketches = arrays["tensors.sketches"]
        tensors = {
            str(facts["name"]): Fingerprint.of(facts, sketch)
            for facts, sketch in zip(header["tensors"], sketches, strict=True)
        }
        plain = plain_names(tensors, path)  # a model in training may be wrapped
        return Receipt(
            hashlib.sha256(path.read_bytes()).hexdigest(),
            str(header["created"]),
            str(header["prompt"]),
            bool(header["drawn"]),
            str(header["dtype"]),
            str(header["device"]),
            {str(name): str(one) for name, one in header["versions"].items()},
            tuple(_frame(facts, number, arrays) for number, facts in enumerate(header["frames"])),
            {name: tensors[stored] for name, stored in plain.stored.items()},
        )


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of the file, of which none may be an object."""
    try:
        with zipfile.ZipFile(path) as listed:
            size = sum(entry.file_size for entry in listed.infolist())
        if size > _MOST_BYTES:
            raise _refused(path, f"it holds {size} bytes, more than any receipt")
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _refused(path, f"it cannot be read ({error})") from error


def _frame(facts: Mapping[str, Any], number: int, arrays: Mapping[str, np.ndarray]) -> FrameReceipt:
    def values(name: str, dimensions: int) -> np.ndarray:
        found = arrays[f"{number}.{name}"]
        if found.size and found.ndim != dimensions:
            raise ValueError(f"{number}.{name} has {found.ndim} dimensions")
        return found

    def print_of(name: str) -> Fingerprint:
        return Fingerprint.of(facts[name], arrays[f"{number}.{name}.sketch"])

    best, ious = values("best", 1), values("ious", 2)
    if len(best) != len(ious) or len(best) != len(values("logits", 3)):
        raise ValueError(f"{number}: {len(best)} chosen candidates for {counted(len(ious), 'mask')}")
    if len(best) and not (best.min() >= 0 and best.max() < ious.shape[1]):
        raise ValueError(f"{number}.best names a candidate that is not there")
    if not isinstance(facts["answer"], str | None):
        raise ValueError(f"{number}: an answer that is no text")
    width, height = int(facts["width"]), int(facts["height"])
    packed = values("masks", 2)
    masks = None
    if packed.size:
        if packed.shape[1] != -(-width * height // 8) or packed.dtype != np.uint8:
            raise ValueError(f"{number}.masks has {packed.shape[1]} bytes a mask of {width} x {height} pixels")
        masks = np.unpackbits(packed, axis=1)[:, : width * height].reshape(-1, height, width).astype(bool)
    return FrameReceipt(
        str(facts["pixels_sha256"]),
        width,
        height,
        facts["answer"],
        print_of("pixels"),
        print_of("square") if "square" in facts else None,
        print_of("tower"),
        values("prompt_ids", 1).tolist(),
        values("answer_ids", 1).tolist(),
        values("states", 2),
        values("projected", 2),
        values("logits", 3),
        best,
        ious,
        masks,
    )


def _refused(path: Path, found: str) -> RefusedInput:
    return RefusedInput(f"{path}: expected {SCHEMA} version {SCHEMA_VERSION}, {found}. {_ADVICE}")


def read_script() -> bytes:
    """The script that writes receipts, as a file to copy."""
    return Path(__file__).with_name("receipt_script.py").read_bytes()
