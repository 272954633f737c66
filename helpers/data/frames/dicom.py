"""Frames of DICOM X-ray angiograms, single and multi-frame.

Grey values become 8 bits by one rule for the whole file, never by a frame's own minimum and maximum: rescale, then the
VOI LUT or window of the header, then the full range of that step onto 0 .. 255. Without LUT and window the full range
of BitsStored maps onto 0 .. 255. MONOCHROME1 is inverted, and padding becomes black last. docs/dicom.md states the
details.

No header value enters an exception's `reason` or a frame: a value can be a patient's name. For the same reason the
errors of pydicom, which quote values, are not chained.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL import Image

from helpers.data.frames.dicom_file import dicom_errors, open_dicom, pydicom
from helpers.data.frames.dicom_frames import move_to_pixels
from helpers.data.frames.dicom_header import (
    MODALITIES,
    check_frame_count,
    damaged,
    frame_count_of,
    is_filled,
    read_header,
    text_of,
)
from helpers.data.frames.image_reading import MAX_PIXELS, BadSize, UnreadableImage

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["read_dicom_frame"]

# gdcm keeps the low BitsStored bits of these two kinds of lossless JPEG, also where the codestream has more.
_CUT_SYNTAXES = frozenset({"1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"})

# Pixels that prove that a bit is never used.
_ENOUGH = 1024

# Baseline JPEG, JPEG 2000 and lossless JPEG 2000.
_PILLOW_SYNTAXES = frozenset({"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.90"})

RLE = "1.2.840.10008.1.2.5"

_WINDOW = ("WindowCenter", "WindowWidth")
_PIXEL_KEYWORDS = (
    *("Modality", "NumberOfFrames", "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PlanarConfiguration"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)


def read_dicom_frame(path: Path, index: int = 0) -> Image.Image:
    """Read frame `index` (from 0) of `path` as mode RGB, uint8; no other frame is decoded.

    Raises `UnreadableImage` for another modality, no pixel data, a damaged or shortened file, a frame out of range, an
    unknown compression, more than `MAX_PIXELS` in a frame or `MAX_FRAMES` in a file, and layouts that would have to be
    guessed.
    """
    path = Path(path)
    header = read_header(path, _PIXEL_KEYWORDS)
    try:
        _check_pixels(path, header, index)
        # Pillow where it can: gdcm is less guarded against damaged data. pydicom picks what is left.
        plugin = "pillow" if header.file_meta.TransferSyntaxUID in _PILLOW_SYNTAXES else ""
        # The words as they lie in the file: pydicom would keep their low BitsStored bits, wherever HighBit puts them.
        with open_dicom(path) as file:
            given = _coded_bits(file, header, index)
            values = pydicom().pixels.pixel_array(
                file, index=index, decoding_plugin=plugin, correct_unused_bits=False, **given
            )
        _read_functional_groups(header, index)
        _check_window(path, header)
        frame = _colour(path, values, header) if values.ndim == 3 else _grey(path, values, header)
    except dicom_errors() as error:
        raise damaged(path, error) from None
    return Image.fromarray(frame).convert("RGB")


def _check_pixels(path: Path, header: "Dataset", index: int) -> None:
    """Refuse by modality, size and frame number, all known before decoding."""
    if text_of(header, "Modality") not in MODALITIES:
        known = ", ".join(sorted(MODALITIES))
        raise UnreadableImage(path, f"expected a modality of {known}, found another or none. Leave the file out")
    rows, columns, count = int(header.get("Rows") or 0), int(header.get("Columns") or 0), frame_count_of(header)
    if rows < 1 or columns < 1:
        raise UnreadableImage(path, "the DICOM file holds no image. Leave reports and other documents out")
    if rows * columns > MAX_PIXELS:
        size = f"{columns}x{rows} = {rows * columns:,} pixels"
        raise BadSize(path, f"{size}; at most {MAX_PIXELS:,} are read. Shrink or crop it")
    check_frame_count(path, count)
    if not 0 <= index < count:
        raise UnreadableImage(path, f"expected a frame of 0 to {count - 1}, was asked for {index}. Check the frame")


def _read_functional_groups(header: "Dataset", index: int) -> None:
    """Copy rescale and window of an enhanced file's frame `index` to where a plain file has them."""
    groups = [*header.get("SharedFunctionalGroupsSequence", [])]
    groups += [*header.get("PerFrameFunctionalGroupsSequence", [])][index : index + 1]
    for group in groups:
        for keyword in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
            for item in group.get(keyword, []):
                header.update({element.tag: element for element in item if element.keyword in _PIXEL_KEYWORDS})


