"""Content of an imported file, and the meaning of its values."""

import io
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted
from helpers.core.vocabulary import Meaning
from helpers.data.frames.image_reading import DECODE_ERRORS, MAX_PIXELS
from helpers.data.truth.mask_values import NEAR, Found, ValueKind, full_of, judge, shares
from helpers.model.image_mode import require_opaque

SUFFIXES = (".png", ".npz", ".npy")

# Stored for a mask's pixels: as far from 0 as a probability of 0.9997.
MASK_LOGIT = 8.0
_LEAST = 1e-4
# Floating values up to here may be percentages.
_PERCENT = 100

# nnU-Net's names of its arrays of probabilities, the present one first.
_PROBABILITIES = ("probabilities", "softmax")
_ADVICE = "Say what the values are with --values mask, probability or logit, or export the vessel alone as 0 and 255"


@dataclass(frozen=True)
class ReadAs:
    """What the values of all files were taken for.

    Attributes:
        full: of probabilities, the value that stands for 1.
        notes: what to tell of it.
    """

    meaning: Meaning
    full: int = 1
    notes: tuple[str, ...] = ()


def read_values(path: Path) -> np.ndarray:
    """The values of a file, (H, W), bool, integer or floating, finite.

    A PNG is grey, of 8 or 16 bits. An array may have further sides of length 1, and one of length 2: background and
    vessel, of which the second counts. An .npz holds one array, or one named `probabilities` or `softmax`.

    Raises:
        RefusedInput: where the file is damaged or holds something else.
    """
    try:
        values = _png(path) if path.suffix.lower() == ".png" else _array(path)
        values = _plane(values)
        if values.dtype.kind not in "buif" or not np.isfinite(values).all():
            raise ValueError(f"expected finite numbers, found {values.dtype} or NaN or infinity")
    except (*DECODE_ERRORS, BadZipFile, EOFError, KeyError, TypeError, ValueError, zlib.error) as error:
        raise RefusedInput(
            f"{path}: expected a grey PNG or an array (H, W), see docs/baselines.md ({error}). Export it again"
        ) from error
    return values


def meaning_of(files: Iterable[Found]) -> ReadAs:
    """What the values of a folder are, where the user does not say: by the table of `helpers.data.truth.mask_values`.

    Floating values within 0.001 of 0 .. 1 are probabilities, and are clipped. Greys of a smeared mask are taken as
    shares of white, so that half of it is a probability of 0.5.

    Raises:
        RefusedInput: for all else, with the histogram.
    """
    files = tuple(files)
    if any(not found.whole for found in files) and all(_is_share(found) for found in files):
        return ReadAs(Meaning.PROBABILITY, 1, _clipped(files))
    judged = judge(files, _ADVICE)
    if judged.reason is not None:
        raise RefusedInput(f"values: {judged.reason}")
    greys = {found.full for found in files if found.kind is ValueKind.GREY and found.full is not None}
    if not greys:
        return ReadAs(Meaning.MASK, 1, judged.notes)
    ones = {found.one for found in files if found.kind is ValueKind.MASK and found.one is not None}
    if len(greys) > 1 or not ones <= set(map(str, greys)):
        raise RefusedInput(
            "values: expected files that go together, found greys up to "
            f"{' and '.join(map(str, sorted(greys)))} beside masks of 0 and {' or '.join(sorted(ones)) or 'nothing'}: "
            f"{shares(files)}. {_ADVICE}"
        )
    return ReadAs(Meaning.PROBABILITY, greys.pop(), judged.notes)


def stated(files: Iterable[Found], meaning: Meaning) -> ReadAs:
    """What the values of a folder are, as the user says.

    Raises:
        RefusedInput: for probabilities that lie outside 0 .. 1, or outside 0 .. 255 or 0 .. 65535 for whole numbers.
    """
    files = tuple(files)
    if meaning is not Meaning.PROBABILITY:
        return ReadAs(meaning)
    groups: dict[str, list[Found]] = defaultdict(list)
    for found in files:
        if found.kind is not ValueKind.EMPTY:
            groups[found.dtype].append(found)
    fulls = set(map(_full, groups.values())) or {1}
    if len(fulls) > 1:
        raise RefusedInput(
            f"expected probabilities of one scale, found shares of {' and of '.join(map(str, sorted(fulls)))}: "
            f"{shares(files)}. Export all of them from 0 to 1"
        )
    full = fulls.pop()
    return ReadAs(meaning, full, _clipped(files) if full == 1 else (f"probabilities were taken as shares of {full}",))


