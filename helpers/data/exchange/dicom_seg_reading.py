"""Masks of DICOM Segmentation objects, by the source object and frame number that each of their frames refers to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from helpers.core.errors import RefusedInput
from helpers.core.progress import track
from helpers.data.exchange.dicom_identity import drawn_uid
from helpers.data.exchange.dicom_seg import STORAGE
from helpers.data.exchange.exchanged import GivenMask, GivenMasks
from helpers.data.frames.dicom_file import dicom_errors, open_dicom, pydicom
from helpers.data.frames.dicom_header import check_frame_count, frame_count_of, is_dicom, read_header, text_of
from helpers.data.frames.frame import Frame
from helpers.data.frames.image_reading import MAX_PIXELS, UnreadableImage
from helpers.data.ids.id_key import machine_key_path, read_key
from helpers.data.layouts.file_walk import files_under

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


@dataclass(frozen=True)
class _Source:
    """A source object in the data set: how many frames it has, and the case of each known one by its number from 1."""

    frame_count: int
    cases: Mapping[int, str]


def segmentation_files(path: Path) -> list[Path]:
    """The Segmentation objects of a folder, or the file itself where it is one; other DICOM files play no part."""
    names = [path] if path.is_file() else [path / name for name in files_under(path)[0]]
    return [file for file in names if _is_segmentation(file)]


def read_segmentations(files: Iterable[Path], frames: Sequence[Frame]) -> GivenMasks:
    """The masks of Segmentation objects, each named by its case.

    Args:
        frames: of the data set that they refer to, by its own UIDs or those drawn under the machine's key.
    Raises:
        RefusedInput: for several segments, another type than BINARY, several bits a pixel, compression, a damaged
            file, and frames that refer to no frame of the data set, or to several.
    """
    known = _sources(frames)
    masks: list[GivenMask] = []
    for path in files:
        try:
            dataset = _read(path)
            _require_one_binary(path, dataset)
            groups = list(dataset.PerFrameFunctionalGroupsSequence)
            if len(groups) != frame_count_of(dataset):
                raise RefusedInput(f"{path}: expected a functional group for each frame. Export it again")
            for place, group in enumerate(groups):
                case_id = _case_of(path, group, known)
                masks.append(GivenMask(case_id, partial(_mask, path, place)))
        except dicom_errors() as error:
            raise _damaged(path, error) from None
    return GivenMasks(tuple(masks))


def _is_segmentation(path: Path) -> bool:
    if not is_dicom(path):
        return False
    try:
        return text_of(read_header(path, ("SOPClassUID",)), "SOPClassUID") == STORAGE
    except UnreadableImage:
        return False


def _sources(frames: Sequence[Frame]) -> Mapping[str, _Source]:
    """SOP instance UID -> the object of the data set that has it."""
    by_path: dict[Path, dict[int, str]] = {}
    for frame in frames:
        by_path.setdefault(frame.path, {})[(frame.index or 0) + 1] = frame.case_id
    key = read_key(machine_key_path()) if machine_key_path().is_file() else None
    known: dict[str, _Source] = {}
    for path, cases in track(list(by_path.items()), "headers", unit="file"):
        if not is_dicom(path):
            continue
        header = read_header(path, ("SOPInstanceUID", "NumberOfFrames"))
        uid = text_of(header, "SOPInstanceUID")
        if uid is None:
            continue
        source = _Source(frame_count_of(header), cases)
        for one in (uid,) if key is None else (uid, drawn_uid(uid, key)):
            if known.setdefault(one, source) is not source:
                raise RefusedInput(
                    f"{path}: expected a SOP instance UID of its own, found that of another file, so that what "
                    "refers to it is of either. Take one of them out of the data set"
                )
    return known


def _require_one_binary(path: Path, dataset: "Dataset") -> None:
    count, kind = len(dataset.get("SegmentSequence") or []), text_of(dataset, "SegmentationType")
    if count != 1:
        raise RefusedInput(f"{path}: expected one segment, found {count}. Export the vessels alone")
    if kind != "BINARY":
        raise RefusedInput(
            f"{path}: expected a BINARY segmentation, found another type, which does not say at what value a pixel is "
            "vessel. Export it as BINARY"
        )
    if dataset.BitsAllocated != 1:
        raise RefusedInput(f"{path}: expected a BINARY segmentation of 1 bit a pixel, found others. Export it again")
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        raise RefusedInput(f"{path}: expected a segmentation without compression. Export it uncompressed")
    check_frame_count(path, frame_count_of(dataset))
    size = int(dataset.Rows) * int(dataset.Columns)
    if not 0 < size <= MAX_PIXELS or len(dataset.PixelData) * 8 < size * frame_count_of(dataset):
        raise RefusedInput(f"{path}: expected the pixels that its header counts. Export it again")


def _case_of(path: Path, group: "Dataset", known: Mapping[str, _Source]) -> str:
    """The case that a frame of a segmentation refers to."""
    images = [
        image
        for derivation in group.get("DerivationImageSequence") or []
        for image in derivation.get("SourceImageSequence") or []
    ]
    if len(images) != 1:
        raise RefusedInput(
            f"{path}: expected one source image for each frame, found {len(images)}, so that its frame is not certain. "
            "Export it with references to its source frames"
        )
    source = known.get(str(images[0].get("ReferencedSOPInstanceUID")))
    if source is None:
        raise RefusedInput(
            f"{path}: expected a segmentation of an object of the data set, found a reference to another one. Check "
            "--data; frames under a pseudonym are known on the machine that wrote them"
        )
    number = images[0].get("ReferencedFrameNumber")
    if number in (None, "") and source.frame_count == 1:
        number = 1
    if not isinstance(number, int) or number not in source.cases:
        raise RefusedInput(f"{path}: expected the number of one frame of its source, found none. Export it again")
    return source.cases[number]


def _mask(path: Path, place: int) -> np.ndarray:
    """Frame `place` of a segmentation, bool (H, W). The bits of its frames run on."""
    try:
        dataset = _read(path)
        size = dataset.Rows * dataset.Columns
        first = place * size
        content = np.frombuffer(dataset.PixelData, np.uint8)[first // 8 : (first + size + 7) // 8]
        bits = np.unpackbits(content, bitorder="little")[first % 8 : first % 8 + size]
        return bits.astype(bool).reshape(dataset.Rows, dataset.Columns)
    except dicom_errors() as error:
        raise _damaged(path, error) from None


def _read(path: Path) -> "Dataset":
    state = path.stat()
    return _content_of(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1)
def _content_of(path: Path, size: int, changed: int) -> "Dataset":
    """As `_read`; size and time of change are there so that a file that was written again is read again."""
    with open_dicom(path) as file:
        return pydicom().dcmread(file)


def _damaged(path: Path, error: Exception) -> RefusedInput:
    return RefusedInput(f"{path}: expected a DICOM segmentation, found a damaged one ({type(error).__name__})")
