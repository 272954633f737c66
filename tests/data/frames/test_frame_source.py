"""One way in for still images, DICOM files and videos."""

import traceback
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from pydicom.errors import InvalidDicomError

from helpers.data.frames import frame_source
from helpers.data.frames.frame_source import frame_count, read_frame
from helpers.data.frames.image_reading import DecoderFailure, UnreadableImage
from tests.support.dicom_files import angiogram, write
from tests.support.video_files import steps, write_video


@pytest.fixture
def files(tmp_path):
    """One still image, one DICOM file without a suffix, one cine and one video; each of 0, 5, 10 ... grey."""
    Image.fromarray(steps(1)[0]).save(tmp_path / "still.png")
    write(tmp_path / "single", angiogram(steps(1)[0], 8))
    write(tmp_path / "cine.dcm", angiogram(steps(9), 8))
    write_video(tmp_path / "film.mkv", steps(9))
    return tmp_path


def test_what_each_file_holds(files):
    counts = [frame_count(files / name) for name in ("still.png", "single", "cine.dcm", "film.mkv")]
    assert counts == [1, 1, 9, 9]


@pytest.mark.parametrize("name", ["still.png", "single"])
@pytest.mark.parametrize("index", [None, 0])
def test_a_file_of_one_frame_needs_no_index(files, name, index):
    frame = read_frame(files / name, index)
    assert (frame.mode, frame.size, frame.info) == ("RGB", (48, 32), {})
    assert (np.asarray(frame) == 0).all()


@pytest.mark.parametrize("name", ["cine.dcm", "film.mkv"])
def test_frames_from_threads(files, name):
    order = [index % 9 for index in range(90)]
    with ThreadPoolExecutor(4) as pool:
        frames = list(pool.map(lambda index: read_frame(files / name, index), order))
    assert all((frame.mode, frame.size, frame.info) == ("RGB", (48, 32), {}) for frame in frames)
    assert [int(np.asarray(frame).max()) for frame in frames] == [5 * index for index in order]


@pytest.mark.parametrize("name", ["cine.dcm", "film.mkv"])
def test_several_frames_need_an_index(files, name):
    with pytest.raises(UnreadableImage, match="9 frames and none was named"):
        read_frame(files / name, None)
    with pytest.raises(UnreadableImage, match="frame"):
        read_frame(files / name, 9)


@pytest.mark.parametrize(
    "name, decoder", [("still.png", "read_image"), ("cine.dcm", "read_dicom_frame"), ("film.mkv", "read_video_frame")]
)
@pytest.mark.parametrize("error", [RuntimeError, AttributeError, ZeroDivisionError, InvalidDicomError])
def test_an_unforeseen_error_of_a_decoder_is_a_refusal_without_its_words(files, monkeypatch, name, decoder, error):
    def fail(*_):
        raise error("Doe^Jane")

    monkeypatch.setattr(frame_source, decoder, fail)
    with pytest.raises(DecoderFailure) as raised:
        read_frame(files / name, 0)
    assert raised.value.reason == f"the decoder failed ({error.__name__}). Export it again, as PNG for example"
    assert "Doe" not in "".join(traceback.format_exception(raised.value))


def test_memory_that_does_not_suffice_is_no_fault_of_the_file(files, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(frame_source, "dicom_frame_count", fail)
    with pytest.raises(MemoryError):
        frame_count(files / "cine.dcm")


def test_other_refusals(files):
    with pytest.raises(UnreadableImage, match="still image"):
        read_frame(files / "still.png", 1)
    (files / "text.dcm").write_text("Quibblewick")
    with pytest.raises(UnreadableImage, match="DICM"):
        read_frame(files / "text.dcm", None)
    with pytest.raises(UnreadableImage):
        read_frame(files / "missing.png", None)


def test_a_film_under_an_images_name_is_told_as_such(tmp_path):
    path = write(tmp_path / "a.png", angiogram(np.zeros((3, 4, 4), int)))
    with pytest.raises(UnreadableImage, match=r"it is a DICOM file under an image's name: name it \.dcm"):
        read_frame(path, None)
