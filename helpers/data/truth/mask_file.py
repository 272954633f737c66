"""Mask files: vessel or not, from any image format of published data sets; all of a set decide what values mean."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from helpers.core.progress import track
from helpers.core.shown_text import counted
from helpers.data.frames.image_reading import (
    DECODE_ERRORS,
    MAX_PIXELS,
    QUARTER_TURNS,
    UnreadableImage,
    open_unpacked,
    upright,
)
from helpers.data.truth.mask_values import (
    DECIDE,
    FULL,
    NOTHING,
    Found,
    Judgement,
    ValueChoice,
    ValueKind,
    full_of,
    half,
    judge,
    look,
    said_other,
    shares,
)
from helpers.model.image_mode import require_opaque

_FORMATS = ("PNG", "TIFF", "GIF", "BMP", "PPM", "JPEG")

_AS_GREY = "Export it as grey with 0 and 255"


def mask_size(path: Path) -> tuple[int, int]:
    """Width and height of a mask file in pixels, upright, from its header. Raises `UnreadableImage`."""
    with _opened(path) as image:
        width, height = image.size
        # Of a TIFF, Pillow states the upright size by itself.
        lies = image.format != "TIFF" and image.getexif().get(ExifTags.Base.Orientation) in QUARTER_TURNS
        return (height, width) if lies else (width, height)


@dataclass(frozen=True)
class Plane:
    """The pixels of a mask file, upright.

    Attributes:
        values: (H, W): greys as the file has them; for colours, numbers of which 0 is black.
        names: the colour of each such number, `#rrggbb`; None for greys.
        entries: (H, W), the palette's indices; None where there is no palette.
        twins: whether two entries of the palette that are used look the same: as colours they are one, as labels two.
        lossy: whether the file's compression alters values.
    """

    values: np.ndarray = field(repr=False)
    names: Mapping[int, str] | None = None
    entries: np.ndarray | None = field(default=None, repr=False)
    twins: bool = False
    lossy: bool = False

    def where(self, name: str) -> np.ndarray:
        """The pixels, bool (H, W), of a value that a user names: a number, a palette's index, or `#rrggbb`.

        Raises:
            ValueError: where a number means a grey and another index of the palette.
        """
        colour = _COLOUR.fullmatch(name.strip())
        if colour:
            code = int(colour[1], 16)
            if self.names is not None:
                return self.values == code
            red, green, blue = code >> 16, code >> 8 & 255, code & 255
            return self.values == (red if red == green == blue else -1)
        try:
            number = float(name)
        except ValueError:
            return np.zeros(self.values.shape, bool)
        if self.entries is None:
            return self.values == number if self.names is None else np.zeros(self.values.shape, bool)
        pixels = self.entries == number
        if self.names is None and (other := self.values == number).any() and (other != pixels).any():
            raise ValueError(f"{name} is a grey and the index of another entry of the palette; name it as #rrggbb")
        return pixels


@dataclass(frozen=True)
class Drawn:
    """A mask file as it was understood.

    Attributes:
        mask: bool (H, W), vessel.
        ignored: bool (H, W), pixels that are not scored; None where there is none.
        found: the values, without those that are ignored.
        remarks: without names.
        named: which of the values that were named it holds.
    """

    mask: np.ndarray = field(repr=False)
    ignored: np.ndarray | None = field(repr=False)
    found: Found
    remarks: tuple[str, ...] = ()
    named: frozenset[str] = frozenset()


def read_mask(path: Path, choice: ValueChoice = NOTHING) -> tuple[np.ndarray, tuple[str, ...]]:
    """Read a mask, upright, by the table of `helpers.data.truth.mask_values`, as if it were alone.

    Of two colours, palette or not, one must be black; the other is vessel.

    Returns:
        The mask, bool (H, W), and remarks such as `mask not binary: values 0, 128`, without names.
    Raises:
        UnreadableImage: where the file is missing, damaged, too large, of several frames, transparent in parts, or of
            values that are to be decided.
    """
    plane = read_plane(path)
    try:
        drawn = draw(plane, choice)
    except Undecided as error:
        raise UnreadableImage(path, f"{error}. {DECIDE}") from error
    return drawn.mask, drawn.remarks


def draw(plane: Plane, choice: ValueChoice, highest: float | None = None) -> Drawn:
    """What a mask file holds, by what was decided, else by the table.

    Args:
        highest: value of all files that go together; None for a file alone.
    Raises:
        Undecided: where that leaves open what its values mean.
    """
    values, ignored, named = plane.values, None, set()
    if choice.named:
        parts = _named_parts(plane, choice)
        named = {name for name, part in parts.items() if part.any()}
        if choice.ignore:
            ignored = np.logical_or.reduce([parts[name] for name in choice.ignore])
            values = np.where(ignored, 0, values)
            ignored = ignored if ignored.any() else None
    looked = look(values, plane.names)
    remarks: tuple[str, ...] = ()
    if choice.vessel:
        mask = np.logical_or.reduce([parts[name] for name in choice.vessel])
    elif choice.values == "mask":
        _require(looked, not looked.low < 0 and np.isfinite(looked.low))
        mask = values != 0
    elif choice.values == "probability" and looked.one not in _WHITES:
        highest = looked.high if highest is None else max(highest, looked.high)
        full = full_of(looked.low, highest, looked.whole)
        if full is None or plane.names is not None:
            raise _not_understood(looked)
        mask = values >= half(full)
    else:
        _require(looked, looked.kind in (ValueKind.EMPTY, ValueKind.MASK, ValueKind.GREY))
        white = looked.full if looked.kind is ValueKind.GREY else None
        mask = values != 0 if white is None else values >= half(white)
        remarks = _remarks(looked)
    if plane.twins and not choice.vessel:
        raise Undecided("expected a colour of its own for each entry of the palette, found two entries of one colour")
    return Drawn(mask, ignored, looked, remarks, frozenset(named))


def _named_parts(plane: Plane, choice: ValueChoice) -> dict[str, np.ndarray]:
    looked = look(plane.values, plane.names)
    if looked.kind is ValueKind.GREY or (plane.lossy and looked.distinct > 2):
        raise Undecided("a mask of smeared greys or colours holds no exact values to name; export it without loss")
    try:
        return {name: plane.where(name) for name in choice.named}
    except ValueError as error:
        raise Undecided(str(error)) from error


def _require(found: Found, known: bool) -> None:
    if not known:
        raise _not_understood(found)


def _not_understood(found: Found) -> "Undecided":
    return Undecided(f"expected a mask of 0 and 255, or 0 and 1, found {said_other(found)}: {shares([found])}")


def _remarks(found: Found) -> tuple[str, ...]:
    if found.coloured:
        return ("mask in colour: all that is not black was taken",) if found.kind is ValueKind.MASK else ()
    if found.kind is ValueKind.EMPTY or found.one in _WHITES:
        return ()
    listed = list(found.counts)[:8]
    return (f"mask not binary: values {', '.join(listed)}" + (", ..." if found.distinct > len(listed) else ""),)


class Undecided(ValueError):
    """The values of a mask leave open what they mean. Its text says which they are, without names."""


def read_plane(path: Path) -> Plane:
    """The pixels of a mask file, not to be changed. Raises `UnreadableImage` as `read_mask`, but for their values.

    The last file's are kept: problems, mask and ignored pixels of a case are asked for one after the other.
    """
    try:
        state = path.stat()
    except OSError:
        return _decoded(path)  # which says so
    return _kept_plane(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1)
def _kept_plane(path: Path, size: int, changed: int) -> Plane:
    """As `read_plane`; `changed` is there so that a file that was written again is read again."""
    return _decoded(path)


def _decoded(path: Path) -> Plane:
    with _opened(path) as image:
        try:
            image.load()
            # Read after load(): for TIFF, Pillow has then applied and removed the tag by itself.
            orientation = image.getexif().get(ExifTags.Base.Orientation)
            is_clear = _is_clear(image)
            entries = np.asarray(upright(image, orientation)) if image.mode == "P" else None
            shown = upright(image if image.mode in _GREYS else image.convert("RGB"), orientation)
            values = np.asarray(shown)
            lossy = image.format == "JPEG"
        except Image.DecompressionBombError as error:
            raise UnreadableImage(path, f"too many pixels; at most {MAX_PIXELS:,} are read") from error
        except DECODE_ERRORS as error:
            raise UnreadableImage(path, "it is damaged or cut short. Copy it again from its source") from error
    if is_clear:
        raise UnreadableImage(path, f"expected a mask without transparency, found some. {_AS_GREY}")
    if values.ndim == 2:
        return Plane(values, lossy=lossy)
    codes = values.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    distinct = np.unique(codes)
    twins = entries is not None and len(np.unique(entries.astype(np.int64) << 24 | codes)) > len(distinct)
    if not (values != values[..., :1]).any():
        return Plane(values[..., 0], None, entries, twins, lossy)
    return Plane(codes, {int(code): f"#{code:06x}" for code in distinct}, entries, twins, lossy)


def _is_clear(image: Image.Image) -> bool:
    """Whether pixels of a decoded mask are transparent. A clear palette entry or grey that is black hides nothing."""
    bands = {band.upper() for band in image.getbands()}
    if "A" in bands:
        return np.asarray(image)[..., -1].min() < _OPAQUE
    try:
        require_opaque(image)
    except ValueError:
        return True
    return False


_OPAQUE = 255
_COLOUR = re.compile(r"#([0-9a-fA-F]{6})")
_WHITES = frozenset(map(str, FULL))
_GREYS = frozenset({"1", "L", "I", "F"}) | {"I;16", "I;16L", "I;16B", "I;16N"}


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The image of a mask file with its size and frame count checked, its pixels not yet decoded."""
    try:
        with open_unpacked(path) as file, Image.open(file, formats=_FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS or width < 1 or height < 1:
                raise UnreadableImage(path, f"{width}x{height} pixels; at most {MAX_PIXELS:,} are read")
            frames = getattr(image, "n_frames", 1)
            if frames > 1:
                raise UnreadableImage(path, f"expected one mask, found {counted(frames, 'frame')}. Save them apart")
            yield image
    except UnidentifiedImageError as error:
        raise UnreadableImage(path, "not an image of a known format. Export it as PNG") from error
    except Image.DecompressionBombError as error:
        raise UnreadableImage(path, f"too many pixels; at most {MAX_PIXELS:,} are read") from error
    except DECODE_ERRORS as error:
        raise UnreadableImage(path, "it is missing, damaged or cut short. Copy it again from its source") from error


class MaskSurvey:
    """The values of a data set's mask files. They are read when they are first asked for, and judged once."""

    def __init__(self, paths: Sequence[Path], choice: ValueChoice):
        """Nothing is read yet.

        Args:
            paths: of all mask files of the data set.
            choice: what was decided about their values.
        """
        self.choice = choice
        self._paths = tuple(paths)
        self._judgement: Judgement | None = None

    @property
    def judgement(self) -> Judgement:
        """What the values of all files together are. A file that cannot be read plays no part: its case says so."""
        if self._judgement is None:
            self._judgement = self._judged()
        return self._judgement

    def __getstate__(self) -> dict[str, Any]:
        """For another process: the judgement in place of the paths, so that no process reads all files again."""
        return {"choice": self.choice, "_paths": (), "_judgement": self.judgement}

    def _judged(self) -> Judgement:
        files: list[Found] = []
        raw: list[Found] = []
        named: set[str] = set()
        refusals: list[str] = []
        for path in track(self._paths, "mask values", unit="file"):
            try:
                plane = read_plane(path)
            except UnreadableImage:
                continue
            raw.append(look(plane.values, plane.names))
            try:
                drawn = draw(plane, self.choice)
            except Undecided as error:
                refusals.append(str(error))
                files.append(raw[-1])
                continue
            files.append(drawn.found)
            named |= drawn.named
        absent = [name for name in self.choice.named if name not in named]
        notes = tuple(f"{name} was decided upon and is in no mask" for name in absent)
        highest = max((file.high for file in files if file.high == file.high), default=0.0)
        if self.choice.vessel and raw and not named & set(self.choice.vessel):
            listed = ", ".join(self.choice.vessel)
            said = refusals[0] if refusals else f"expected vessel as {listed} in the masks, found none of these"
            return Judgement(f"{said}: {shares(raw)}. {DECIDE}")
        if self.choice.vessel or self.choice.values:
            return Judgement(None, notes, highest=highest)
        judged = judge(files, DECIDE)
        return replace(judged, notes=(*judged.notes, *notes), highest=highest)
