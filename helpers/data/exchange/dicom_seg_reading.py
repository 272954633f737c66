"""Masks of DICOM Segmentation objects, by the source object and frame number that each of their frames refers to."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from helpers.core.errors import RefusedInput
from helpers.core.progress import track
from helpers.data.exchange.dicom_identity import drawn_uid
from helpers.data.exchange.dicom_seg import STORAGE
from helpers.data.exchange.dicom_seg_planes import (
    SegmentationType,
    group_items,
    plane_mask,
    segment_of,
    segments_of,
    type_of,
)
from helpers.data.exchange.exchanged import AS_LABELLED, GivenMask, GivenMasks, VesselChoice, vessel_notes
from helpers.data.frames.dicom_file import dicom_errors, open_dicom, pydicom
from helpers.data.frames.dicom_header import damaged, frame_count_of, is_dicom, is_filled, read_header, text_of
from helpers.data.frames.frame import Frame
from helpers.data.frames.image_reading import UnreadableImage
from helpers.data.ids.id_key import machine_key_path, read_key
from helpers.data.layouts.file_walk import files_under

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_LABELMAP_STORAGE = "1.2.840.10008.5.1.4.1.1.66.7"
_STORAGES = (STORAGE, _LABELMAP_STORAGE)
# Where a plane lies in space, as a source object and a frame of a segmentation say it.
_PLANE = {"ImageOrientationPatient": "PlaneOrientationSequence", "ImagePositionPatient": "PlanePositionSequence"}
_NEAR = 1e-2  # mm, and of a direction's parts


@dataclass(frozen=True)
class _Source:
    """A source object in the data set.

    Attributes:
        frame_count: of the whole object.
        cases: of its known frames, by their number from 1.
        plane: keyword of `_PLANE` -> numbers, as far as its header has them; projections have none.
    """

    frame_count: int
    cases: Mapping[int, str]
    plane: Mapping[str, tuple[float, ...]]


def segmentation_files(path: Path) -> list[Path]:
    """The Segmentation objects of a folder, or the file itself where it is one; other DICOM files play no part."""
    names = [path] if path.is_file() else [path / name for name in files_under(path)[0]]
    return [file for file in names if _is_segmentation(file)]


def read_segmentations(
    files: Iterable[Path], frames: Sequence[Frame], choice: VesselChoice = AS_LABELLED
) -> GivenMasks:
    """The masks of Segmentation objects, each named by its case.

    Args:
        frames: of the data set that they refer to, by its own UIDs or those drawn under the machine's key.
        choice: which segments are vessel, by their labels, and above which probability a pixel is.
    Raises:
        RefusedInput: for segments of several labels and for probabilities where nothing is said of them, what
            `type_of` refuses, a damaged file, and frames that refer to no frame of the data set, or to several.
    """
    known = _sources(frames)
    given: list[_Given] = []
    labels: dict[str, Path] = {}
    for path in files:
        read_header(path, ("SOPClassUID",))  # refuses a deflated file before it is inflated
        try:
            one = _looked_at(path, _read(path), known, choice)
        except dicom_errors() as error:
            raise _damaged(path, error) from None
        given.append(one)
        labels = dict.fromkeys(one.segments.values(), path) | labels
    if given and choice.threshold is not None and SegmentationType.FRACTIONAL not in {one.kind for one in given}:
        raise RefusedInput(f"{given[0].path}: expected probabilities for --threshold, found none. Leave it out")
    vessel = choice.vessel_of(labels)
    masks: list[GivenMask] = []
    without: set[str] = set()
    for one in given:
        numbers = frozenset(number for number, label in one.segments.items() if label in vessel)
        shown = {case_id: one.places_of(case_id, numbers) for case_id in one.places}
        named = {case_id: places for case_id, places in shown.items() if places}
        masks += [
            GivenMask(case_id, partial(_mask, one, places, numbers, choice.threshold))
            for case_id, places in named.items()
        ]
        without |= one.source_cases - named.keys()
    return GivenMasks(tuple(masks), len(without - {mask.name for mask in masks}), vessel_notes(vessel))


@dataclass(frozen=True)
class _Given:
    """A Segmentation object after its check.

    Attributes:
        segments: label of each by its number.
        places: case -> segment and frame from 0 of each frame that lies on it; the segment is None where a frame shows
            all of them.
        source_cases: of all frames of the source objects that it names.
    """

    path: Path
    kind: SegmentationType
    segments: Mapping[int, str]
    places: Mapping[str, Sequence[tuple[int | None, int]]]
    source_cases: frozenset[str]

    def places_of(self, case_id: str, numbers: Collection[int]) -> list[int]:
        """The frames that show one of these segments on a case."""
        return [place for segment, place in self.places[case_id] if segment is None or segment in numbers]


def _looked_at(path: Path, dataset: "Dataset", known: Mapping[str, _Source], choice: VesselChoice) -> _Given:
    kind = type_of(path, dataset)
    segments = segments_of(path, dataset, kind)
    if kind is SegmentationType.FRACTIONAL and choice.threshold is None:
        raise RefusedInput(
            f"{path}: expected a BINARY segmentation, found probabilities, and nothing says from which one on a pixel "
            "is vessel. Say it with --threshold"
        )
    if len(dataset.PerFrameFunctionalGroupsSequence) != frame_count_of(dataset):
        raise RefusedInput(f"{path}: expected a functional group for each frame. Export it again")
    places: dict[str, list[tuple[int | None, int]]] = {}
    sources = [known[uid] for uid in _named_sources(dataset) if uid in known]
    for place in range(frame_count_of(dataset)):
        segment = None if kind is SegmentationType.LABELMAP else segment_of(path, dataset, place)
        if segment is not None and segment not in segments:
            raise RefusedInput(f"{path}: expected frames of its segments, found one of another. Export it again")
        source, case_id = _case_of(path, dataset, place, known)
        before = places.setdefault(case_id, [])
        if segment in [one for one, _ in before]:
            raise RefusedInput(
                f"{path}: expected one frame of a segment for each source frame, found two. Export it again"
            )
        before.append((segment, place))
        sources.append(source)
    cases = frozenset(case_id for source in sources for case_id in source.cases.values())
    return _Given(path, kind, segments, places, cases)


def _is_segmentation(path: Path) -> bool:
    if not is_dicom(path):
        return False
    try:
        return text_of(read_header(path, ("SOPClassUID",)), "SOPClassUID") in _STORAGES
    except UnreadableImage:
        return _is_labelled_segmentation(path)


def _is_labelled_segmentation(path: Path) -> bool:
    """Whether the file header of a file that cannot be read, such as a deflated one, says that it is a segmentation."""
    try:
        return pydicom().filereader.read_file_meta_info(path).get("MediaStorageSOPClassUID") in _STORAGES
    except dicom_errors():
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
        header = read_header(path, ("SOPInstanceUID", "NumberOfFrames", *_PLANE))
        uid = text_of(header, "SOPInstanceUID")
        if uid is None:
            continue
        source = _Source(frame_count_of(header), cases, _plane_of(path, header))
        for one in (uid,) if key is None else (uid, drawn_uid(uid, key)):
            if known.setdefault(one, source) is not source:
                raise RefusedInput(
                    f"{path}: expected a SOP instance UID of its own, found that of another file, so that what "
                    "refers to it is of either. Take one of them out of the data set"
                )
    return known


def _plane_of(path: Path, header: "Dataset") -> dict[str, tuple[float, ...]]:
    try:
        return {name: tuple(map(float, header.get(name))) for name in _PLANE if is_filled(header, name)}
    except dicom_errors() as error:
        raise damaged(path, error) from None


def _named_sources(dataset: "Dataset") -> Iterator[str]:
    """SOP instance UIDs of the objects that a segmentation says it is of."""
    for series in dataset.get("ReferencedSeriesSequence") or []:
        for instance in series.get("ReferencedInstanceSequence") or []:
            yield str(instance.get("ReferencedSOPInstanceUID"))


def _case_of(path: Path, dataset: "Dataset", place: int, known: Mapping[str, _Source]) -> tuple[_Source, str]:
    """The object and the case that a frame of a segmentation refers to."""
    derivations = group_items(dataset, place, "DerivationImageSequence")
    images = [image for one in derivations for image in one.get("SourceImageSequence") or []]
    if len(images) != 1:
        raise RefusedInput(
            f"{path}: expected one source image for each frame, found {len(images)}, so its frame is unclear. "
            "Export it with references to its source frames"
        )
    if text_of(images[0], "SpatialLocationsPreserved") in ("NO", "REORIENTED_ONLY"):
        raise RefusedInput(
            f"{path}: expected pixels that lie on those of their source, found a frame that says they do not "
            "(SpatialLocationsPreserved). Export it in the source's pixels"
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
    _require_same_plane(path, dataset, place, source)
    return source, source.cases[number]


def _require_same_plane(path: Path, dataset: "Dataset", place: int, source: _Source) -> None:
    """Refuse a frame that is said to be turned or shifted in space against the frame that it refers to."""
    for keyword, group in _PLANE.items():
        own = source.plane.get(keyword)
        for item in group_items(dataset, place, group):
            if own is None or not is_filled(item, keyword):
                continue
            stated = tuple(map(float, item.get(keyword)))
            if len(stated) != len(own) or not np.allclose(stated, own, atol=_NEAR):
                raise RefusedInput(
                    f"{path}: expected pixels that lie on those of their source, found a frame with another {keyword}. "
                    "Export it in the source's pixels"
                )


def _mask(given: _Given, places: Sequence[int], vessel: frozenset[int], threshold: float | None) -> np.ndarray:
    """The union of frames of a segmentation, bool (H, W)."""
    try:
        dataset = _read(given.path)
        planes = [plane_mask(given.path, dataset, place, given.kind, vessel, threshold) for place in places]
        return np.logical_or.reduce(planes)
    except dicom_errors() as error:
        raise _damaged(given.path, error) from None


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
