"""What DICOM headers say of their frames, and frames that they leave out."""

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import RLELossless

from helpers.data.frames.dicom_header import dicom_facts, dicom_frame_count
from helpers.data.frames.image_reading import UnreadableImage
from tests.support.dicom_files import angiogram, write

VALUES = np.array([[0, 200, 800, 1023]])


def test_frames_beyond_those_that_the_header_counts_are_refused(tmp_path):
    frames = np.arange(12).reshape(3, 2, 2) * 80
    assert dicom_frame_count(write(tmp_path / "a", angiogram(frames))) == 3
    for count in (None, 1, 2):
        path = write(tmp_path / "b", angiogram(frames, NumberOfFrames=count))
        with pytest.raises(UnreadableImage, match="found 3"):
            dicom_frame_count(path)
    dataset = angiogram(frames)
    dataset.compress(RLELossless, encoding_plugin="pydicom")
    dataset.NumberOfFrames = 2
    with pytest.raises(UnreadableImage, match="counts, 2, found 3"):
        dicom_frame_count(write(tmp_path / "c", dataset))


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (3, 1, 1), (5, 3, 1)])
@pytest.mark.parametrize("compression", [None, RLELossless])
def test_small_frames_and_their_padding_byte_are_no_further_frames(tmp_path, shape, compression):
    path = write(tmp_path / "a", angiogram(np.ones(shape, int), 8), compression)
    assert dicom_frame_count(path) == (shape[0] if len(shape) == 3 else 1)


def mask_item(numbers, operation="AVG_SUB"):
    item = Dataset()
    item.MaskOperation = operation
    if numbers is not None:
        item.MaskFrameNumbers = numbers
    return item


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([], ()),
        ([mask_item(2)], (2,)),
        ([mask_item([3, 1]), mask_item(2)], (1, 2, 3)),
        ([mask_item([1, 9])], (1,)),
        ([mask_item([1, 2], "NONE")], ()),
        ([mask_item(None, "TID")], ()),
    ],
)
def test_frames_that_a_subtraction_takes_for_masks(tmp_path, items, expected):
    dataset = angiogram(np.zeros((3, 2, 2), int), MaskSubtractionSequence=Sequence(items))
    assert dicom_facts(write(tmp_path / "a", dataset)).mask_frames == expected


def test_display_shutters_are_told_by_known_words_alone(tmp_path):
    assert dicom_facts(write(tmp_path / "a", angiogram(VALUES))).shutters == ()
    dataset = angiogram(VALUES, ShutterShape=["CIRCULAR", "RECTANGULAR"])
    assert dicom_facts(write(tmp_path / "b", dataset)).shutters == ("CIRCULAR", "RECTANGULAR")
    assert dicom_facts(write(tmp_path / "c", angiogram(VALUES, ShutterShape="QUIBBLE"))).shutters == ("another shape",)
    group, shutter = Dataset(), Dataset()
    shutter.ShutterShape = "POLYGONAL"
    group.FrameDisplayShutterSequence = Sequence([shutter])
    enhanced = angiogram(VALUES, PerFrameFunctionalGroupsSequence=Sequence([group]))
    assert dicom_facts(write(tmp_path / "d", enhanced)).shutters == ("POLYGONAL",)
