"""DICOM angiograms: grey values that can be worked out by hand, every layout, and no word of the header let out."""

import logging
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    RLELossless,
)

from helpers.data.frames.dicom import read_dicom_frame
from helpers.data.frames.dicom_header import MAX_FRAMES, dicom_facts, dicom_frame_count, is_dicom
from helpers.data.frames.image_reading import UnreadableImage
from tests.support.dicom_files import PLANTED, angiogram, gdcm_lossless_jpeg, jpeg_2000, write

RAMP = np.array([[0, 1, 511], [512, 1022, 1023]])
RAMP_8BIT = np.array([[0, 0, 127], [128, 255, 255]])  # 255 * value / 1023, rounded


def grey(path, index=0):
    frame = read_dicom_frame(path, index)
    assert frame.mode == "RGB"
    assert frame.info == {}
    channels = np.asarray(frame)
    assert (channels == channels[..., :1]).all()
    return channels[..., 0]


def cine():
    """Three frames of 10 bits: constant 0, 512 and 1023 with one other pixel each."""
    frames = np.zeros((3, 4, 4), int) + np.array([0, 512, 1023])[:, None, None]
    frames[:, 0, 0] = [1023, 0, 512]
    return frames


def lut(entries, first, depth):
    item = Dataset()
    item.LUTDescriptor = [len(entries), first, depth]
    item.LUTData = entries
    item["LUTDescriptor"].VR = item["LUTData"].VR = "US"
    return Sequence([item])


@pytest.mark.parametrize(("bits", "value", "expected"), [(8, 200, 200), (10, 512, 128), (12, 819, 51), (16, 257, 1)])
def test_without_a_window_the_range_of_bits_stored_decides(tmp_path, bits, value, expected):
    path = write(tmp_path / "a.dcm", angiogram(np.full((2, 2), value), bits))
    assert (grey(path) == expected).all()


def test_monochrome1_is_inverted(tmp_path):
    assert (grey(write(tmp_path / "two", angiogram(RAMP))) == RAMP_8BIT).all()
    assert (grey(write(tmp_path / "one", angiogram(RAMP, photometric="MONOCHROME1"))) == 255 - RAMP_8BIT).all()


def test_a_dark_frame_is_not_stretched(tmp_path):
    assert (grey(write(tmp_path / "a", angiogram(np.array([[0, 40]])))) == [[0, 10]]).all()


def test_signed_values(tmp_path):
    dataset = angiogram(np.array([[-512, 0, 511]]), PixelRepresentation=1)
    assert (grey(write(tmp_path / "a", dataset)) == [[0, 128, 255]]).all()


def test_overlay_bits_above_the_stored_ones_are_taken_off(tmp_path):
    assert (grey(write(tmp_path / "a", angiogram(RAMP | 0x8000))) == RAMP_8BIT).all()
    signed = angiogram(np.array([[-512, 511]]) & 0x03FF, PixelRepresentation=1)
    assert (grey(write(tmp_path / "b", signed)) == [[0, 255]]).all()


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        # 255 * ((x - 499.5) / 399 + 0.5)
        ("LINEAR", [0, 64, 128, 255]),
        # 255 * ((x - 500) / 400 + 0.5)
        ("LINEAR_EXACT", [0, 64, 128, 255]),
        # 255 / (1 + e), with e = exp(2), exp(1), 1 and exp(-2)
        ("SIGMOID", [30, 69, 128, 225]),
    ],
)
def test_window(tmp_path, function, expected):
    values = np.array([[300, 400, 500, 700]])
    dataset = angiogram(values, WindowCenter=500, WindowWidth=400, VOILUTFunction=function)
    assert (grey(write(tmp_path / "a", dataset)) == [expected]).all()


def test_the_two_linear_windows_differ_as_the_standard_says(tmp_path):
    values = np.array([[99, 100, 101]])
    linear = angiogram(values, WindowCenter=101, WindowWidth=3)  # between 99.5 and 101.5
    exact = angiogram(values, WindowCenter=100, WindowWidth=2, VOILUTFunction="LINEAR_EXACT")  # between 99 and 101
    assert (grey(write(tmp_path / "a", linear)) == [[0, 64, 191]]).all()
    assert (grey(write(tmp_path / "b", exact)) == [[0, 128, 255]]).all()