def _full(files: Sequence[Found]) -> int:
    """What stands for 1 in files of one type. Raises `RefusedInput` where nothing can."""
    low, high = min(found.low for found in files), max(found.high for found in files)
    integer = np.dtype(files[0].dtype).kind in "bui"
    if low >= -NEAR and high <= 1 + NEAR:
        return 1
    full = full_of(low, high, integer)
    if full is None or (not integer and high <= _PERCENT):
        raise RefusedInput(
            f"expected probabilities from 0 to 1, found {low:g} to {high:g}; shares of 255 or 65535 are known as well. "
            "Say what the values are with --values, or export them from 0 to 1"
        )
    return full


def _is_share(found: Found) -> bool:
    return found.low >= -NEAR and found.high <= 1 + NEAR


def _clipped(files: Sequence[Found]) -> tuple[str, ...]:
    outside = [found for found in files if found.low < 0 or found.high > 1]
    if not outside:
        return ()
    low, high = min(found.low for found in outside), max(found.high for found in outside)
    return (f"probabilities of {counted(len(outside), 'file')} just outside 0 to 1 ({low:g} to {high:g}), clipped",)


def to_logits(values: np.ndarray, taken: ReadAs) -> np.ndarray:
    """Logits, float32 (H, W), of the values of a file."""
    if taken.meaning is Meaning.MASK:
        return np.where(values > 0, MASK_LOGIT, -MASK_LOGIT).astype(np.float32)
    if taken.meaning is Meaning.LOGIT:
        return values.astype(np.float32)
    share = values.astype(np.float64) / taken.full
    share = np.clip(share, _LEAST, 1 - _LEAST)
    return np.log(share / (1 - share)).astype(np.float32)


def _png(path: Path) -> np.ndarray:
    with Image.open(io.BytesIO(path.read_bytes()), formats=("PNG",)) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"{image.width}x{image.height} pixels; at most {MAX_PIXELS:,} are read")
        if image.mode == "P":
            raise ValueError("a palette of colours")
        require_opaque(image)
        values = np.asarray(image)
    if values.ndim == 3:
        if (values[..., :3] != values[..., :1]).any() or values.shape[2] in (2, 4):
            raise ValueError("colours or transparency")
        values = values[..., 0]
    return values.astype(np.uint16) if values.dtype == np.int32 else values


def _array(path: Path) -> np.ndarray:
    found = np.load(path, allow_pickle=False)
    if isinstance(found, np.ndarray):
        return found
    with found:
        name = next((name for name in _PROBABILITIES if name in found.files), None)
        name = found.files[0] if name is None and len(found.files) == 1 else name
        if name is None:
            raise ValueError(f"expected one array or one named probabilities, found {len(found.files)}")
        return found[name]


def _plane(values: np.ndarray) -> np.ndarray:
    if values.ndim > 2 and values.shape[0] == 2:
        values = values[1]
    while values.ndim > 2 and 1 in values.shape[:-2]:
        values = values.squeeze(axis=values.shape.index(1))
    if values.ndim != 2 or values.size == 0:
        raise ValueError(f"expected (H, W), found {values.shape}")
    return values


def holds_probabilities(path: Path) -> bool:
    """Whether a file is an NPZ with an array named as nnU-Net names its probabilities; its values are not read."""
    if path.suffix.lower() != ".npz":
        return False
    try:
        with ZipFile(path) as archive:
            return any(f"{name}.npy" in archive.namelist() for name in _PROBABILITIES)
    except (OSError, BadZipFile):  # told where it is read
        return False
