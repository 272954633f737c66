"""Folders of sequences: DICOM X-ray angiograms, found by content, and video files."""

from collections import Counter, defaultdict
from pathlib import Path

from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted
from helpers.data.cases import NUMBER_DIGITS, Fault, Reading, Record
from helpers.data.frames.dicom_file import looks_bare
from helpers.data.frames.dicom_header import DicomFacts, dicom_facts, is_dicom
from helpers.data.frames.image_reading import UnreadableImage, natural_key
from helpers.data.frames.video_file import VIDEO_SUFFIXES, is_video, video_frame_count
from helpers.data.layouts.file_walk import files_under

__all__ = ["read_dicom", "read_video"]

_SUFFIXES = frozenset({".dcm", ".dicom", ".dic", ".ima"})
_LOST = (
    "a DICOM file without its marker (DICM) that does not prove what it holds, or none at all: export it as a DICOM "
    "Part 10 file"
)

_FROM_HEADER = frozenset({"patient", "sequence"})

_Instance = tuple[str, DicomFacts]


def read_dicom(root: Path, file: str | None = None) -> Reading:
    """Every frame of the angiograms under `root`, or in one file there, without ground truth.

    A multi-frame instance is one sequence. The single-frame instances of one series form one sequence, numbered by
    their InstanceNumber. A file whose header cannot be read keeps a record, so that the loss shows. Directory files,
    other modalities and files without an image are skipped and counted in the notes; frames that are masks of a
    subtraction and files with a display shutter are read, and counted too. Raises `RefusedInput` where no angiogram is
    found.
    """
    root = Path(root).absolute()
    names, links = files_under(root) if file is None else ((file,), 0)
    records: list[Record] = []
    singles: dict[tuple[str | None, str | None], list[_Instance]] = defaultdict(list)
    passed_over, segmentations, damaged, nameless, masks, shuttered = 0, 0, 0, 0, 0, 0
    signs: dict[str | None, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    lost = [Fault(name, _LOST) for name in names if _is_lost(root / name)]
    for name in (name for name in names if is_dicom(root / name)):
        if name.rpartition("/")[2].upper() == "DICOMDIR":
            passed_over += 1
            continue
        try:
            facts = dicom_facts(root / name)
        except UnreadableImage:
            damaged += 1
            records.append(Record(name=name, path=root / name))
            continue
        nameless += facts.is_angiogram and facts.patient_id is None
        masks += len(facts.mask_frames) if facts.is_angiogram else 0
        shuttered += facts.is_angiogram and bool(facts.shutters)
        if facts.is_angiogram:
            issuers, births = signs[facts.patient_id]
            issuers |= {text for text in (facts.issuer,) if text is not None}
            births |= {text for text in (facts.birth_date,) if text is not None}
        if facts.modality == "SEG":
            segmentations += 1
        elif not facts.is_angiogram:
            passed_over += 1
        elif facts.frame_count == 1:
            singles[facts.patient_id, facts.series_uid].append((name, facts))
        else:
            records.extend(_cine(root, name, facts))
    for instances in singles.values():
        records.extend(_series(root, instances))
    if not records:
        raise RefusedInput(
            f"{root}: expected DICOM angiograms in it, found none among {counted(len(names), 'file')}"
            f" ({counted(passed_over, 'DICOM file')} of other kinds, {len(lost)} without the DICOM marker). Check the "
            "path"
        )
    doubtful = sum(name is not None and max(map(len, found)) > 1 for name, found in signs.items())
    notes = (
        (segmentations, "DICOM segmentations are not read as frames; `vesselkit import` takes them"),
        (
            doubtful,
            "patient ids of DICOM headers stand with several issuers or birth dates: they may be several people, and "
            "each counts as one patient; a rule with --group-by tells them apart",
        ),
        (passed_over, "DICOM directories, other modalities or files without an image were skipped"),
        (damaged, "DICOM files have a header that cannot be read"),
        (nameless, "DICOM files name no patient, or say ANONYMOUS or the like: their patient is unknown"),
        (masks, "frames are masks of a subtraction by their header, without contrast agent; they were read as frames"),
        (shuttered, "DICOM files have a display shutter, which is not applied: what it hides is in the frames"),
        (links, "links to folders or out of the data set were left out; copy the files in"),
    )
    return Reading(
        layout="dicom",
        records=tuple(sorted(records, key=lambda record: natural_key(record.name))),
        notes=tuple(f"{count} {text}" for count, text in notes if count),
        faults=tuple(lost),
    )


def _is_lost(path: Path) -> bool:
    """Whether a file means to be DICOM, by its name or its first bytes, and is none that can be read."""
    return (path.suffix.lower() in _SUFFIXES or looks_bare(path)) and not is_dicom(path)


def _cine(root: Path, name: str, facts: DicomFacts) -> list[Record]:
    """The frames of one multi-frame instance."""
    uids = [uid for uid in (facts.series_uid, facts.instance_uid) if uid]
    digits = len(str(facts.frame_count - 1))
    return [
        Record(
            name=f"{name}#{index:0{digits}d}",
            path=root / name,
            index=index,
            patient=facts.patient_id,
            sequence="/".join(uids) or name,
            number=index + 1,
            moments=facts.moments,
            from_header=_FROM_HEADER,
        )
        for index in range(facts.frame_count)
    ]


def _series(root: Path, instances: list[_Instance]) -> list[Record]:
    """The single-frame instances of one patient and series, by their InstanceNumber where it is theirs alone.

    Some exports put times or identifiers into it: no frame has such a number.
    """
    counts = Counter(facts.instance_number for _, facts in instances)

    def number(found: int | None) -> int | None:
        return found if found is not None and counts[found] == 1 and 0 <= found < 10**NUMBER_DIGITS else None

    return [
        Record(
            name=name,
            path=root / name,
            patient=facts.patient_id,
            sequence=facts.series_uid,
            number=number(facts.instance_number) if facts.series_uid else None,
            moments=facts.moments,
            from_header=_FROM_HEADER,
        )
        for name, facts in instances
    ]


def read_video(root: Path, file: str | None = None) -> Reading:
    """Every frame of the videos under `root`, or of one file there, without ground truth.

    The path of a video below `root` names its sequence; the patient is unknown. A video that cannot be opened keeps one
    record, so that the loss shows. Raises `RefusedInput` where there is no video.
    """
    root = Path(root).absolute()
    names, links = files_under(root) if file is None else ((file,), 0)
    records: list[Record] = []
    damaged = 0
    for name in (name for name in names if is_video(Path(name))):
        try:
            count = video_frame_count(root / name)
        except UnreadableImage:
            damaged += 1
            records.append(Record(name=name, path=root / name, sequence=name))
            continue
        digits = len(str(count - 1))
        records.extend(
            Record(name=f"{name}#{index:0{digits}d}", path=root / name, index=index, sequence=name, number=index + 1)
            for index in range(count)
        )
    if not records:
        known = " ".join(sorted(VIDEO_SUFFIXES))
        raise RefusedInput(
            f"{root}: expected videos in it ({known}), found {counted(len(names), 'other file')}. Check the path"
        )
    notes = (
        (damaged, "videos cannot be decoded at all"),
        (links, "links to folders or out of the data set were left out; copy the files in"),
    )
    return Reading(
        layout="video",
        records=tuple(sorted(records, key=lambda record: natural_key(record.name))),
        notes=tuple(f"{count} {text}" for count, text in notes if count),
    )
