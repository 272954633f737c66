"""Frames of any file the kit reads: still image, DICOM angiogram or video."""

from pathlib import Path

from PIL import Image

from helpers.images.dicom import read_dicom_frame
from helpers.images.dicom_header import dicom_frame_count, is_dicom
from helpers.images.reading import UnreadableImage, read_image
from helpers.images.video import is_video, read_video_frame, video_frame_count

__all__ = ["frame_count", "read_frame"]

_DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})


def frame_count(path: Path) -> int:
    """How many frames `path` holds; 1 for a still image, which is not opened.

    Raises `UnreadableImage` where a DICOM file or video cannot be counted.
    """
    path = Path(path)
    if _reads_as_dicom(path):
        return dicom_frame_count(path)
    return video_frame_count(path) if is_video(path) else 1


def read_frame(path: Path, index: int | None) -> Image.Image:
    """Read one frame of `path` as mode RGB, uint8, with nothing in its `info`.

    `index` counts from 0 and may be None for a file of one frame. What the file is shows in its first bytes for DICOM,
    in its suffix for video; all else is a still image. Safe to call in threads; reading a file in order is cheap.
    Raises `UnreadableImage` for a file or frame that cannot be read faithfully, and for a file of several frames
    without an `index`.
    """
    path = Path(path)
    if _reads_as_dicom(path):
        return read_dicom_frame(path, _only(path, dicom_frame_count(path)) if index is None else index)
    if is_video(path):
        return read_video_frame(path, _only(path, video_frame_count(path)) if index is None else index)
    if index not in (None, 0):
        raise UnreadableImage(path, f"expected frame 0 of a still image, was asked for {index}. Check the frame")
    return read_image(path)


def _reads_as_dicom(path: Path) -> bool:
    return is_dicom(path) or path.suffix.lower() in _DICOM_SUFFIXES


def _only(path: Path, count: int) -> int:
    if count != 1:
        raise UnreadableImage(path, f"the file holds {count} frames and none was named. Name one, from 0")
    return 0
