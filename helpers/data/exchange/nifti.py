"""One-slice NIfTI-1 files, as ITK has an image: x to the right, y downwards, the origin in the first pixel's centre.

NIfTI counts x and y to the left and to the front, ITK to the right and to the back; a frame as it stands on the screen
therefore has -1 on the first two places of its matrix. The files are those of the NIfTI-1.1 standard: a header of 348
bytes, 4 of extension flags, then the values, x fastest.
"""

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from helpers.core.atomic import write_bytes_atomic
from helpers.core.errors import RefusedInput
from helpers.data.frames.image_reading import MAX_PIXELS

SUFFIXES = (".nii.gz", ".nii")
_HEADER, _OFFSET = 348, 352
_UINT8 = 2
_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_SCANNER = 1  # code of a matrix that says where a voxel lies
_NEAR = 1e-4
_MOST = 64  # bytes a pixel at most, unpacked


def nifti_ending(name: str) -> str:
    """The ending of a file's name that says NIfTI, in its own case; empty where it says another thing."""
    ending = next((one for one in SUFFIXES if name.lower().endswith(one)), "")
    return name[len(name) - len(ending) :]


def write_nifti(path: Path, values: np.ndarray) -> None:
    """Write a slice, uint8 (H, W), with pixels of 1 x 1; equal values give equal bytes."""
    height, width = values.shape
    header = bytearray(_HEADER)
    struct.pack_into("<i", header, 0, _HEADER)
    struct.pack_into("<8h", header, 40, 3, width, height, 1, 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, _UINT8, 8)
    # The first is the sign of the third axis under the quaternion below, which is half a turn about it.
    struct.pack_into("<8f", header, 76, 1, 1, 1, 1, 1, 1, 1, 1)
    struct.pack_into("<3f", header, 108, _OFFSET, 1, 0)
    struct.pack_into("<2h", header, 252, _SCANNER, _SCANNER)
    struct.pack_into("<6f", header, 256, 0, 0, 1, 0, 0, 0)
    struct.pack_into("<12f", header, 280, -1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0)
    struct.pack_into("<4s", header, 344, b"n+1\0")
    content = bytes(header) + bytes(_OFFSET - _HEADER) + np.ascontiguousarray(values, np.uint8).tobytes()
    write_bytes_atomic(path, gzip.compress(content, mtime=0) if path.name.endswith(".gz") else content)


def read_nifti(path: Path) -> np.ndarray:
    """The values of a slice, (H, W), as it stands on the screen.

    Raises:
        RefusedInput: for a damaged file, several slices, colours, and axes that run otherwise or are not stated.
    """
    content = _content(path)
    order = next((order for order in "<>" if struct.unpack_from(f"{order}i", content)[0] == _HEADER), None)
    if order is None or content[344:348] != b"n+1\0":
        raise _refused(path, "another format. NIfTI-1 in one file is read: .nii or .nii.gz")
    count, *sides = struct.unpack_from(f"{order}8h", content, 40)
    if not 2 <= count <= 7 or min(sides[:count]) < 1 or max(sides[2:count], default=1) > 1:
        raise _refused(path, f"{'x'.join(map(str, sides[: max(count, 0)]))} voxels. A file for each frame is read")
    width, height = sides[:2]
    (kind,) = struct.unpack_from(f"{order}h", content, 70)
    if kind not in _TYPES or width * height > MAX_PIXELS:
        raise _refused(path, f"values of type {kind}, or too many. Export labels as whole numbers")
    _require_upright(path, content, order)
    offset, slope, intercept = struct.unpack_from(f"{order}3f", content, 108)
    if slope not in (0, 1) or (slope == 1 and intercept != 0):
        raise _refused(path, f"values scaled by {slope:g}. Export labels as they are")
    stored = np.dtype(f"{order}{_TYPES[kind]}")
    if offset < _OFFSET or offset != int(offset) or len(content) < offset + width * height * stored.itemsize:
        raise _refused(path, "a file that is cut short. Export it again")
    values = np.frombuffer(content, stored, width * height, int(offset)).reshape(height, width)
    return values.astype(stored.newbyteorder("="))


def _content(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
        if raw[:2] == b"\x1f\x8b":
            unpacked = zlib.decompressobj(zlib.MAX_WBITS | 16)
            raw = unpacked.decompress(raw, MAX_PIXELS * 8 + _MOST * 1024)
    except (OSError, zlib.error) as error:
        raise _refused(path, f"a file that cannot be read ({error}). Export it again") from error
    if len(raw) < _OFFSET:
        raise _refused(path, "a file that is cut short. Export it again")
    return raw


def _require_upright(path: Path, content: bytes, order: str) -> None:
    """Refuse a file whose matrix does not say that x runs to the right and y downwards."""
    by_quaternion, by_matrix = struct.unpack_from(f"{order}2h", content, 252)
    axes = []
    if by_matrix > 0:
        axes.append(np.array(struct.unpack_from(f"{order}12f", content, 280)).reshape(3, 4)[:2, :2])
    if by_quaternion > 0:
        axes.append(_turned(content, order))
    if not axes:
        raise _refused(path, "no word on where its axes point. Save it with the geometry of the exported image")
    for one in axes:
        upright = one[0, 0] < 0 and one[1, 1] < 0
        if not upright or max(abs(one[0, 1]), abs(one[1, 0])) > _NEAR * np.abs(one).max():
            raise _refused(
                path,
                f"axes that run otherwise ({np.round(one, 3).tolist()}; expected -1, 0 and 0, -1). Which pixel is "
                "which is not certain: save it with the geometry of the exported image",
            )


def _turned(content: bytes, order: str) -> np.ndarray:
    """The first two axes by the quaternion and the sizes of a pixel."""
    b, c, d = struct.unpack_from(f"{order}3f", content, 256)
    a = np.sqrt(max(0.0, 1 - (b * b + c * c + d * d)))
    across = [a * a + b * b - c * c - d * d, 2 * (b * c - a * d)]
    down = [2 * (b * c + a * d), a * a + c * c - b * b - d * d]
    turn = np.array([across, down])
    return turn * np.array(struct.unpack_from(f"{order}2f", content, 80))


def _refused(path: Path, instead: str) -> RefusedInput:
    return RefusedInput(f"{path}: expected one slice as NIfTI, found {instead}")
