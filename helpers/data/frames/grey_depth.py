"""How deep the grey of a still image is: what its first bytes say, and the depth that its largest value needs.

What formats state of their files is in `helpers.model.image_depth`.
"""

import numpy as np

from helpers.model.image_depth import Depth, depth_of, grey_values
from helpers.model.image_mode import bit_depth_for

__all__ = ["UNIT", "Depth", "bits_for", "depth_of", "grey_values", "is_widened", "may_be_deep"]

# Bits as a number of them: floats of 0 to 1 have the full scale 2**1 - 1.
UNIT = 1

_WIDEST = 2**16 - 1
_PNG = b"\x89PNG\r\n\x1a\n"
# First bytes of formats that hold no more than 8 bits a channel here.
_SHALLOW = (b"\xff\xd8\xff", b"GIF8", b"BM", b"P1", b"P3", b"P4", b"P6")


def may_be_deep(head: bytes) -> bool:
    """Whether a file may hold more than 8 bits a pixel, by its first 132 bytes; DICOM files are none of these."""
    if head.startswith(_PNG):
        return len(head) > 24 and head[24] > 8
    is_webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    return not (head.startswith(_SHALLOW) or is_webp or head[128:132] == b"DICM")


def is_widened(values: np.ndarray, bits: int) -> bool:
    """Whether integer `values` of `bits` bits were brought to 16 as PNG wants it, all in one of the usual ways."""
    wide = values.astype(np.int64)
    narrow = wide >> (16 - bits)
    repeated, filled = narrow << (16 - bits), 16 - bits
    while filled > 0:
        repeated |= narrow << (filled - bits) if filled >= bits else narrow >> (bits - filled)
        filled -= bits
    ways = (
        narrow << (16 - bits),
        repeated,
        np.rint(np.rint(wide * ((2**bits - 1) / _WIDEST)) * (_WIDEST / (2**bits - 1))),
    )
    return any(np.array_equal(wide, way) for way in ways)


def bits_for(maximum: float) -> int:
    """The depth of 8, 10, 12, 14 or 16 bits that holds `maximum`. Raises ValueError above 65535."""
    return bit_depth_for(int(np.ceil(maximum)))
