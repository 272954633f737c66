"""Folders of one mask file for each frame: PNG, NIfTI, and nnU-Net's raw data sets."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from helpers.core.atomic import write_json_atomic
from helpers.core.errors import RefusedInput
from helpers.core.safe_json import read_json
from helpers.core.shown_text import counted
from helpers.data.exchange.exchanged import (
    AS_LABELLED,
    GivenMask,
    GivenMasks,
    SentCase,
    SentSet,
    VesselChoice,
    plain_image,
    vessel_notes,
)
from helpers.data.exchange.nifti import SUFFIXES, nifti_ending, read_nifti, write_nifti
from helpers.data.exported_masks import NNUNET_CHANNEL
from helpers.data.frames.image_reading import UnreadableImage
from helpers.data.truth.mask_file import read_plane
from helpers.data.truth.mask_values import ValueKind, judge, look

_IMAGES, _MASKS = "images", "masks"
_NNUNET_IMAGES, _NNUNET_MASKS = "imagesTr", "labelsTr"
_NNUNET_FILE = "dataset.json"
_BACKGROUND, _IGNORED = "background", "ignore"
_ADVICE = "Export masks of vessel alone, as 0 and 255"


def write_png(folder: Path, cases: Iterable[SentCase], sent: SentSet) -> None:
    """`images/ID.png`, and `masks/ID.png` of 0 and 255 where there is a mask."""
    masks = partial(_save, folder / _MASKS, 255)
    _write(folder, cases, (_IMAGES, _MASKS), lambda image, name: image.save(folder / _IMAGES / f"{name}.png"), masks)


def write_nifti_folder(folder: Path, cases: Iterable[SentCase], sent: SentSet) -> None:
    """`images/ID.nii.gz` and `masks/ID.nii.gz` of 0 and 1. Frames are grey; one in colour is refused."""

    def image_of(image: Image.Image, case_id: str) -> None:
        write_nifti(folder / _IMAGES / f"{case_id}.nii.gz", np.asarray(image))

    def mask_of(mask: np.ndarray, case_id: str) -> None:
        write_nifti(folder / _MASKS / f"{case_id}.nii.gz", mask.astype(np.uint8))

    _write(folder, cases, (_IMAGES, _MASKS), image_of, mask_of, require_nifti)


def require_nifti(case: SentCase) -> None:
    """Raise RefusedInput for a frame in colour."""
    _require_grey(case, "NIfTI")


def require_nnunet(case: SentCase) -> None:
    """Raise RefusedInput for a case without a mask, and for a frame in colour."""
    if case.mask is None:
        raise RefusedInput(
            f"{case.case_id}: expected a mask, found none, which nnU-Net cannot store. Export another format"
        )
    _require_grey(case, "nnU-Net's channels")


def write_nnunet(folder: Path, cases: Iterable[SentCase], sent: SentSet) -> None:
    """`imagesTr/ID_0000.png`, `labelsTr/ID.png` of 0 and 1, and `dataset.json`: nnU-Net's raw data set of one channel.

    Raises:
        RefusedInput: for a case without a mask, and for a frame in colour.
    """

    def image_of(image: Image.Image, case_id: str) -> None:
        image.save(folder / _NNUNET_IMAGES / f"{case_id}{NNUNET_CHANNEL}.png")

    masks = partial(_save, folder / _NNUNET_MASKS, 1)
    count = _write(folder, cases, (_NNUNET_IMAGES, _NNUNET_MASKS), image_of, masks, require_nnunet)
    value = {
        "channel_names": {"0": "XA"},
        "labels": {"background": 0, sent.label: 1},
        "numTraining": count,
        "file_ending": ".png",
        "description": sent.description,
    }
    write_json_atomic(folder / _NNUNET_FILE, value)


def is_nnunet(folder: Path) -> bool:
    """Whether a folder is a raw data set of nnU-Net, or holds masks that nnU-Net predicted beside its own file."""
    path = folder / _NNUNET_FILE
    if not path.is_file():
        return False
    value = read_json(path)
    return isinstance(value, dict) and isinstance(value.get("labels"), dict) and "file_ending" in value


def read_nnunet_masks(folder: Path, choice: VesselChoice = AS_LABELLED) -> GivenMasks:
    """The masks of `labelsTr`, or of the folder itself, in which nnU-Net predicted.

    Args:
        choice: which labels are vessel.
    Raises:
        RefusedInput: where there are several labels beside the background and nothing is said of them, labels are
            regions, or files hold values that are vessel or background to nobody.
    """
    path = folder / _NNUNET_FILE
    value = read_json(path)
    labels: Mapping[str, Any] = value["labels"]
    numbers = [number for number in labels.values() if type(number) is int]
    if labels.get(_BACKGROUND) != 0 or len(labels) < 2 or len(set(numbers)) < len(labels):
        raise RefusedInput(
            f"{path}: expected the labels background 0 and others with a number of their own, found "
            f"{json.dumps(labels)}. Export the vessels alone"
        )
    vessel = choice.vessel_of({name: path for name in labels if name not in (_BACKGROUND, _IGNORED)})
    # What nobody annotated is neither vessel nor background: a mask has no word for it.
    others = {number for name, number in labels.items() if name not in vessel and name != _IGNORED}
    ending = str(value["file_ending"])
    if ending != ".png" and ending not in SUFFIXES:
        raise RefusedInput(f"{path}: expected masks as .png, .nii.gz or .nii, found {ending}. Convert them")
    place = folder / _NNUNET_MASKS if (folder / _NNUNET_MASKS).is_dir() else folder
    plane = _plane if ending == ".png" else read_nifti
    read = partial(_labelled, read=plane, vessel={labels[name] for name in vessel}, others=others)
    files = [one for one in sorted(place.iterdir()) if one.name.endswith(ending) and not one.name.startswith(".")]
    return GivenMasks(tuple(_given(place, one, partial(read, one)) for one in files), notes=vessel_notes(vessel))


def read_mask_files(folder: Path, files: Iterable[Path]) -> GivenMasks:
    """The masks of PNG or NIfTI files of one data set, judged together by the table of ground truth.

    Raises:
        RefusedInput: for values other than a mask's, with the histogram.
    """
    readers = {path: read_nifti if nifti_ending(path.name) else _plane for path in files}
    judged = [look(read(path)) for path, read in readers.items()]
    judgement = judge(judged, _ADVICE)
    grey = [path for path, one in zip(readers, judged, strict=True) if one.kind is ValueKind.GREY]
    if judgement.reason is not None or grey:
        reason = judgement.reason or f"expected masks, found smoothed edges in {counted(len(grey), 'file')}. {_ADVICE}"
        raise RefusedInput(f"{folder}: {reason}")
    masks = tuple(_given(folder, path, partial(_above_zero, path, read)) for path, read in readers.items())
    return GivenMasks(masks, notes=judgement.notes)


def _given(folder: Path, path: Path, read: Callable[[], np.ndarray]) -> GivenMask:
    name = path.relative_to(folder).as_posix()
    return GivenMask(name.removesuffix(nifti_ending(name) or path.suffix), read)


def _above_zero(path: Path, read: Callable[[Path], np.ndarray]) -> np.ndarray:
    return np.asarray(read(path) > 0)


def _labelled(
    path: Path, *, read: Callable[[Path], np.ndarray], vessel: Collection[int], others: Collection[int]
) -> np.ndarray:
    values = read(path)
    strays = sorted(set(np.unique(values).tolist()) - {*vessel, *others})
    if strays:
        known = " and ".join(map(str, sorted({*vessel, *others})))
        raise RefusedInput(f"{path}: expected {known}, as {_NNUNET_FILE} says, found {strays[0]}. Correct it")
    return np.isin(values, sorted(vessel))


def _plane(path: Path) -> np.ndarray:
    try:
        plane = read_plane(path)
    except UnreadableImage as error:
        raise RefusedInput(f"{path}: expected a mask ({error.reason}). Export it again") from error
    if plane.names is not None:
        raise RefusedInput(f"{path}: expected a mask in grey, found colours. {_ADVICE}")
    return plane.values


def _write(
    folder: Path,
    cases: Iterable[SentCase],
    folders: tuple[str, str],
    image_of: Callable[[Image.Image, str], None],
    mask_of: Callable[[np.ndarray, str], None],
    require: Callable[[SentCase], None] | None = None,
) -> int:
    """Write each frame and its mask; how many frames.

    Args:
        folders: of images and of masks.
        require: raises RefusedInput for a case that the format has no word for.
    """
    count = 0
    for name in folders:
        (folder / name).mkdir()
    for case in cases:
        if require is not None:
            require(case)
        image_of(plain_image(case.image), case.case_id)
        if case.mask is not None:
            mask_of(case.mask, case.case_id)
        count += 1
    return count


def _require_grey(case: SentCase, what: str) -> None:
    if plain_image(case.image).mode != "L":
        raise RefusedInput(f"{case.case_id}: expected a grey frame for {what}, found colours. Export another format")


def _save(folder: Path, full: int, mask: np.ndarray, case_id: str) -> None:
    Image.fromarray(mask.astype(np.uint8) * full).save(folder / f"{case_id}.png")
