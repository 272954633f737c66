"""The names of the images that a model was trained on: from a list, annotations, or the training config.

A config is read as text, never executed.
"""

import ast
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.core.safe_json import read_json
from helpers.data.dataset import open_dataset
from helpers.data.exported_masks import ExportedMasks, exported_above
from helpers.data.layouts.detection import dataset_root, read_records, saved_rules
from helpers.data.rule_file import key_path
from helpers.data.splits.split import chosen_parts
from helpers.evaluation.leakage.config_source import TrainedOn, data_sets, inherited, texts, words_of
from helpers.evaluation.leakage.exported_cases import ExportedCase, case_of

_IMAGE_KEYS = frozenset(
    ("image", "file_name", "image_path", "imagePath", "images", "file_names", "filename", "img", "img_path")
    + ("image_file",)
)
_READ = (".json", ".jsonl")
# Annotation files of other kinds, which a config may name: what is in them is not known.
_UNREAD = (
    ".parquet",
    ".pkl",
    ".pickle",
    ".csv",
    ".tsv",
    ".txt",
    ".lst",
    ".xml",
    ".h5",
    ".hdf5",
    ".npz",
    ".arrow",
    ".db",
)
_IMAGE_FOLDERS = (".", "images", "..", "../images")  # of an annotation file's folder, where its images may lie
_VALIDATION = frozenset(("val", "valid", "validation", "test", "testing", "eval", "evaluation", "dev"))
_TRAINING = frozenset(("train", "training"))


class ListRole(StrEnum):
    """What a file of the training list was for."""

    TRAINING = "training"
    VALIDATION = "validation"  # of a config: its name, or the name that the config gives it, says so


@dataclass(frozen=True)
class NamedImages:
    """The images that one source of a training list names.

    Attributes:
        path: of the list, the annotation file or the data set. It may carry a name: never to be shown.
        names: with '/' between the parts of a path, each once, sorted.
        folders: where these images may lie.
        exported: what the kit's record above the list says of images that it exported; None without a record.
    """

    path: Path = field(repr=False)
    role: ListRole
    names: tuple[str, ...] = field(repr=False)
    folders: tuple[Path, ...] = field(repr=False)
    exported: ExportedMasks | None = field(default=None, repr=False)

    @property
    def sha256(self) -> str:
        """Of the file; of the names of a data set in a folder, which has no bytes of its own."""
        content = self.path.read_bytes() if self.path.is_file() else "\n".join(self.names).encode()
        return sha256(content).hexdigest()

    def file(self, name: str) -> Path | None:
        """The image of a name; None where it is not here."""
        return place_of(name, self.folders)

    def case(self, name: str) -> ExportedCase | None:
        """The case that a name stands for; None for an original name.

        The record above the image itself says it, where the image is here: a list may name images of several exports.

        Raises:
            RefusedInput: for a damaged record.
        """
        file = self.file(name)
        if file is None:
            return case_of(self.exported, name)
        if file.parent not in self._exported_by_folder:
            self._exported_by_folder[file.parent] = exported_above(file.parent) or self.exported
        return case_of(self._exported_by_folder[file.parent], name)

    @cached_property
    def _exported_by_folder(self) -> dict[Path, ExportedMasks | None]:
        return {}


@dataclass(frozen=True)
class TrainingFiles:
    """What could be read of a model's training data.

    Attributes:
        sources: with names of images.
        absent: number of annotation files that a config names and that are not here.
        unread: number of files for training that are here and name no image that is understood, of annotation files of
            kinds that are not read, of inherited configs that are not here, and of annotation files that are refused.
        keyless: number of data sets that are here and whose split names patients under a key that is not.
        named: the annotation files that the config names, as it names them.
    """

    sources: tuple[NamedImages, ...]
    absent: int = 0
    unread: int = 0
    keyless: int = 0
    named: tuple[str, ...] = field(default=(), repr=False)


def read_training_files(path: Path) -> TrainingFiles:
    """Read a training list.

    Args:
        path: a text file of one case id or image file a line; an annotation file (.json: LabelMe, COCO, RefCOCO or
            Sa2VA; .jsonl: such a value a line); or an mmengine config (.py), of which every annotation file that it
            names and that is here is read.
    Raises:
        RefusedInput: where a file cannot be read.
    """
    if path.suffix != ".py":
        return TrainingFiles((_named_images(path, ListRole.TRAINING, ()),))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedInput(f"{path}: expected a training config in Python ({error})") from error
    return read_training_text(text, path, (path.parent, Path.cwd()))


def read_training_text(text: str, path: Path, folders: Sequence[Path], *, lenient: bool = False) -> TrainingFiles:
    """Read the training data of a config's text.

    Args:
        path: of the config, or of the checkpoint that holds it, for messages.
        folders: that its relative paths may start from.
        lenient: an annotation file that is refused is counted as unread.
    Raises:
        RefusedInput: where the text is no Python, or a file is refused.
    """
    config = _Config(path, tuple(folders))
    config.read(text, path)
    roots = [base / folder for folder in config.folders for base in folders]
    places = {name: place_of(name, (*folders, *roots)) for name in config.roles}
    lists = {place: config.roles[name] for name, place in places.items() if place is not None}
    sources, unread = [], config.inherited_absent + config.other_kinds
    for place, role in lists.items():
        try:
            one = _named_images(place, role, roots)
        except RefusedInput:
            if not lenient:
                raise
            unread += role is ListRole.TRAINING
            continue
        sources.append(one)
        unread += role is ListRole.TRAINING and not one.names
    keyless = 0
    for samples in config.samples:
        try:
            own = _data_set(samples, folders)
        except _NoKey:
            keyless += 1
            continue
        sources += [] if own is None else [own]
        unread += own is None
    absent = sum(place is None for place in places.values())
    return TrainingFiles(tuple(sources), absent, unread, keyless, tuple(config.roles))


