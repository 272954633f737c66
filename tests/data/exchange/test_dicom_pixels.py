"""Pixel data that leaves holds pixels alone, and the same ones."""

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import MPEG2MPML, ExplicitVRBigEndian, JPEGLosslessSV1, RLELossless

from helpers.core.errors import RefusedInput
from helpers.data.exchange.dicom_pixels import bare_pixels
from helpers.data.frames.frame_source import read_frame
from tests.support.dicom_files import angiogram, gdcm_lossless_jpeg, jpeg_2000, write

VALUES = np.random.default_rng(5).integers(0, 4096, (2, 5, 7))


def bare(path):
    return bare_pixels(path, dcmread(path))


def with_overlay(dataset, position=12):
    for element, kind, value in ((0x0100, "US", 16), (0x0102, "US", position)):
        dataset.add_new(0x6000_0000 + element, kind, value)
    return dataset


@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("big", [False, True])
def test_bits_that_hold_no_pixel_and_bytes_behind_the_end_stay_behind(tmp_path, signed, big):
    values = VALUES - 2048 * signed
    dataset = with_overlay(angiogram(values, 12, PixelRepresentation=signed))
    kind = ">" if big else "<"
    words = (values & 0xFFF) | np.random.default_rng(6).integers(0, 16, values.shape) << 12
    dataset.PixelData = words.astype(f"{kind}u2").tobytes() + b"Otto"
    if big:
        dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    path = write(tmp_path / "a.dcm", dataset)
    assert bare(path) == values.astype(f"{kind}{'i' if signed else 'u'}2").tobytes()


def test_bits_below_the_stored_ones_and_padding_beyond_them(tmp_path):
    dataset = angiogram(np.array([[0x123F, 0xABC0, 0xFFFF, 0x0008]]), 12, HighBit=15, PixelPaddingValue=0xFFFF)
    dataset.BitsAllocated = 16
    path = write(tmp_path / "a.dcm", dataset)
    assert np.frombuffer(bare(path), "<u2").tolist() == [0x1230, 0xABC0, 0xFFFF, 0]
    dataset.PixelPaddingRangeLimit = 0xFFF0
    assert np.frombuffer(bare(write(path, dataset)), "<u2").tolist() == [0x1230, 0xABC0, 0xFFFF, 0]
    dataset.PixelPaddingValue, dataset.PixelPaddingRangeLimit = 0, 0xABC0
    assert np.frombuffer(bare(write(path, dataset)), "<u2").tolist() == [0, 0xABC0, 0xFFF0, 0]


def test_the_byte_that_makes_the_length_even_is_none_of_a_text(tmp_path):
    dataset = angiogram(np.array([[1, 2, 3]]), 8)
    dataset.PixelData = b"\1\2\3Otto!"
    assert bare(write(tmp_path / "a.dcm", dataset)) == b"\1\2\3\0"


def test_compressed_pixels_with_an_overlay_and_of_unknown_comments_are_refused(tmp_path):
    path = write(tmp_path / "a.dcm", with_overlay(angiogram(VALUES, 12)), RLELossless)
    for position in (12, 0):
        with pytest.raises(RefusedInput, match=r"a.dcm: .*found an overlay in their unused bits"):
            bare_pixels(path, with_overlay(dcmread(path), position))
    dataset = dcmread(write(path, angiogram(VALUES, 12), RLELossless))
    dataset.NumberOfFrames = 3
    with pytest.raises(RefusedInput, match="as many frames as its header counts, found 2"):
        bare_pixels(path, dataset)
    dataset.file_meta.TransferSyntaxUID = MPEG2MPML
    with pytest.raises(RefusedInput, match="found another compression, whose comments"):
        bare_pixels(path, dataset)


def test_nothing_stands_between_and_behind_compressed_frames(tmp_path):
    path = write(tmp_path / "a.dcm", angiogram(VALUES, 12), RLELossless)
    dataset = dcmread(path)
    expected = dataset.PixelData
    frames = list(generate_frames(expected, number_of_frames=2))
    dataset.PixelData = expected + b"\xfe\xff\xdd\xe0\0\0\0\0Otto"
    assert bare_pixels(path, dataset) == expected
    dataset.PixelData = encapsulate([*frames, b"Otto"])
    with pytest.raises(RefusedInput, match="as many frames as its header counts, found 3"):
        bare_pixels(path, dataset)
    dataset.PixelData = encapsulate([frames[0], frames[1][:60] + b"Otto" + frames[1][64:]])
    with pytest.raises(RefusedInput, match="expected a plain head of RLE frames"):
        bare_pixels(path, dataset)


@pytest.mark.parametrize("is_2000", [False, True])
def test_comments_of_codestreams_stay_behind_and_their_pixels_do_not(tmp_path, is_2000):
    path = tmp_path / "a.dcm"
    if is_2000:
        dataset = jpeg_2000(VALUES[0], 12)
        comment = b"\xff\x64\x00\x0d\x00\x01Otto 1957"
    else:
        write(tmp_path / "b.dcm", angiogram(VALUES[0], 12))
        dataset = dcmread(gdcm_lossless_jpeg(tmp_path / "b.dcm", path))
        assert dataset.file_meta.TransferSyntaxUID == JPEGLosslessSV1
        comment = b"\xff\xfe\x00\x0bOtto 1957\xff\xe1\x00\x0bOtto 1957"
    (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
    at = 2 + 2 + int.from_bytes(frame[4:6], "big") if is_2000 else 2  # SIZ comes first
    dataset.PixelData = encapsulate([frame[:at] + comment + frame[at:].rstrip(b"\0") + b"Otto"])
    write(path, dataset)
    shown = read_frame(path, None)
    dataset.PixelData = bare(path)
    assert b"Otto" not in dataset.PixelData
    assert read_frame(write(path, dataset), None).tobytes() == shown.tobytes()
