"""Pixel data of a DICOM file without what is no pixel: overlays in unused bits, comments, and bytes behind its end."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from helpers.core.errors import RefusedInput
from helpers.data.exchange.jpeg_codestream import bare_jpeg, bare_jpeg_2000
from helpers.data.frames.dicom import RLE
from helpers.data.frames.dicom_file import pydicom
from helpers.data.frames.dicom_frames import frame_count_of, is_filled
from helpers.data.frames.dicom_header import identity_texts

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_RLE_HEAD = 64  # bytes
_JPEG = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 57, 70, 80, 81))
_JPEG_2000 = frozenset(f"1.2.840.10008.1.2.4.{number}" for number in (90, 91, 92, 93, 201, 202, 203))
_OVERLAYS = range(0x6000, 0x6100, 2)
_BITS_ALLOCATED, _BIT_POSITION, _OVERLAY_DATA = 0x0100, 0x0102, 0x3000
_INSTEAD = "Remove the identity with a tool for that, or export with --identity source"


def bare_pixels(path: Path, source: "Dataset") -> bytes:
    """The pixel data of a file whose pixels are as they were, compressed as they were.

    Args:
        source: the whole file.
    Raises:
        RefusedInput: for compressed pixels with an overlay in them, a compression whose comments are not known, a
            codestream that cannot be followed, and pixel data that spells a text of its header.
    """
    is_encapsulated = source.file_meta.TransferSyntaxUID.is_encapsulated
    content = _frames_alone(path, source) if is_encapsulated else _stored_bits(path, source)
    # A text across words loses letters together with unused bits, and what is left of it still tells.
    searched = content if is_encapsulated else source.PixelData[: len(content)]
    if any(text in searched for text in identity_texts(source)):
        raise RefusedInput(
            f"{path}: expected frames without text, found one of the header's in the pixel data. {_INSTEAD}"
        )
    return content


def _frames_alone(path: Path, source: "Dataset") -> bytes:
    """Compressed frames, with nothing between and behind them."""
    if _has_embedded_overlay(source):
        raise RefusedInput(
            f"{path}: expected compressed pixels alone, found an overlay in their unused bits. Decompress the file"
        )
    syntax, count = source.file_meta.TransferSyntaxUID, frame_count_of(source)
    known = bare_jpeg if syntax in _JPEG else bare_jpeg_2000 if syntax in _JPEG_2000 else None
    if known is None and syntax != RLE:
        raise RefusedInput(
            f"{path}: expected RLE, JPEG, JPEG-LS or JPEG 2000, found another compression, "
            "whose comments cannot be checked. Decompress the file"
        )
    tables = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
    offsets = tuple(source[table].value for table in tables) if all(table in source for table in tables) else None
    library = pydicom().encaps
    if syntax == RLE:  # each frame is one piece, behind the table of offsets
        frames = list(library.generate_fragments(source.PixelData))[1:]
    else:
        frames = list(library.generate_frames(source.PixelData, number_of_frames=count, extended_offsets=offsets))
    if len(frames) != count:
        raise RefusedInput(
            f"{path}: expected as many frames as its header counts, found {len(frames)}. Export it again"
        )
    if known is None:
        if not all(_has_plain_head(frame) for frame in frames):
            raise RefusedInput(
                f"{path}: expected a plain head of RLE frames, found other bytes in it. Decompress the file"
            )
    else:
        try:
            frames = [known(frame) for frame in frames]
        except ValueError as error:
            raise RefusedInput(f"{path}: {error}, so a text in it cannot be detected. Decompress the file") from None
    return bytes(library.encapsulate(frames))


def _has_plain_head(frame: bytes) -> bool:
    """Whether the head of an RLE frame holds where its segments begin, and zeros."""
    count = int.from_bytes(frame[:4], "little")
    return (
        0 < count < _RLE_HEAD // 4
        and frame[4:8] == _RLE_HEAD.to_bytes(4, "little")
        and not any(frame[4 + 4 * count : _RLE_HEAD])
    )


def _has_embedded_overlay(source: "Dataset") -> bool:
    """Whether a header says that an overlay lies in bits of the pixels."""
    for start in (group << 16 for group in _OVERLAYS):
        if start + _BIT_POSITION in source and source[start + _BIT_POSITION].value != 0:
            return True
        if start + _BITS_ALLOCATED in source and start + _OVERLAY_DATA not in source:
            return True
    return False


def _stored_bits(path: Path, source: "Dataset") -> bytes:
    """Uncompressed words in the length that the header promises, with nothing in bits that hold no pixel.

    Bits above a signed value repeat its sign. Padding stays, which may use bits that BitsStored leaves out.
    """
    allocated, stored, highest = (int(source[name].value) for name in ("BitsAllocated", "BitsStored", "HighBit"))
    above, below = allocated - 1 - highest, highest + 1 - stored
    if not (0 < stored <= allocated and above >= 0 and below >= 0):
        raise RefusedInput(
            f"{path}: expected BitsAllocated, BitsStored and HighBit that agree, found {allocated}, {stored} and "
            f"{highest}. Export it again"
        )
    samples = 2 if source.get("PhotometricInterpretation") == "YBR_FULL_422" else int(source.SamplesPerPixel)
    promised = (source.Rows * source.Columns * samples * frame_count_of(source) * allocated + 7) // 8
    is_little = source.file_meta.TransferSyntaxUID.is_little_endian
    content: bytes = source.PixelData[: promised + promised % 2]
    if len(content) > promised and is_little:
        content = content[:promised] + b"\0"
    if not above and not below:
        return content
    if allocated not in (8, 16, 32):
        raise RefusedInput(f"{path}: expected 8, 16 or 32 bits for a pixel, found {allocated}. Export it again")
    kind = np.dtype(f"{'<' if is_little else '>'}{'i' if source.PixelRepresentation else 'u'}{allocated // 8}")
    words = np.frombuffer(content[: len(content) // kind.itemsize * kind.itemsize], kind)
    bare = ((words << above) >> (above + below)) << below
    return _with_padding(words, bare, source).astype(kind).tobytes()


def _with_padding(words: np.ndarray, bare: np.ndarray, source: "Dataset") -> np.ndarray:
    """Bare words (n,) with the padding value where the words in the file are padding that the stored bits lack."""
    if not is_filled(source, "PixelPaddingValue"):
        return bare
    first = int(source.PixelPaddingValue)
    last = int(source.PixelPaddingRangeLimit) if is_filled(source, "PixelPaddingRangeLimit") else first
    # Headers state a signed value as an unsigned one, and the other way round.
    ends = np.array([first, last]).astype(words.dtype)
    return np.where((words != bare) & (words >= ends.min()) & (words <= ends.max()), ends[0], bare)
