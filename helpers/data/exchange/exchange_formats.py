"""Every format by its name: how cases are written in it, how a folder of it is known, and how its masks are read."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import SEGMENTATIONS, Exchange
from helpers.data.exchange.coco_files import read_coco_masks, write_coco
from helpers.data.exchange.dicom_seg_files import require_dicom, require_dicom_and_probability, write_dicom_seg
from helpers.data.exchange.dicom_seg_reading import read_segmentations, segmentation_files
from helpers.data.exchange.exchanged import AS_LABELLED, GivenMasks, SentCase, SentSet, VesselChoice, read_annotations
from helpers.data.exchange.label_studio_files import is_label_studio, read_label_studio_masks, write_label_studio
from helpers.data.exchange.labelme_files import read_labelme_masks, write_labelme
from helpers.data.exchange.mask_folders import (
    is_nnunet,
    read_mask_files,
    read_nnunet_masks,
    require_nifti,
    require_nnunet,
    write_nifti_folder,
    write_nnunet,
    write_png,
)
from helpers.data.exchange.nifti import nifti_ending
from helpers.data.frames.frame import Frame
from helpers.data.layouts.coco import is_coco
from helpers.data.layouts.file_walk import files_under
from helpers.data.layouts.labelme import is_labelme

_WRITERS: Mapping[Exchange, Callable[[Path, Iterable[SentCase], SentSet], tuple[str, ...] | None]] = {
    Exchange.PNG: write_png,
    Exchange.LABELME: write_labelme,
    Exchange.LABELME_POLYGONS: partial(write_labelme, as_polygons=True),
    Exchange.COCO: write_coco,
    Exchange.LABEL_STUDIO: write_label_studio,
    Exchange.NNUNET: write_nnunet,
    Exchange.NIFTI: write_nifti_folder,
    Exchange.DICOM_SEG: write_dicom_seg,
    Exchange.DICOM_SEG_FRACTIONAL: partial(write_dicom_seg, fractional=True),
}
_CHECKS: Mapping[Exchange, Callable[[SentCase], None]] = {
    Exchange.NNUNET: require_nnunet,
    Exchange.NIFTI: require_nifti,
    Exchange.DICOM_SEG: require_dicom,
    Exchange.DICOM_SEG_FRACTIONAL: require_dicom_and_probability,
}
_KINDS = {Exchange.LABELME: is_labelme, Exchange.COCO: is_coco, Exchange.LABEL_STUDIO: is_label_studio}
_READERS: Mapping[Exchange, Callable[[Iterable[Path], VesselChoice], GivenMasks]] = {
    Exchange.LABELME: read_labelme_masks,
    Exchange.COCO: read_coco_masks,
    Exchange.LABEL_STUDIO: read_label_studio_masks,
}
_MASKS = "masks"
_JPEG = (".jpg", ".jpeg")
_NONE = "none. Check the path"


def write_cases(kind: Exchange, folder: Path, cases: Iterable[SentCase], sent: SentSet) -> tuple[str, ...]:
    """Write cases into an empty folder in a format.

    Returns:
        What to tell the user beside.
    Raises:
        RefusedInput: where the format has no word for what is to be written.
    """
    return _WRITERS[kind](folder, cases, sent) or ()


def case_check(kind: Exchange) -> Callable[[SentCase], None] | None:
    """What raises RefusedInput for a case that a format has no word for, to call before long work; None for no such."""
    return _CHECKS.get(kind)


def kind_of(path: Path) -> Exchange:
    """The format of a folder or file, by its content.

    Raises:
        RefusedInput: where it is none, or several that could each be meant.
    """
    if path.is_dir() and is_nnunet(path):
        return Exchange.NNUNET
    annotated = _annotation_files(path)
    if annotated:
        if len(annotated) > 1:
            raise RefusedInput(f"{path}: expected files of one format, found {_listed(annotated)}. Say which with --as")
        return next(iter(annotated))
    if segmentation_files(path):
        return Exchange.DICOM_SEG
    suffixed = {kind for kind in (Exchange.PNG, Exchange.NIFTI) if _mask_files(path, kind)}
    if len(suffixed) != 1:
        instead = f"{_listed(suffixed)}. Say which with --as" if suffixed else _instead(path)
        raise RefusedInput(f"{path}: expected masks as {', '.join(Exchange)}, found {instead}")
    return suffixed.pop()


def read_masks(
    path: Path, kind: Exchange, frames: Sequence[Frame] = (), choice: VesselChoice = AS_LABELLED
) -> GivenMasks:
    """The masks of a folder or file. Raises RefusedInput where it is of another format, or their meaning is uncertain.

    Args:
        kind: as `kind_of` finds it, or as a user says.
        frames: of the data set that segmentations refer to; other formats name their images.
        choice: which labels are vessel, in formats that have labels, and from where on a probability is.
    """
    if kind is Exchange.NNUNET:
        if not is_nnunet(path):
            raise RefusedInput(f"{path}: expected nnU-Net's dataset.json with labels and file_ending, found none")
        return read_nnunet_masks(path, choice)
    if kind in (Exchange.PNG, Exchange.NIFTI):
        files = _mask_files(path, kind)
        given = read_mask_files(mask_folder(path), files)
    elif kind in SEGMENTATIONS:
        given = read_segmentations(segmentation_files(path), frames, choice)
    else:
        kind = Exchange.LABELME if kind is Exchange.LABELME_POLYGONS else kind
        given = _READERS[kind](_annotation_files(path).get(kind, ()), choice)
    if not given.masks and not given.untouched:
        instead = _instead(path) if kind in (Exchange.PNG, Exchange.NIFTI) else _NONE
        raise RefusedInput(f"{path}: expected masks as {kind}, found {instead}")
    return given


def _annotation_files(path: Path) -> dict[Exchange, Sequence[Path]]:
    """JSON files by the format that their content is of; others play no part."""
    found: dict[Exchange, list[Path]] = {}
    names = [path] if path.is_file() else [path / name for name in files_under(path)[0]]
    for file in names:
        if file.suffix.lower() == ".json":
            value = read_annotations(file)
            kind = next((kind for kind, is_one in _KINDS.items() if is_one(value)), None)
            if kind is not None:
                found.setdefault(kind, []).append(file)
    return dict(found)


def mask_folder(path: Path) -> Path:
    """The folder of masks: `masks` where a folder has one, else the folder itself."""
    return path / _MASKS if (path / _MASKS).is_dir() else path


def _mask_files(path: Path, kind: Exchange) -> list[Path]:
    if not path.is_dir():
        return []
    folder = mask_folder(path)
    names = files_under(folder)[0]
    if kind is Exchange.PNG:
        return [folder / name for name in names if name.lower().endswith(".png")]
    return [folder / name for name in names if nifti_ending(name)]


def _instead(path: Path) -> str:
    """What lies where no masks were found, and what to do."""
    names = [path.name] if path.is_file() else files_under(path)[0]
    if any(name.lower().endswith(_JPEG) for name in names):
        return "JPEG files, which are not taken as masks since JPEG changes values. Export the masks as PNG"
    return _NONE


def _listed(kinds: Iterable[Exchange]) -> str:
    return " and ".join(sorted(kinds))
