"""A folder of DICOM Segmentation objects, one for each source object, with its frames where their identity must go."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from helpers.core.errors import RefusedInput
from helpers.core.progress import track
from helpers.core.shown_text import counted
from helpers.core.vocabulary import Identity
from helpers.data.exchange.dicom_identity import is_declared_removed, pseudonymised
from helpers.data.exchange.dicom_seg import FULL, Segment, new_uid, segmentation
from helpers.data.exchange.exchanged import MadeBy, Making, SentCase, SentSet
from helpers.data.frames.dicom_file import dicom_errors, open_dicom, pydicom
from helpers.data.frames.dicom_header import damaged, is_dicom, text_of
from helpers.data.ids.id_key import key_at, machine_key_path

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_SEGMENTATIONS, _FRAMES = "segmentations", "frames"
_NEEDED = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")


@dataclass
class _Source:
    """Masks of one source object.

    Attributes:
        name: of its files: the first case.
        masks: frame from 0 -> a bool mask with eight pixels to a byte, or a probability in 255ths (H, W).
    """

    name: str
    path: Path
    patient: str | None
    masks: dict[int, np.ndarray] = field(default_factory=dict)
    made_by: list[MadeBy] = field(default_factory=list)


@dataclass
class _Notes:
    """How many source objects kept their identity because a user said so, and have text in their pixels as they say."""

    identified: int = 0
    burned_in: int = 0

    def told(self) -> tuple[str, ...]:
        notes = []
        if self.identified:
            notes.append(
                f"{counted(self.identified, 'segmentation')} with the patient's identity from the source's header, as "
                "--identity source asks: keep it where the source may be"
            )
        if self.burned_in:
            notes.append(
                f"{counted(self.burned_in, 'source file')} with text burned into the pixels, as the header says: look "
                "before you pass it on"
            )
        return tuple(notes)


def require_dicom(case: SentCase) -> None:
    """Raise RefusedInput for a case without a mask, and one whose frame lies in no DICOM object."""
    frame = case.frame
    if frame is None or not is_dicom(frame.path):
        raise RefusedInput(
            f"{case.case_id}: expected a frame of a DICOM file, which a Segmentation object refers to, found another "
            "file. Export nifti or png"
        )
    if case.mask is None:
        raise RefusedInput(
            f"{case.case_id}: expected a mask, found none, which a Segmentation object cannot store. "
            "Export another format"
        )
    header = _header(frame.path)
    missing = [keyword for keyword in _NEEDED if text_of(header, keyword) is None]
    if missing:
        raise RefusedInput(
            f"{case.case_id}: expected {', '.join(missing)} in its DICOM file, found none, "
            "so nothing can refer to it. Export nifti or png"
        )
    if case.mask.shape != (header.Rows, header.Columns):
        (height, width), rows, columns = case.mask.shape, int(header.Rows), int(header.Columns)
        raise RefusedInput(
            f"{case.case_id}: expected a mask of its DICOM file's {columns}x{rows} pixels, found "
            f"{width}x{height}. Predict the data set again"
        )


def require_dicom_and_probability(case: SentCase) -> None:
    """Raise RefusedInput as `require_dicom`, and for a case without a probability."""
    require_dicom(case)
    if case.probability is None:
        raise RefusedInput(
            f"{case.case_id}: expected a prediction with stored logits for dicom-seg-fractional, found a mask alone. "
            "Export dicom-seg"
        )


def write_dicom_seg(
    folder: Path, cases: Iterable[SentCase], sent: SentSet, *, fractional: bool = False
) -> tuple[str, ...]:
    """`segmentations/ID.dcm` for each source object, and `frames/ID.dcm` where it is written under a pseudonym.

    Args:
        fractional: whether probabilities are written in place of masks.
    Returns:
        What to tell the user.
    Raises:
        RefusedInput: for a case that `require_dicom` refuses, and a source that cannot be copied.
    """
    sources: dict[Path, _Source] = {}
    for case in cases:
        (require_dicom_and_probability if fractional else require_dicom)(case)
        frame = case.frame
        assert frame is not None and case.mask is not None and case.made_by is not None
        source = sources.setdefault(frame.path, _Source(case.case_id, frame.path, case.patient))
        if fractional:
            assert case.probability is not None
            source.masks[frame.index or 0] = np.rint(case.probability * FULL).astype(np.uint8)
        else:
            source.masks[frame.index or 0] = np.packbits(case.mask)
        source.made_by.append(case.made_by)
    (folder / _SEGMENTATIONS).mkdir()
    written, notes, series = datetime.now(UTC), _Notes(), dict[str, list[str]]()
    for source in track(list(sources.values()), "segmentations", unit="file"):
        header = _identified(source, folder, sent.identity, notes)
        size = int(header.Rows), int(header.Columns)
        values = {
            frame: mask if fractional else np.unpackbits(mask, count=size[0] * size[1]).astype(bool).reshape(size)
            for frame, mask in source.masks.items()
        }
        names = series.setdefault(str(header.StudyInstanceUID), [new_uid()])
        names.append(source.name)
        segment = Segment(sent.label, _together(source.made_by))
        made = segmentation(header, values, segment, names[0], len(names) - 1, written)
        made.save_as(folder / _SEGMENTATIONS / f"{source.name}.dcm", enforce_file_format=True)
    return notes.told()


def _identified(source: _Source, folder: Path, identity: Identity, notes: _Notes) -> "Dataset":
    """The header that a segmentation refers to; the frames are written under it where it is a pseudonym's."""
    header = _header(source.path)
    notes.burned_in += text_of(header, "BurnedInAnnotation") == "YES"
    if is_declared_removed(header):
        return header
    if identity is Identity.SOURCE:
        notes.identified += 1
        return header
    dataset = pseudonymised(source.path, source.patient, key_at(machine_key_path()))
    (folder / _FRAMES).mkdir(exist_ok=True)
    dataset.save_as(folder / _FRAMES / f"{source.name}.dcm", enforce_file_format=True)
    return dataset


def _together(made_by: Iterable[MadeBy]) -> MadeBy:
    """How the masks of an object came about; of several ways, the one between them."""
    each = list(made_by)
    makings = {one.making for one in each}
    weights = tuple(dict.fromkeys(fingerprint for one in each for fingerprint in one.weights))
    return MadeBy(makings.pop() if len(makings) == 1 else Making.SEMIAUTOMATIC, weights)


def _header(path: Path) -> "Dataset":
    """The whole header of a file, without its pixels."""
    state = path.stat()
    return _header_of(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1)
def _header_of(path: Path, size: int, changed: int) -> "Dataset":
    """As `_header`; size and time of change are there so that a file that was written again is read again."""
    try:
        with open_dicom(path) as file:
            return pydicom().dcmread(file, stop_before_pixels=True)
    except dicom_errors() as error:
        raise damaged(path, error) from None
