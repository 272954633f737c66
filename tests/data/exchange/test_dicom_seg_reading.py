"""Segmentations come back to the pixel by what they refer to, and what is not certain is refused."""

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLSLossless

from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import Exchange, Identity
from helpers.data.exchange.exchange_formats import kind_of, read_masks
from helpers.data.exchange.exchanged import VesselChoice
from helpers.data.frames.frame import Frame
from tests.data.exchange.test_dicom_seg import cine, mask_of, sent, written

FRAMES = (0, 1, 2)


@pytest.fixture
def path(tmp_path):
    return cine(tmp_path / "a.dcm")


def frames(path, indices=FRAMES):
    return [Frame(f"case-{index}", path, index) for index in indices]


def changed(tmp_path, path, change, kind=Exchange.DICOM_SEG, **more):
    """A folder of a segmentation of the frames 0 and 2 that was changed."""
    written(tmp_path / "out", sent(path, (0, 2), **more), kind, identity=Identity.SOURCE)
    (file,) = (tmp_path / "out/segmentations").iterdir()
    dataset = dcmread(file)
    change(dataset)
    dataset.save_as(file)
    return tmp_path / "out"


@pytest.mark.parametrize("identity", Identity)
def test_frames_come_back_by_what_they_refer_to(tmp_path, path, identity):
    written(tmp_path / "out", sent(path, (2, 0)), identity=identity)
    assert kind_of(tmp_path / "out") is Exchange.DICOM_SEG
    masks = {one.name: one.read() for one in read_masks(tmp_path / "out", Exchange.DICOM_SEG, frames(path)).masks}
    assert masks.keys() == {"case-0", "case-2"}
    assert np.array_equal(masks["case-0"], mask_of(0)) and np.array_equal(masks["case-2"], mask_of(2))


def test_a_still_frame_comes_back(tmp_path):
    path = cine(tmp_path / "a.dcm", 1)
    written(tmp_path / "out", sent(path, (None,)))
    (one,) = read_masks(tmp_path / "out", Exchange.DICOM_SEG, frames(path, (None,))).masks
    assert one.name == "case-None" and np.array_equal(one.read(), mask_of(0))


def segment(number, label):
    one = Dataset()
    one.SegmentNumber, one.SegmentLabel = number, label
    return one


def jpeg_ls(dataset):
    dataset.file_meta.TransferSyntaxUID = JPEGLSLossless
    dataset.PixelData = encapsulate([b"any bytes"])
    dataset["PixelData"].is_undefined_length = True


def image(dataset, frame=0):
    return dataset.PerFrameFunctionalGroupsSequence[frame].DerivationImageSequence[0].SourceImageSequence[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda one: one.SegmentSequence.append(segment(2, "stent")), "of one label, found 'RESEARCH .*', 'stent'"),
        (lambda one: one.SegmentSequence.append(segment(1, "stent")), "segments with a number of their own"),
        (lambda one: setattr(one.SegmentSequence[0], "SegmentNumber", 2), "of its segments, found one of another"),
        (lambda one: setattr(one, "SegmentSequence", []), "expected a segment of vessels, found none"),
        (lambda one: delattr(one, "SharedFunctionalGroupsSequence"), "expected the segment of each frame, found none"),
        (lambda one: setattr(one, "SegmentationType", "MANUAL"), "BINARY, FRACTIONAL, LABELMAP, found another type"),
        (lambda one: setattr(one, "SegmentationType", "FRACTIONAL"), "a FRACTIONAL segmentation of 8 bits a pixel"),
        (lambda one: setattr(one, "BitsAllocated", 8), "expected a BINARY segmentation of 1 bits a pixel"),
        (lambda one: jpeg_ls(one), "without compression, found JPEG-LS Lossless Image Compression. Export it uncom"),
        (lambda one: setattr(image(one), "SpatialLocationsPreserved", "NO"), "that says they do not .Spatial"),
        (lambda one: setattr(image(one, 1), "ReferencedFrameNumber", 1), "one frame of a segment for each source"),
        (lambda one: setattr(one, "PixelData", b"\0\0"), "expected the pixels that its header counts"),
        (lambda one: one.PerFrameFunctionalGroupsSequence.pop(), "expected a functional group for each frame"),
        (lambda one: setattr(image(one), "ReferencedSOPInstanceUID", "1.2.3"), "found a reference to another one"),
        (lambda one: setattr(image(one), "ReferencedFrameNumber", 4), "expected the number of one frame"),
        (lambda one: setattr(image(one), "ReferencedFrameNumber", [1, 2]), "expected the number of one frame"),
        (lambda one: delattr(image(one), "ReferencedFrameNumber"), "expected the number of one frame"),
        (lambda one: delattr(one.PerFrameFunctionalGroupsSequence[1], "DerivationImageSequence"), "found 0, so its"),
        (lambda one: delattr(one, "PerFrameFunctionalGroupsSequence"), "found a damaged one .AttributeError"),
    ],
)
def test_what_is_not_certain_is_refused(tmp_path, path, change, said):
    folder = changed(tmp_path, path, change)
    with pytest.raises(RefusedInput, match=said):
        read_masks(folder, Exchange.DICOM_SEG, frames(path))


