"""DICOM segmentations that other tools wrote of three frames: read to the pixel, or refused with what decides them."""

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless

from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import Exchange
from helpers.data.exchange.exchange_formats import kind_of, read_masks
from helpers.data.exchange.exchanged import VesselChoice
from tests.data.exchange.test_recorded import MASK, RECORDED
from tests.support.dicom_files import angiogram, gdcm_lossless_jpeg, jpeg_2000_bytes, write
from tests.support.placed_sources import placed_frames

EMPTY = np.zeros_like(MASK)
ALL = {"case-0": MASK, "case-1": EMPTY, "case-2": MASK[::-1]}
DRAWN = {"case-0": MASK, "case-2": MASK[::-1]}
VESSEL = VesselChoice(("vessel",))


@pytest.fixture
def frames(tmp_path):
    return placed_frames(tmp_path, 3, *MASK.shape)


@pytest.mark.parametrize(
    ("name", "choice", "expected", "untouched"),
    [
        ("highdicom_binary", VesselChoice(), DRAWN, 1),  # the last frame first, and none where nothing is drawn
        ("highdicom_two_segments", VESSEL, DRAWN, 1),
        ("highdicom_two_segments", VesselChoice(("catheter", "vessel")), None, 0),
        ("highdicom_labelmap_rle", VESSEL, ALL, 0),
        ("highdicom_probability", VesselChoice(threshold=0.5), ALL, 0),
        ("highdicom_probability", VesselChoice(("vessel",), 0.85), dict.fromkeys(ALL, EMPTY), 0),
        ("dcmqi_binary", VesselChoice(), ALL, 0),
        ("dcmqi_labelmap", VesselChoice(), DRAWN, 0),
    ],
)
def test_a_segmentation(frames, name, choice, expected, untouched):
    path = RECORDED / f"{name}.dcm"
    assert kind_of(path) is Exchange.DICOM_SEG
    given = read_masks(path, Exchange.DICOM_SEG, frames, choice)
    found = {one.name: one.read() for one in given.masks}
    if expected is None:  # the catheter lies in the rows 1 to 3 of each frame, also on the vessel
        catheter = np.zeros_like(MASK)
        catheter[1:4] = True
        expected = {name: mask | catheter for name, mask in ALL.items()}
    assert found.keys() == expected.keys() and given.untouched == untouched
    assert all(np.array_equal(found[name], mask) for name, mask in expected.items())


@pytest.mark.parametrize(
    ("name", "choice", "words"),
    [
        ("highdicom_two_segments", VesselChoice(), "one label, found 'catheter', 'vessel'.*say so with --vessel LABEL"),
        (
            "highdicom_two_segments",
            VesselChoice(("artery",)),
            "labelled 'artery', as --vessel requires, found 'catheter', '",
        ),
        ("highdicom_labelmap_rle", VesselChoice(), "one label, found 'catheter', 'vessel'"),
        ("highdicom_probability", VesselChoice(), "found probabilities.*Say it with --threshold"),
        ("highdicom_occupancy", VesselChoice(threshold=0.5), "found OCCUPANCY, how much of a pixel a vessel fills"),
        ("highdicom_binary", VesselChoice(threshold=0.5), "expected probabilities for --threshold, found none"),
        ("dcmqi_deflated", VesselChoice(), "deflated DICOM files are not read"),
    ],
)
def test_what_is_not_said_is_asked(frames, name, choice, words):
    path = RECORDED / f"{name}.dcm"
    assert kind_of(path) is Exchange.DICOM_SEG
    with pytest.raises(RefusedInput, match=words):
        read_masks(path, Exchange.DICOM_SEG, frames, choice)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"ImagePositionPatient": [0, 0, 9]}, "a frame with another ImagePositionPatient"),
        ({"ImageOrientationPatient": [-1, 0, 0, 0, 1, 0]}, "a frame with another ImageOrientationPatient"),
    ],
)
def test_a_plane_elsewhere_in_space_is_refused(tmp_path, fields, words):
    moved = placed_frames(tmp_path, 3, *MASK.shape, **fields)
    with pytest.raises(RefusedInput, match=words):
        read_masks(RECORDED / "dcmqi_binary.dcm", Exchange.DICOM_SEG, moved)


def test_sources_without_a_place_in_space_are_read(tmp_path):
    flat = placed_frames(tmp_path, 3, *MASK.shape, ImagePositionPatient=None, ImageOrientationPatient=None)
    assert len(read_masks(RECORDED / "dcmqi_binary.dcm", Exchange.DICOM_SEG, flat).masks) == 3


def jpeg_2000(folder, values):
    return JPEG2000Lossless, encapsulate([jpeg_2000_bytes(frame, 8) for frame in values])


def jpeg_ls(folder, values):
    plain = write(folder / "plain.dcm", angiogram(values, 8))
    coded = dcmread(gdcm_lossless_jpeg(plain, folder / "ls.dcm", "JPEGLSLossless"))
    return coded.file_meta.TransferSyntaxUID, coded.PixelData


@pytest.mark.parametrize("coded", [jpeg_2000, jpeg_ls])
def test_lossless_codes_of_a_labelmap(tmp_path, frames, coded):
    dataset = dcmread(RECORDED / "highdicom_labelmap_rle.dcm")
    dataset.file_meta.TransferSyntaxUID, dataset.PixelData = coded(tmp_path, dataset.pixel_array)
    dataset.save_as(tmp_path / "coded.dcm")
    given = read_masks(tmp_path / "coded.dcm", Exchange.DICOM_SEG, frames, VESSEL)
    found = {one.name: one.read() for one in given.masks}
    assert found.keys() == ALL.keys() and all(np.array_equal(found[name], mask) for name, mask in ALL.items())


def labelmap(path, change):
    """The recorded LABELMAP without compression, its values as `change` makes them of the data set and the values."""
    dataset = dcmread(RECORDED / "highdicom_labelmap_rle.dcm")
    values = change(dataset, dataset.pixel_array)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.BitsAllocated = dataset.BitsStored = 8 * values.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelData = values.tobytes()
    dataset["PixelData"].is_undefined_length = False
    dataset.save_as(path)
    return path


def in_colours(dataset, values):
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    return values


@pytest.mark.parametrize("change", [in_colours, lambda dataset, values: values.astype("<u2")])
def test_a_labelmap_in_colours_or_16_bits(tmp_path, frames, change):
    given = read_masks(labelmap(tmp_path / "a.dcm", change), Exchange.DICOM_SEG, frames, VESSEL)
    assert {one.name for one in given.masks} == ALL.keys()
    assert all(np.array_equal(one.read(), ALL[one.name]) for one in given.masks)


def test_a_labelmap_with_values_of_no_segment_is_refused(tmp_path, frames):
    path = labelmap(tmp_path / "a.dcm", lambda dataset, values: values + np.uint8(5) * (values == 1))
    (first, *_) = read_masks(path, Exchange.DICOM_SEG, frames, VESSEL).masks
    with pytest.raises(RefusedInput, match="a.dcm: expected numbers of its segments as values, found 6"):
        first.read()
