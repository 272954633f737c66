"""Grey values of DICOM words of every layout, against a computation pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.uid import RLELossless

from helpers.data.frames.dicom import read_dicom_frame
from helpers.data.frames.dicom_header import dicom_facts
from helpers.data.frames.image_reading import UnreadableImage
from tests.support.dicom_files import angiogram, gdcm_lossless_jpeg, jpeg_2000, write

STATED = np.array([[0, 200, 800, 1023]])


def grey(path, index=0):
    return np.asarray(read_dicom_frame(path, index))[..., 0]


def vr(dataset, *keywords, kind="US"):
    for keyword in keywords:
        dataset[keyword].VR = kind
    return dataset


def eight_bits(value: int, low: int, high: int, window: tuple[int, int] | None, slope: float, shift: float) -> float:
    """0 .. 255, not rounded, of one stored value, as PS3.3 C.11.2.1.2.1 has it for LINEAR."""
    value, low, high = (slope * number + shift for number in (value, low, high))
    if window is not None:
        centre, width = window
        if width == 1:
            return 255.0 * (value > centre - 0.5)
        return 255 * min(1, max(0, (value - (centre - 0.5)) / (width - 1) + 0.5))
    low, high = sorted((low, high))
    return 255 * (value - low) / (high - low)


@st.composite
def layouts(draw):
    """BitsAllocated, BitsStored, HighBit, signed, stored values and what lies in the bits around them."""
    allocated = draw(st.sampled_from((8, 16)))
    bits = draw(st.integers(2, 8) if allocated == 8 else st.integers(8, 16))
    high = draw(st.integers(bits - 1, allocated - 1))
    is_signed = draw(st.booleans())
    low, top = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if is_signed else (0, 2**bits - 1)
    values = draw(st.lists(st.integers(low, top), min_size=6, max_size=6))
    around = draw(st.lists(st.integers(0, 2**allocated - 1), min_size=6, max_size=6))
    return allocated, bits, high, is_signed, values, around


@settings(max_examples=80, deadline=None)
@given(
    layouts(),
    st.sampled_from(("MONOCHROME1", "MONOCHROME2")),
    st.sampled_from((None, (300, 400), (0, 1), (50, 2), (-20, 77))),
    st.sampled_from(((1, 0), (2, -1000), (-1, 500), (0.5, 3))),
    st.booleans(),
    st.sampled_from((None, RLELossless)),
    st.booleans(),
)
def test_every_layout_of_bits(tmp_path_factory, layout, photometric, window, rescale, pads, compression, with_range):
    allocated, bits, high, is_signed, values, around = layout
    mask = 2**bits - 1
    words = [
        ((value & mask) << (high + 1 - bits)) | (noise & ~(mask << (high + 1 - bits)))
        for value, noise in zip(values, around, strict=True)
    ]
    fields = {"BitsAllocated": allocated, "HighBit": high, "RescaleSlope": rescale[0], "RescaleIntercept": rescale[1]}
    if window is not None:
        fields |= {"WindowCenter": window[0], "WindowWidth": window[1]}
    dataset = angiogram(np.array([words]), bits, photometric, **fields)
    dataset.PixelRepresentation = int(is_signed)
    dataset.PixelData = np.array([words]).astype(f"<u{allocated // 8}").tobytes()
    padding = range(0)
    if pads:
        ends = sorted(values[:2]) if with_range else [values[0]] * 2
        padding = range(ends[0], ends[1] + 1)
        dataset.PixelPaddingValue = ends[0]
        if with_range:
            dataset.PixelPaddingRangeLimit = ends[1]
        vr(dataset, "PixelPaddingValue", *["PixelPaddingRangeLimit"] * with_range, kind="SS" if is_signed else "US")
    found = grey(write(tmp_path_factory.getbasetemp() / "word.dcm", dataset, compression))[0]
    low, top = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if is_signed else (0, 2**bits - 1)
    for value, seen in zip(values, found, strict=True):
        shade = eight_bits(value, low, top, window, *rescale)
        shade = 255 - shade if photometric == "MONOCHROME1" else shade
        expected = {0.0} if value in padding else {round(shade - 1e-7), round(shade + 1e-7)}
        assert int(seen) in expected, (value, words, shade)


@pytest.mark.parametrize("compression", [None, RLELossless])
@pytest.mark.parametrize(("bits", "high"), [(10, 9), (10, 12), (10, 15), (12, 15)])
def test_high_bit_says_where_the_values_lie(tmp_path, compression, bits, high):
    dataset = angiogram(STATED << (high + 1 - bits), bits, HighBit=high)
    expected = [[0, 50, 199, 255]] if bits == 10 else [[0, 12, 50, 64]]
    assert (grey(write(tmp_path / "a", dataset, compression)) == expected).all()


def test_high_bit_that_cannot_be_is_refused(tmp_path):
    for high in (8, 16):
        with pytest.raises(UnreadableImage, match="contradict|cannot be decoded"):
            read_dicom_frame(write(tmp_path / "a", angiogram(STATED, HighBit=high)))


def test_a_compressed_file_keeps_its_values_in_the_low_bits(tmp_path):
    small = gdcm_lossless_jpeg(write(tmp_path / "plain", angiogram(STATED)), tmp_path / "small")
    assert (grey(small) == [[0, 50, 199, 255]]).all()
    dataset = dcmread(small)
    dataset.HighBit = 15
    dataset.save_as(tmp_path / "high")
    with pytest.raises(UnreadableImage, match="HighBit one below BitsStored"):
        read_dicom_frame(tmp_path / "high")


def test_compressed_values_beyond_the_stated_bits_are_refused(tmp_path):
    values = np.arange(64 * 64).reshape(64, 64)
    path = write(tmp_path / "a.dcm", jpeg_2000(values, 12))
    assert (grey(path) == np.rint(values * 255 / 4095)).all()
    dataset = dcmread(path)
    dataset.BitsStored, dataset.HighBit = 10, 9
    dataset.save_as(tmp_path / "b.dcm")
    with pytest.raises(UnreadableImage, match="beyond the 10 bits"):
        read_dicom_frame(tmp_path / "b.dcm")


@pytest.mark.parametrize("is_signed", [0, 1])
def test_lossless_jpeg_of_more_bits_than_stated_is_refused_not_cut(tmp_path, is_signed):
    frames = np.array([[[0, 800, 1000]], [[5, 800, 1023]], [[5, 1024, 4095]]]) - 2048 * is_signed
    plain = write(tmp_path / "plain", angiogram(frames, 12, PixelRepresentation=is_signed))
    small = gdcm_lossless_jpeg(plain, tmp_path / "small")
    for index in range(3):
        assert (grey(small, index) == grey(plain, index)).all()
    dataset = dcmread(small)
    dataset.BitsStored, dataset.HighBit = 10, 9
    dataset.save_as(tmp_path / "few")
    with pytest.raises(UnreadableImage, match="beyond the 10 bits"):
        read_dicom_frame(tmp_path / "few", 2)
    if not is_signed:  # the codestream may have more bits than the values need
        for index in (0, 1):
            assert (grey(tmp_path / "few", index) == np.rint(frames[index] * 255 / 1023)).all()


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_changes_no_other_pixel(tmp_path, photometric):
    values = np.array([[0, 1, 500, 1022, 1023]])
    plain = grey(write(tmp_path / "plain", angiogram(values, photometric=photometric)))
    for low, high, padding in ((0, None, [0]), (1023, None, [4]), (1, 0, [0, 1]), (1022, 1023, [3, 4])):
        dataset = angiogram(values, photometric=photometric, PixelPaddingValue=low)
        if high is not None:
            dataset.PixelPaddingRangeLimit = high
        vr(dataset, "PixelPaddingValue", *["PixelPaddingRangeLimit"] * (high is not None))
        expected = plain.copy()
        expected[0, padding] = 0
        path = write(tmp_path / "padded", dataset)
        assert (grey(path) == expected).all()
        assert dicom_facts(path).padded
    assert not dicom_facts(tmp_path / "plain").padded


def test_padding_in_bits_that_hold_no_values(tmp_path):
    words = np.array([[0xFFFF, 1023, 0]])
    dataset = vr(angiogram(words, PixelPaddingValue=0xFFFF), "PixelPaddingValue")
    assert (grey(write(tmp_path / "a", dataset)) == [[0, 255, 0]]).all()
    signed = vr(
        angiogram(np.array([[-500, -512, 511]]), PixelRepresentation=1, PixelPaddingValue=65036), "PixelPaddingValue"
    )
    assert (grey(write(tmp_path / "b", signed)) == [[0, 0, 255]]).all()
    assert (grey(write(tmp_path / "c", angiogram(np.array([[-500]]), PixelRepresentation=1))) == 3).all()


def test_greys_above_the_high_bit_of_the_header_are_refused(tmp_path):
    greys = np.arange(64 * 64).reshape(64, 64) % 1024
    moved = vr(angiogram(greys << 6), "PixelData", kind="OW")
    with pytest.raises(UnreadableImage, match="6 bits higher than HighBit says"):
        read_dicom_frame(write(tmp_path / "moved", moved))


def test_overlays_above_the_stored_bits_of_a_dark_frame_are_no_greys(tmp_path):
    overlay = np.where(np.arange(64 * 64).reshape(64, 64) % 7 == 0, 0x8400, 0)
    assert (grey(write(tmp_path / "black", angiogram(overlay))) == 0).all()
    assert (grey(write(tmp_path / "dark", angiogram(overlay | 40))) == 10).all()