def test_probabilities_of_the_kit_come_back_above_a_threshold(tmp_path, path):
    soft = np.linspace(0, 1, 35, dtype=np.float32).reshape(5, 7)
    folder = changed(tmp_path, path, lambda one: None, Exchange.DICOM_SEG_FRACTIONAL, probability=soft)
    masks = read_masks(folder, Exchange.DICOM_SEG, frames(path), VesselChoice(threshold=0.25)).masks
    assert [one.name for one in masks] == ["case-0", "case-2"]
    assert all(np.array_equal(one.read(), soft > 0.25) for one in masks)


def test_a_value_above_the_largest_is_refused(tmp_path, path):
    soft = np.ones((5, 7), np.float32)
    given = Exchange.DICOM_SEG_FRACTIONAL
    folder = changed(tmp_path, path, lambda one: setattr(one, "MaximumFractionalValue", 200), given, probability=soft)
    (first, _) = read_masks(folder, Exchange.DICOM_SEG, frames(path), VesselChoice(threshold=0.5)).masks
    with pytest.raises(RefusedInput, match="expected values up to its MaximumFractionalValue"):
        first.read()


def test_frames_of_the_source_without_one_are_counted(tmp_path, path):
    folder = changed(tmp_path, path, lambda one: None)
    assert read_masks(folder, Exchange.DICOM_SEG, frames(path)).untouched == 1


def test_two_files_of_one_uid_are_refused(tmp_path, path):
    folder = changed(tmp_path, path, lambda one: None)
    (tmp_path / "b.dcm").write_bytes(path.read_bytes())
    with pytest.raises(RefusedInput, match="b.dcm: expected a SOP instance UID of its own"):
        read_masks(folder, Exchange.DICOM_SEG, frames(path) + frames(tmp_path / "b.dcm"))


def test_one_known_frame_of_several_is_not_taken_for_the_whole_source(tmp_path, path):
    def change(dataset):
        for frame in (0, 1):
            del image(dataset, frame).ReferencedFrameNumber

    folder = changed(tmp_path, path, change)
    with pytest.raises(RefusedInput, match="expected the number of one frame of its source, found none"):
        read_masks(folder, Exchange.DICOM_SEG, frames(path, (1,)))


def test_a_file_that_was_written_again_is_read_again(tmp_path, path):
    folder = changed(tmp_path, path, lambda one: None)
    (file,) = (folder / "segmentations").iterdir()
    first = read_masks(folder, Exchange.DICOM_SEG, frames(path)).masks[0].read()
    dataset = dcmread(file)
    dataset.PixelData, dataset.SegmentDescription = bytes(len(dataset.PixelData)), "another length"
    dataset.save_as(file)
    assert first.any() and not read_masks(folder, Exchange.DICOM_SEG, frames(path)).masks[0].read().any()


def test_a_source_that_was_written_again_is_named_anew(tmp_path, path):
    written(tmp_path / "one", sent(path, (0,)), identity=Identity.SOURCE)
    cine(path, PatientID="another")
    written(tmp_path / "two", sent(path, (0,)), identity=Identity.SOURCE)
    (file,) = (tmp_path / "two/segmentations").iterdir()
    assert dcmread(file).PatientID == "another"