def test_window_applies_after_rescale_and_before_inversion(tmp_path):
    fields = {"RescaleSlope": 2, "RescaleIntercept": -1000, "WindowCenter": 0, "WindowWidth": 400}
    fields["VOILUTFunction"] = "LINEAR_EXACT"
    values = np.array([[400, 450, 500, 600]])  # -200, -100, 0, 200 after rescale
    assert (grey(write(tmp_path / "a", angiogram(values, **fields))) == [[0, 64, 128, 255]]).all()
    inverted = angiogram(values, photometric="MONOCHROME1", **fields)
    assert (grey(write(tmp_path / "b", inverted)) == [[255, 191, 128, 0]]).all()


def test_the_first_of_several_windows_is_used(tmp_path):
    dataset = angiogram(
        np.array([[0, 100, 200]]), WindowCenter=[100, 900], WindowWidth=[200, 10], VOILUTFunction="LINEAR_EXACT"
    )
    assert (grey(write(tmp_path / "a", dataset)) == [[0, 128, 255]]).all()


def test_an_empty_window_is_no_window(tmp_path):
    assert (grey(write(tmp_path / "a", angiogram(RAMP, WindowCenter="", WindowWidth=""))) == RAMP_8BIT).all()


def test_voi_lut_comes_before_the_window(tmp_path):
    table = [(1023 - value) // 4 for value in range(1024)]
    fields = {"VOILUTSequence": lut(table, 0, 8), "WindowCenter": 5, "WindowWidth": 5}
    assert (grey(write(tmp_path / "a", angiogram(RAMP, **fields))) == (1023 - RAMP) // 4).all()


def test_voi_lut_ends_hold_outside_of_it(tmp_path):
    dataset = angiogram(np.array([[0, 100, 101, 900]]), VOILUTSequence=lut([0, 4095], 100, 12))
    assert (grey(write(tmp_path / "a", dataset)) == [[0, 0, 255, 255]]).all()


def test_modality_lut_is_not_for_display(tmp_path):
    dataset = angiogram(RAMP, ModalityLUTSequence=lut([5] * 1024, 0, 16))
    assert (grey(write(tmp_path / "a", dataset)) == RAMP_8BIT).all()


def test_window_of_an_enhanced_file_is_that_of_the_frame(tmp_path):
    groups = []
    for centre in (100, 200):
        window, group = Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth, window.VOILUTFunction = centre, 200, "LINEAR_EXACT"
        group.FrameVOILUTSequence = Sequence([window])
        groups.append(group)
    dataset = angiogram(np.full((2, 1, 1), 100), PerFrameFunctionalGroupsSequence=Sequence(groups))
    path = write(tmp_path / "a", dataset)
    assert [int(grey(path, index)[0, 0]) for index in (0, 1)] == [128, 0]


@pytest.mark.parametrize("compression", [None, RLELossless])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_each_frame_of_a_cine(tmp_path, compression, photometric):
    path = write(tmp_path / "a.dcm", angiogram(cine(), photometric=photometric), compression)
    expected = np.rint(cine() * 255 / 1023)
    if photometric == "MONOCHROME1":
        expected = 255 - expected
    assert dicom_frame_count(path) == 3
    for index in (2, 0, 1):
        assert (grey(path, index) == expected[index]).all()


def test_lossless_jpeg(tmp_path):
    path = gdcm_lossless_jpeg(write(tmp_path / "plain.dcm", angiogram(cine())), tmp_path / "small.dcm")
    assert JPEGLosslessSV1.encode() in path.read_bytes()
    for index in (1, 0, 2):
        assert (grey(path, index) == np.rint(cine()[index] * 255 / 1023)).all()


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_lossless_jpeg_2000(tmp_path, bits):
    values = np.arange(64 * 64).reshape(64, 64) * (2**bits - 1) // 4095
    expected = np.rint(values * 255 / (2**bits - 1))
    assert (grey(write(tmp_path / "a.dcm", jpeg_2000(values, bits))) == expected).all()


def jpeg(values, mode):
    buffer = BytesIO()
    Image.fromarray(values.astype(np.uint8)).convert(mode).save(buffer, "JPEG", quality=100, subsampling=0)
    return buffer.getvalue()


def test_jpeg_baseline_grey_and_colour(tmp_path):
    values = np.repeat(np.linspace(0, 255, 16), 16).reshape(16, 16)
    dataset = angiogram(values, 8)
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = encapsulate([jpeg(values, "L")])
    assert np.abs(grey(write(tmp_path / "a", dataset)) - values).max() <= 2
    red = np.zeros((16, 16, 3)) + [200, 10, 10]
    dataset = angiogram(red, 8, "YBR_FULL_422")
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = encapsulate([jpeg(red, "RGB")])
    assert np.abs(np.asarray(read_dicom_frame(write(tmp_path / "b", dataset))) - red).max() <= 3


def test_colour(tmp_path):
    values = np.arange(12).reshape(2, 2, 3) * 20
    assert (np.asarray(read_dicom_frame(write(tmp_path / "a", angiogram(values, 8, "RGB")))) == values).all()
    luminance = np.zeros((2, 2, 3)) + [90, 128, 128]  # grey in YBR
    assert (np.asarray(read_dicom_frame(write(tmp_path / "b", angiogram(luminance, 8, "YBR_FULL")))) == 90).all()


def test_big_endian(tmp_path):
    dataset = angiogram(RAMP)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    dataset.PixelData = RAMP.astype(">u2").tobytes()
    path = tmp_path / "a"
    dataset.save_as(path, enforce_file_format=True)
    assert (grey(path) == RAMP_8BIT).all()


def test_facts(tmp_path):
    dataset = angiogram(cine(), ImagerPixelSpacing=[0.4, 0.5], InstanceNumber=7, BurnedInAnnotation="YES")
    facts = dicom_facts(write(tmp_path / "a", dataset))
    assert (facts.patient_id, facts.series_uid) == (PLANTED[1], dataset.SeriesInstanceUID)
    assert (facts.modality, facts.instance_number) == ("XA", 7)
    assert (facts.frame_count, facts.rows, facts.columns) == (3, 4, 4)
    assert facts.spacing_mm == (0.4, 0.5)
    assert facts.burned_in is True
    assert facts.identity_fields == ("InstitutionName", "PatientBirthDate", "PatientID", "PatientName")
    assert not any(word in repr(facts) for word in PLANTED)
    calibrated = dicom_facts(write(tmp_path / "b", angiogram(cine(), ImagerPixelSpacing=[9, 9], PixelSpacing=[1, 2])))
    assert calibrated.spacing_mm == (1, 2)


def test_facts_of_an_empty_header(tmp_path):
    fields = {"PatientID": "", "InstitutionName": None, "PatientBirthDate": "", "Modality": ""}
    facts = dicom_facts(write(tmp_path / "a", angiogram(RAMP, **fields)))
    assert facts.patient_id == f"{PLANTED[0]}^Zeno"
    facts = dicom_facts(write(tmp_path / "b", angiogram(RAMP, PatientName="^^", **fields)))
    assert facts.identity_fields == ()
    assert (facts.spacing_mm, facts.burned_in, facts.instance_number) == (None, None, None)
    assert not facts.is_angiogram


def hostile():
    """Name, data set and the word that its refusal must hold."""
    yield "another modality", angiogram(RAMP, Modality=PLANTED[0].upper()[:16]), "modality"
    yield "no pixels", angiogram(RAMP, PixelData=None), "cannot be decoded"
    yield "no image", angiogram(RAMP, PixelData=None, Rows=None), "no image"
    yield "too large", angiogram(RAMP, Rows=60000, Columns=60000), "pixels"
    yield "too many frames", angiogram(RAMP, NumberOfFrames=2_000_000_000), f"{MAX_FRAMES:,}"
    yield "no such number of frames", angiogram(RAMP, NumberOfFrames=-3), "frames"
    yield "window of no width", angiogram(RAMP, WindowCenter=5, WindowWidth=0), "some width"
    yield "palette", angiogram(RAMP, PhotometricInterpretation="PALETTE COLOR"), "MONOCHROME"
    yield "slope of nothing", angiogram(RAMP, RescaleSlope=0, RescaleIntercept=0), "range"
    yield "bits beyond the allocated", angiogram(RAMP, BitsStored=40), "cannot be decoded"


@pytest.mark.parametrize(("dataset", "word"), [pytest.param(*case[1:], id=case[0]) for case in hostile()])
def test_refusals_name_no_one(tmp_path, caplog, dataset, word):
    path = write(tmp_path / "a.dcm", dataset)
    with caplog.at_level(logging.DEBUG), pytest.raises(UnreadableImage) as caught:
        read_dicom_frame(path)
    assert word in caught.value.reason
    assert caught.value.__cause__ is None
    assert not any(planted in caught.value.reason + caplog.text for planted in PLANTED)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
def test_damaged_bytes_give_a_frame_or_a_refusal(tmp_path):
    whole = write(tmp_path / "a.dcm", angiogram(cine(), WindowCenter=500, WindowWidth=90)).read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(200):
        data = bytearray(whole)
        for place in rng.integers(132, len(data), 3):
            data[place] = rng.integers(256)
        (tmp_path / "b.dcm").write_bytes(data)
        try:
            dicom_facts(tmp_path / "b.dcm")
            assert read_dicom_frame(tmp_path / "b.dcm", 1).mode == "RGB"
        except UnreadableImage as error:
            refused += 1
            assert not any(planted in error.reason for planted in PLANTED)
    assert 0 < refused < 200


@pytest.mark.parametrize("compression", [None, RLELossless])
def test_a_file_cut_short(tmp_path, compression):
    path = write(tmp_path / "a.dcm", angiogram(np.arange(3 * 64 * 64).reshape(3, 64, 64) % 1024), compression)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(UnreadableImage, match="cut short"):
        read_dicom_frame(path, 2)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(UnreadableImage):
        read_dicom_frame(path, 0)


def test_frames_that_the_header_promises_and_the_file_lacks(tmp_path):
    path = write(tmp_path / "a.dcm", angiogram(cine(), NumberOfFrames=9))
    assert grey(path, 2)[1, 1] == 255
    with pytest.raises(UnreadableImage, match="cannot be decoded"):
        read_dicom_frame(path, 5)


def test_frames_out_of_range_and_other_files(tmp_path):
    path = write(tmp_path / "a.dcm", angiogram(cine()))
    for index in (-1, 3):
        with pytest.raises(UnreadableImage, match="0 to 2"):
            read_dicom_frame(path, index)
    (tmp_path / "text.dcm").write_text("no such thing")
    assert is_dicom(path)
    assert not is_dicom(tmp_path / "text.dcm")
    assert not is_dicom(tmp_path / "missing")
    for name in ("text.dcm", "missing"):
        with pytest.raises(UnreadableImage, match="no DICM prefix"):
            read_dicom_frame(tmp_path / name)


def test_a_deflated_file_is_refused_before_it_is_inflated(tmp_path):
    dataset = angiogram(RAMP)
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    with pytest.raises(UnreadableImage, match="deflated"):
        read_dicom_frame(write(tmp_path / "a.dcm", dataset))


def test_a_saved_frame_carries_no_identity(tmp_path):
    frame = read_dicom_frame(write(tmp_path / "a.dcm", angiogram(RAMP)))
    buffer = BytesIO()
    frame.save(buffer, "PNG")
    assert not any(planted.encode() in buffer.getvalue() for planted in PLANTED)


@pytest.mark.parametrize(
    "fields",
    [
        {"WindowCenter": 100, "WindowWidth": 0},
        {"WindowCenter": 100, "WindowWidth": 0.5},
        {"WindowCenter": 100, "WindowWidth": 0, "VOILUTFunction": "SIGMOID"},
    ],
)
def test_a_window_without_width_is_told_as_such(tmp_path, fields):
    path = write(tmp_path / "a", angiogram(np.full((4, 4), 512), **fields))
    with pytest.raises(UnreadableImage, match="expected a window of two numbers and some width"):
        read_dicom_frame(path)


def test_a_window_with_a_decimal_comma_is_told_as_such(tmp_path):
    path = write(tmp_path / "a", angiogram(np.full((4, 4), 512), WindowCenter="128.5", WindowWidth="255.5"))
    path.write_bytes(path.read_bytes().replace(b"128.5", b"128,5"))
    with pytest.raises(UnreadableImage, match="such as a decimal comma"):
        read_dicom_frame(path)
