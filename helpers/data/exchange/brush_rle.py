"""Label Studio's run-length code of a brush: a stream of bits over the flattened RGBA pixels of a layer.

The stream, highest bit first: the number of values (32 bits), bits of a value less 1 (5), then four times the bits of
a length less 1 (4). Then runs follow: a bit, which of the four (2), the length less 1 in so many bits, and values: one
for the whole run where the bit is 1, else each of them. It is filled up to whole bytes. It is the `rle-pack` of
thi.ng/umbrella, which Label Studio uses.
"""

import numpy as np

from helpers.core.shown_text import counted
from helpers.data.frames.image_reading import MAX_PIXELS

_CHANNELS = 4
_WORD = 8
_SIZES = (3, 4, 8, 16)
_HEAD = 32 + 5 + 4 * 4
_HALF = 128


class BadBrush(ValueError):
    """A code that no brush has. Its text says why."""


def encode_brush(mask: np.ndarray) -> list[int]:
    """The code of a mask, bool (H, W): white and opaque inside, transparent black outside. Bytes as numbers."""
    flat = mask.ravel()
    ends = np.append((flat[1:] != flat[:-1]).nonzero()[0] + 1, len(flat))
    bits = [_number(len(flat) * _CHANNELS, 32), _number(_WORD - 1, 5), *(_number(size - 1, 4) for size in _SIZES)]
    start = 0
    for end in ends.tolist():
        left, value = (end - start) * _CHANNELS, 255 if flat[start] else 0
        while left:
            length = min(left, 1 << _SIZES[-1])
            place = next(place for place, size in enumerate(_SIZES) if length <= 1 << size)
            bits += ["1", _number(place, 2), _number(length - 1, _SIZES[place]), _number(value, _WORD)]
            left -= length
        start = end
    stream = np.frombuffer("".join(bits).encode(), np.uint8) - ord("0")
    return np.packbits(stream).tolist()


def decode_brush(code: object, width: int, height: int) -> tuple[np.ndarray, int]:
    """The mask of a code, bool (height, width): what is at least half opaque; and how many pixels are in between.

    A brush's edge is smoothed, so that pixels on it may be neither opaque nor transparent.

    Raises:
        BadBrush: where the code is damaged or of another size.
    """
    if not isinstance(code, list) or not all(type(one) is int and 0 <= one < 256 for one in code):
        raise BadBrush("expected a list of bytes as numbers")
    if width * height > MAX_PIXELS:
        raise BadBrush(f"an image of {width}x{height} pixels is too large; at most {MAX_PIXELS:,} are read")
    bits = np.unpackbits(np.array(code, np.uint8))
    if len(bits) < _HEAD:
        raise BadBrush("it is cut short")
    total, word = _read(bits, 0, 32), _read(bits, 32, 5) + 1
    sizes = [_read(bits, 37 + 4 * place, 4) + 1 for place in range(4)]
    if total != width * height * _CHANNELS or word != _WORD:
        raise BadBrush(f"expected {width}x{height} pixels of 4 bytes, found {counted(total, 'value')} of {word} bits")
    alpha = _values(bits, total, sizes)[_CHANNELS - 1 :: _CHANNELS].reshape(height, width)
    return alpha >= _HALF, int(((alpha > 0) & (alpha < 255)).sum())


def _values(bits: np.ndarray, total: int, sizes: list[int]) -> np.ndarray:
    values = np.empty(total, np.uint8)
    place, filled = _HEAD, 0
    while filled < total:
        if place + 3 > len(bits):
            raise BadBrush("it is cut short")
        size = sizes[_read(bits, place + 1, 2)]
        length, repeated = _read(bits, place + 3, size) + 1, bool(bits[place])
        place += 3 + size
        needed = _WORD if repeated else _WORD * length
        if place + needed > len(bits) or filled + length > total:
            raise BadBrush("its runs do not fit its pixels")
        values[filled : filled + length] = np.packbits(bits[place : place + needed])
        place, filled = place + needed, filled + length
    return values


def _read(bits: np.ndarray, start: int, count: int) -> int:
    number = 0
    for bit in bits[start : start + count].tolist():
        number = 2 * number + bit
    return number


def _number(value: int, count: int) -> str:
    return f"{value:0{count}b}"
