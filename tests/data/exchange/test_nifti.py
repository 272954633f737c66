"""One-slice NIfTI files."""

import gzip
import struct

import numpy as np
import pytest

from helpers.core.errors import RefusedInput
from helpers.data.exchange.nifti import read_nifti, write_nifti

VALUES = np.arange(6, dtype=np.uint8).reshape(2, 3)


def test_the_header_says_where_a_pixel_lies(tmp_path):
    write_nifti(tmp_path / "a.nii", VALUES)
    content = (tmp_path / "a.nii").read_bytes()
    assert struct.unpack_from("<i", content)[0] == 348 and content[344:348] == b"n+1\0"
    assert struct.unpack_from("<8h", content, 40) == (3, 3, 2, 1, 1, 1, 1, 1)
    # By matrix: pixel (x, y) lies at (-x, -y), which ITK, counting the other way, calls (x, y).
    assert struct.unpack_from("<8f", content, 280) == (-1, 0, 0, 0, 0, -1, 0, 0)
    assert content[352:] == bytes(range(6))  # x fastest


def test_packed_and_plain_files_come_back_and_are_equal_each_time(tmp_path):
    for name in ("a.nii", "a.nii.gz", "b.nii.gz"):
        write_nifti(tmp_path / name, VALUES)
        assert np.array_equal(read_nifti(tmp_path / name), VALUES)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.nii.gz").read_bytes()) == (tmp_path / "a.nii").read_bytes()


def changed(path, place, kind, *values):
    content = bytearray(path.read_bytes())
    struct.pack_into(kind, content, place, *values)
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("place", "kind", "values", "words"),
    [
        (0, "<i", (540,), "another format"),
        (344, "<4s", (b"ni1\0",), "another format"),
        (40, "<8h", (3, 3, 1, 2, 1, 1, 1, 1), "3x1x2 voxels"),
        (40, "<8h", (3, -3, 2, 1, 1, 1, 1, 1), "voxels"),
        (70, "<h", (128,), "values of type 128"),
        (112, "<f", (0.5,), "scaled by 0.5"),
        (108, "<f", (400.0,), "cut short"),
        (252, "<2h", (0, 0), "no word on where its axes point"),
        (280, "<f", (1.0,), "axes that run otherwise"),
        (264, "<f", (0.0,), "axes that run otherwise"),
        (284, "<f", (0.5,), "axes that run otherwise"),
    ],
)
def test_what_is_not_certain_is_refused(tmp_path, place, kind, values, words):
    path = tmp_path / "a.nii"
    write_nifti(path, VALUES)
    changed(path, place, kind, *values)
    with pytest.raises(RefusedInput, match=words):
        read_nifti(path)


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "a.nii.gz"
    for content in (b"", b"\x1f\x8bnothing", gzip.compress(b"short")):
        path.write_bytes(content)
        with pytest.raises(RefusedInput, match="expected one slice as NIfTI"):
            read_nifti(path)


def test_files_of_the_other_byte_order_are_read(tmp_path):
    write_nifti(tmp_path / "a.nii", VALUES)
    content = (tmp_path / "a.nii").read_bytes()
    other = bytearray(content)
    for place, kinds in (
        (0, "i"), (40, "8h"), (70, "2h"), (76, "8f"), (108, "3f"), (252, "2h"), (256, "6f"), (280, "12f"),
    ):  # fmt: skip
        struct.pack_into(f">{kinds}", other, place, *struct.unpack_from(f"<{kinds}", content, place))
    (tmp_path / "b.nii").write_bytes(bytes(other))
    assert np.array_equal(read_nifti(tmp_path / "b.nii"), VALUES)