def _check_window(path: Path, header: "Dataset") -> None:
    """Refuse a window that is no numbers, or has no width, for what it is: the file is not damaged."""
    if is_filled(header, "VOILUTSequence") or not all(is_filled(header, keyword) for keyword in _WINDOW):
        return
    given = (header[keyword].value for keyword in _WINDOW)
    try:
        center, width = (float(value if isinstance(value, str | float | int) else value[0]) for value in given)
    except (TypeError, ValueError):
        center = width = math.nan
    least = 1 if (text_of(header, "VOILUTFunction") or "LINEAR").upper() == "LINEAR" else 0
    if not (math.isfinite(center) and math.isfinite(width) and width > 0 and width >= least):
        raise UnreadableImage(
            path,
            "expected a window of two numbers and some width in the header (WindowCenter, WindowWidth), found another, "
            "such as a decimal comma or a width of 0. Correct the header, or take the window out of it",
        )


def _colour(path: Path, values: np.ndarray, header: "Dataset") -> np.ndarray:
    """Colour `values` (H, W, 3), which pydicom has brought to RGB, as uint8."""
    if header.get("PhotometricInterpretation") not in {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT"}:
        raise UnreadableImage(path, "expected RGB or YBR colour, found another kind. Export it as RGB or grey")
    if values.dtype != np.uint8 or header.BitsStored != 8:
        raise UnreadableImage(path, "expected colour of 8 bits per channel, found another depth. Export it as 8-bit")
    return values


def _grey(path: Path, values: np.ndarray, header: "Dataset") -> np.ndarray:
    """Stored grey `values` (H, W), integer, as uint8 (H, W) by the rule of this module."""
    photometric = header.get("PhotometricInterpretation")
    if photometric not in {"MONOCHROME1", "MONOCHROME2"}:
        raise UnreadableImage(path, "expected MONOCHROME1, MONOCHROME2, RGB or YBR, found another. Export it as grey")
    words, values = values, _stored(path, values, header)
    padding = _padding(words, values, header)
    ends = np.array(_ends(header))
    # The header was read without its modality LUT sequence: in an angiogram that leads back to the X-ray intensity
    # and is not meant for display.
    values, ends = (pydicom().pixels.apply_rescale(given, header) for given in (values, ends))
    if is_filled(header, "VOILUTSequence"):
        values, ends = _look_up(values, header.VOILUTSequence[0], header.file_meta.TransferSyntaxUID.is_little_endian)
    elif is_filled(header, "WindowCenter") and is_filled(header, "WindowWidth"):
        values = pydicom().pixels.apply_windowing(values, header)
    else:
        ends = np.sort(ends)
    low, high = ends.astype(np.float64)
    if not (np.isfinite(high - low) and high != low and np.isfinite(values).all()):
        raise UnreadableImage(path, "rescale, window or LUT of the header leave no range of grey. Export it again")
    fraction = np.clip((values - low) / (high - low), 0, 1)
    grey = np.rint(255 * (1 - fraction if photometric == "MONOCHROME1" else fraction)).astype(np.uint8)
    return grey if padding is None else np.where(padding, np.uint8(0), grey)


def _coded_bits(file: BinaryIO, header: "Dataset", index: int) -> dict[str, int]:
    """Bits of the codestream of a frame, for the decoder, where they are more than BitsStored and would be cut."""
    if header.file_meta.TransferSyntaxUID not in _CUT_SYNTAXES:
        return {}
    move_to_pixels(file)
    stream = pydicom().encaps.get_frame(file, index, number_of_frames=frame_count_of(header))
    file.seek(0)
    bits = _jpeg_precision(stream)
    return {} if bits is None or bits <= header.BitsStored else {"bits_stored": bits}


def _jpeg_precision(stream: bytes) -> int | None:
    """Bits of a sample by the frame header of a JPEG codestream; None where none is found."""
    place = 2
    while place + 5 <= len(stream) and stream[place] == 0xFF:
        marker = stream[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return stream[place + 4]
        place += 2 + int.from_bytes(stream[place + 2 : place + 4], "big")
    return None


def _ends(header: "Dataset") -> tuple[int, int]:
    """The lowest and the highest value that BitsStored can hold."""
    bits = header.BitsStored
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if header.PixelRepresentation == 1 else (0, 2**bits - 1)


def _stored(path: Path, words: np.ndarray, header: "Dataset") -> np.ndarray:
    """The stored values (H, W) within decoded `words` (H, W), without what old files keep in the bits around them."""
    syntax, bits = header.file_meta.TransferSyntaxUID, header.BitsStored
    highest_bit = header.get("HighBit", bits - 1) if syntax.is_encapsulated else header.HighBit
    above, below = header.BitsAllocated - 1 - highest_bit, highest_bit + 1 - bits
    if not (0 < bits <= header.BitsAllocated and above >= 0 and below >= 0):
        raise UnreadableImage(path, "BitsAllocated, BitsStored and HighBit of the header contradict. Export it again")
    if not syntax.is_encapsulated or syntax == RLE:  # both keep whole words
        values = (words << above) >> (above + below)
        if below == 0 and _lie_higher(words, values, above):
            raise UnreadableImage(
                path,
                f"the grey values lie {above} bits higher than HighBit says, as compression by some archives leaves "
                "them. Export it from the original file",
            )
        return values
    if below:
        raise UnreadableImage(
            path, "expected HighBit one below BitsStored in a compressed file, found another. Export it uncompressed"
        )
    if header.PixelRepresentation == 1 and words.min() >= 0:  # a decoder that leaves the sign to its caller
        words = np.where(words < 2 ** (bits - 1), words, words.astype(np.int32) - 2**bits)
    lowest, highest = _ends(header)
    if words.min() < lowest or words.max() > highest:
        raise UnreadableImage(
            path, f"found values beyond the {bits} bits that the header states. Export it uncompressed"
        )
    return words


def _lie_higher(words: np.ndarray, values: np.ndarray, above: int) -> bool:
    """Whether words (H, W) hold grey in the bits above HighBit, which old overlays may use too.

    Grey that lies higher leaves as many of the lowest bits unused in every pixel, which no overlay does.
    """
    unused = (1 << above) - 1
    return bool(
        words.size >= _ENOUGH and above and not (words & unused).any() and values.any() and (words != values).any()
    )


def _padding(words: np.ndarray, values: np.ndarray, header: "Dataset") -> np.ndarray | None:
    """Where the header says that pixels are padding, bool (H, W); None where it names no padding.

    Args:
        words: as they lie in the file: padding may use bits that BitsStored leaves out.
        values: the stored values within them.
    """
    if not is_filled(header, "PixelPaddingValue"):
        return None
    first = int(header.PixelPaddingValue)
    last = int(header.PixelPaddingRangeLimit) if is_filled(header, "PixelPaddingRangeLimit") else first
    # Headers state a signed value as an unsigned one of 16 bits, and the other way round.
    low, high = sorted(_as_stored(number, values.dtype) for number in (first, last))
    within = (values >= low) & (values <= high)
    lowest, highest = _ends(header)
    return within if lowest <= low and high <= highest else within | ((words >= low) & (words <= high))


def _as_stored(number: int, dtype: np.dtype) -> int:
    """A number of a header as a stored value of a dtype would hold its bits; one that cannot be meant stays."""
    width = 8 * dtype.itemsize
    if np.iinfo(dtype).min <= number <= np.iinfo(dtype).max or not -(2 ** (width - 1)) <= number < 2**width:
        return number
    return number - 2**width if number > 0 else number + 2**width


def _look_up(values: np.ndarray, item: "Dataset", is_little_endian: bool) -> tuple[np.ndarray, np.ndarray]:
    """Put `values` (H, W) through one LUT; returns them and the range (2,) of the LUT's output.

    Not pydicom's `apply_voi`: it counts the entries in the type of the output, too small for 8 bits out of 10.
    """
    entries, first, depth = (int(number) for number in item.LUTDescriptor)
    entries = entries % 2**16 or 2**16
    data = item.LUTData
    if isinstance(data, bytes):
        width = 1 if len(data) in {entries, entries + 1} and depth == 8 else 2
        data = np.frombuffer(data, dtype=f"{'<' if is_little_endian else '>'}u{width}")
    table = np.asarray(data)[:entries].astype(np.int64) & (2**depth - 1)
    position = np.clip(np.rint(values).astype(np.int64) - first, 0, len(table) - 1)
    return table[position], np.array([0, 2**depth - 1])