def place_of(text: str, folders: Sequence[Path]) -> Path | None:
    """The first file that a name means from one of the folders."""
    for folder in folders:
        if os.path.isfile(folder / text):  # of a text that cannot be a path it is False
            return (folder / text).resolve()
    return None


def _named_images(path: Path, role: ListRole, roots: Sequence[Path]) -> NamedImages:
    names = sorted({name.replace("\\", "/") for name in _entries(path)})
    folders = [path.parent / folder for folder in _IMAGE_FOLDERS] + list(roots)
    return NamedImages(path, role, tuple(names), tuple(folders), exported_above(path))


def _entries(path: Path) -> Iterator[str]:
    if path.suffix == ".json":
        yield from _images(read_json(path))
        return
    if path.suffix == ".jsonl":
        yield from _images(_lines_of_json(path))
        return
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedInput(f"{path}: expected a text file, one name a line ({error})") from error
    yield from (line.strip() for line in lines if line.strip() and not line.startswith("#"))


def _lines_of_json(path: Path) -> list[Any]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        return [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError, RecursionError) as error:
        raise RefusedInput(f"{path}: expected one JSON value a line ({error}). Correct it, or give a list") from error


def _images(value: Any) -> Iterator[str]:
    """Every image that a JSON value names, at any depth, one or several under a key."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in _IMAGE_KEYS and isinstance(inner, str):
                yield inner
            elif key in _IMAGE_KEYS and isinstance(inner, list) and all(isinstance(one, str) for one in inner):
                yield from inner
            else:
                yield from _images(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _images(inner)


class _NoKey(Exception):
    """The ids of a split lead to no file here."""


def _data_set(samples: TrainedOn, folders: Sequence[Path]) -> NamedImages | None:
    """The files of a data set; None where it is not here, or cannot be read. Raises _NoKey as `_names_of`."""
    path = next((folder / samples.data for folder in folders if (folder / samples.data).exists()), None)
    if path is None:
        return None
    try:
        names = _names_of(path, samples)
    except (RefusedInput, UsageProblem):
        return None
    root = path if path.is_dir() else path.parent
    return NamedImages(path, ListRole.TRAINING, tuple(names), (root,), exported_above(path)) if names else None


def _names_of(path: Path, samples: TrainedOn) -> list[str]:
    """The files of a data set that are trained on, as the split kept with it says, else its layout.

    Raises:
        _NoKey: where the split names patients under a key that is not here: opening it would make another key.
    """
    kept, parts = saved_rules(dataset_root(path)).rules.split, chosen_parts(samples.split)
    if kept is None or parts is None:
        records = read_records(path, samples.layout).records
        return sorted({record.name for record in records if parts is None or record.split in parts})
    if kept.key_fingerprint is not None and not key_path(dataset_root(path), saved_rules(dataset_root(path))).is_file():
        raise _NoKey
    opened = open_dataset(path, layout=samples.layout, split=samples.split)
    return sorted({opened.people.by_case[case.case_id].name for case in opened.cases})


class _Config:
    """What a config names: annotation files with their roles, folders, and data sets of the kit's own trainings."""

    def __init__(self, origin: Path, folders: tuple[Path, ...]) -> None:
        self._origin = origin
        self._bases = folders
        self._seen: set[Path] = set()
        self.roles: dict[str, ListRole] = {}
        self.folders: list[str] = []
        self.samples: list[TrainedOn] = []
        self.inherited_absent = 0
        self.other_kinds = 0

    def read(self, text: str, path: Path) -> None:
        """Take a config's text, and those of the configs that it inherits."""
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise RefusedInput(f"{path}: expected a training config in Python ({error})") from error
        for given, words in texts(tree, frozenset()):
            if given.endswith(_READ):
                self._take(given, words)
            elif given.lower().endswith(_UNREAD) and self._role(given, words) is ListRole.TRAINING:
                self.other_kinds += 1
            elif "/" in given:
                self.folders.append(given)
        self.samples += data_sets(tree)
        for name in inherited(tree):
            self._inherit(name, path)

    def _role(self, name: str, words: frozenset[str]) -> ListRole:
        words = words | words_of(PurePosixPath(name).stem)
        return ListRole.VALIDATION if words & _VALIDATION and not words & _TRAINING else ListRole.TRAINING

    def _take(self, name: str, words: frozenset[str]) -> None:
        role = self._role(name, words)
        # A file that is named twice counts as training data once it is used as such.
        self.roles[name] = ListRole.TRAINING if self.roles.get(name) is ListRole.TRAINING else role

    def _inherit(self, name: str | None, path: Path) -> None:
        place = None if name is None else place_of(name, (path.parent, *self._bases))
        if place is None:
            self.inherited_absent += 1
        elif place not in self._seen:
            self._seen.add(place)
            try:
                text = place.read_text(encoding="utf-8-sig")
            except (OSError, UnicodeDecodeError):
                self.inherited_absent += 1
                return
            self.read(text, place)
