"""Frames of any file the kit reads: still image, DICOM angiogram or video."""

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from helpers.core.shown_text import counted
from helpers.data.frames.dicom import read_dicom_frame
from helpers.data.frames.dicom_header import dicom_frame_count, is_dicom
from helpers.data.frames.frame import Frame
from helpers.data.frames.image_reading import DECODE_ERRORS, IMAGE_SUFFIXES, DecoderFailure, UnreadableImage, read_image
from helpers.data.frames.video_file import is_video, read_video_frame, video_frame_count

__all__ = ["frame_count", "read_frame"]

# What decoders raise on files that nobody has tried them on. Running out of memory is not among them.
_UNFORESEEN = (*DECODE_ERRORS, RuntimeError, ArithmeticError, LookupError, AttributeError, AssertionError)

_DICOM_SUFFIXES = frozenset({".dcm", ".dicom"})


def frame_count(path: Path) -> int:
    """How many frames `path` holds; 1 for a still image, which is not opened.

    Raises `UnreadableImage` where a DICOM file or video cannot be counted.
    """
    path = Path(path)
    with _guarded(path):
        if _reads_as_dicom(path):
            return dicom_frame_count(path)
        return video_frame_count(path) if is_video(path) else 1


def read_frame(path: Path, index: int | None, bits: int | None = None) -> Image.Image:
    """Read one frame of `path` as mode RGB, uint8, with nothing in its `info`.

    `index` counts from 0 and may be None for a file of one frame. `bits` is the depth that a data set has for its
    still images of more than 8 bits (`Frame.bits`); None judges such an image by its own maximum. What the file is
    shows in its first bytes for DICOM, in its suffix for video; all else is a still image. Safe to call in threads;
    reading a file in order is cheap.
    Raises `UnreadableImage` for a file or frame that cannot be read faithfully, and for a file of several frames
    without an `index`; `DecoderFailure`, one of its kind, where a decoder failed in a way that is not foreseen.
    """
    path = Path(path)
    with _guarded(path):
        if _reads_as_dicom(path):
            return read_dicom_frame(path, _only(path, dicom_frame_count(path)) if index is None else index)
        if is_video(path):
            return read_video_frame(path, _only(path, video_frame_count(path)) if index is None else index)
        if index not in (None, 0):
            raise UnreadableImage(path, f"expected frame 0 of a still image, was asked for {index}. Check the frame")
        return read_image(path) if bits is None else read_image(path, bits=bits)


@contextmanager
def _guarded(path: Path) -> Iterator[None]:
    """Turn what a decoder raises unforeseen into `DecoderFailure`."""
    try:
        yield
    except _unforeseen() as error:
        # Its text may quote what the file holds, such as a name out of a header: only the kind is kept, and no chain.
        raise DecoderFailure(
            path, f"the decoder failed ({type(error).__name__}). Export it again, as PNG for example"
        ) from None


def _unforeseen() -> tuple[type[Exception], ...]:
    """With the errors of av and pydicom where they are loaded: else they raise none."""
    av, dicom = sys.modules.get("av"), sys.modules.get("pydicom.errors")
    return (*_UNFORESEEN, *([av.FFmpegError] if av else []), *([dicom.InvalidDicomError] if dicom else []))


def _reads_as_dicom(path: Path) -> bool:
    return is_dicom(path) or path.suffix.lower() in _DICOM_SUFFIXES


def _only(path: Path, count: int) -> int:
    if count != 1:
        said = f"the file holds {counted(count, 'frame')} and none was named. Name one, from 0"
        if path.suffix.lower() in IMAGE_SUFFIXES:
            said += "; it is a DICOM file under an image's name: name it .dcm, and put it into a folder of its own"
        raise UnreadableImage(path, said)
    return 0


def pixel_sha256(image: Image.Image) -> str:
    """SHA-256 of a frame's size (`WxH:`) and RGB bytes, so that it is the same whatever file holds the frame."""
    return hashlib.sha256(f"{image.width}x{image.height}:".encode() + image.tobytes()).hexdigest()


def current_sha256(frame: Frame) -> str | None:
    """`pixel_sha256` of a frame as its file has it now; None where it cannot be read."""
    try:
        return pixel_sha256(read_frame(frame.path, frame.index, frame.bits))
    except UnreadableImage:
        return None
