"""Which cases of a data set a model was trained on: from a list, annotations, or the training config.

A config is read as text, never executed. Images are matched by name; see `_matched` for what tells equal names apart.
"""

import ast
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from helpers.data.dataset import Dataset
from helpers.data.record import Case
from helpers.data.safe_json import read_json
from helpers.errors import RefusedInput

_IMAGE_KEYS = ("image", "file_name", "image_path", "imagePath")
_IMAGE_FOLDERS = (".", "images", "..", "../images")  # of an annotation file's folder, where its images may lie
_VALIDATION = frozenset(("val", "valid", "validation", "test", "testing", "eval", "evaluation", "dev"))
_TRAINING = frozenset(("train", "training"))


class Role(StrEnum):
    """What a file of the training list was for."""

    TRAINING = "training"
    VALIDATION = "validation"  # of a config: its name, or the name that the config gives it, says so


@dataclass(frozen=True)
class ListedFile:
    """One file of names.

    Attributes:
        sha256: of the file; its name may carry a patient's.
        entries: number of different images or case ids that it names.
        matched: ids of the cases of the data set that are among them.
        doubtful: ids of cases whose file is named like an entry, among several of that name that no folder tells apart.
    """

    role: Role
    sha256: str
    entries: int
    matched: frozenset[str] = field(repr=False)
    doubtful: frozenset[str] = field(repr=False)


@dataclass(frozen=True)
class TrainingList:
    """What is known of a model's training data.

    Attributes:
        files: that were read.
        absent: number of annotation files that a config names and that are not here.
    """

    files: tuple[ListedFile, ...]
    absent: int = 0

    def facts(self, scored: Sequence[str]) -> dict[str, Any]:
        """A JSON object for the summary of an evaluation: no names but case ids."""
        return {
            "leaked": sorted(self._cases(Role.TRAINING) & set(scored)),
            "validated": sorted((self._cases(Role.VALIDATION) - self._cases(Role.TRAINING)) & set(scored)),
            "doubtful": sorted(self._doubtful & set(scored)),
            "files": [
                {"role": str(file.role), "sha256": file.sha256, "entries": file.entries, "matched": len(file.matched)}
                for file in self.files
            ],
            "files_absent": self.absent,
            "warnings": self.warnings(scored),
        }

    def warnings(self, scored: Sequence[str]) -> list[str]:
        """What must be known of the scored cases before their scores are believed."""
        chosen, trained, found = set(scored), self._cases(Role.TRAINING), []
        validated, doubtful = self._cases(Role.VALIDATION) - trained, self._doubtful - trained
        if trained & chosen:
            found.append(
                f"{len(trained & chosen)} of {len(chosen)} scored cases are training data; these scores say nothing of "
                "new patients"
            )
        if validated & chosen:
            found.append(
                f"{len(validated & chosen)} of {len(chosen)} scored cases are validation data of the training config; "
                "where the checkpoint was chosen on them, these scores are too good"
            )
        if self.absent:
            found.append(
                f"{self.absent} of {self.absent + len(self.files)} annotation files of the training config are not "
                "here: what the model was trained on is known in part only"
            )
        if doubtful & chosen:
            found.append(
                f"{len(doubtful & chosen)} of {len(chosen)} scored cases are named like training images whose folders "
                "do not tell them apart; they are not counted as training data"
            )
        if not trained:
            entries = sum(file.entries for file in self.files if file.role is Role.TRAINING)
            found.append(
                f"none of the {entries} entries of the training list is named like a case of this data set: "
                "leakage is not seen where images were renamed"
            )
        return found

    def _cases(self, role: Role) -> frozenset[str]:
        return frozenset().union(*(file.matched for file in self.files if file.role is role))

    @property
    def _doubtful(self) -> frozenset[str]:
        return frozenset().union(*(file.doubtful for file in self.files if file.role is Role.TRAINING))


def read_training_list(path: Path, dataset: Dataset) -> TrainingList:
    """Find the cases of `dataset` that a training list names.

    Args:
        path: a text file of one case id or image file a line; an annotation file (.json: LabelMe, COCO, RefCOCO or
            Sa2VA); or an mmengine config (.py), of which every annotation file that it names and that is here is read.
    Raises:
        RefusedInput: where a file cannot be read or names nothing, or a config names no annotation file that is here.
    """
    path = Path(path)
    if path.suffix != ".py":
        return _with_entries(path, TrainingList((_listed(path, Role.TRAINING, (), dataset),)))
    named, roots = _named_files(path)
    places = [(_place(text, (path.parent, Path.cwd(), *roots)), role) for text, role in named]
    files = {place: role for place, role in places if place is not None}
    if not files:
        texts = ", ".join(json.dumps(text) for text, _ in named) or "none at all"
        raise RefusedInput(
            f"{path}: expected annotation files (.json) of its training data here, found {texts}. Give the "
            "annotation file itself, or a text file of the training images' names"
        )
    listed = tuple(_listed(place, role, roots, dataset) for place, role in files.items())
    return _with_entries(path, TrainingList(listed, sum(place is None for place, _ in places)))


def _with_entries(path: Path, found: TrainingList) -> TrainingList:
    if not any(file.entries for file in found.files):
        raise RefusedInput(f"{path}: expected names of training images or case ids, found none. Give another file")
    return found


def _listed(path: Path, role: Role, roots: Sequence[Path], dataset: Dataset) -> ListedFile:
    entries = sorted({entry.replace("\\", "/") for entry in _entries(path)})
    folders = [path.parent / folder for folder in _IMAGE_FOLDERS] + list(roots)
    matched, doubtful = _matched(entries, dataset.cases, folders)
    return ListedFile(role, sha256(path.read_bytes()).hexdigest(), len(entries), matched, doubtful)


def _matched(
    entries: Sequence[str], cases: Sequence[Case], folders: Sequence[Path]
) -> tuple[frozenset[str], frozenset[str]]:
    """Ids of the cases that are among the entries, and of those of which that cannot be told.

    A case is one that an entry names by its id, or by its file's name without suffix. Where several entries or several
    files of the data set bear that name, the folder above must be the same. An entry whose image is here, under the
    suffix of the case's file, must have its bytes.
    """
    given, by_stem = set(entries), {}
    for entry in entries:
        by_stem.setdefault(PurePosixPath(entry).stem, []).append(PurePosixPath(entry))
    files = Counter(path.stem for path in {case.frame.path for case in cases})
    matched, doubtful = set(), set()
    for case in cases:
        path = case.frame.path
        named = by_stem.get(path.stem, [])
        if case.case_id in given:
            matched.add(case.case_id)
        elif len(named) > 1 or (named and files[path.stem] > 1):
            told = [entry for entry in named if entry.parent.name]
            if any(entry.parent.name == path.parent.name and not _is_other(entry, path, folders) for entry in told):
                matched.add(case.case_id)
            elif len(told) < len(named):
                doubtful.add(case.case_id)
        elif named and not _is_other(named[0], path, folders):
            matched.add(case.case_id)
    return frozenset(matched), frozenset(doubtful)


def _is_other(entry: PurePosixPath, path: Path, folders: Sequence[Path]) -> bool:
    """Whether an entry's image is here and is another one than that in `path`."""
    place = _place(str(entry), folders)
    return place is not None and place.suffix == path.suffix and place.read_bytes() != path.read_bytes()


def _place(text: str, folders: Sequence[Path]) -> Path | None:
    """The first file that a name means from one of the folders."""
    for folder in folders:
        if os.path.isfile(folder / text):  # of a text that cannot be a path it is False
            return (folder / text).resolve()
    return None


def _entries(path: Path) -> Iterator[str]:
    if path.suffix == ".json":
        yield from _images(read_json(path))
        return
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedInput(f"{path}: expected a text file, one name a line ({error})") from error
    yield from (line.strip() for line in lines if line.strip() and not line.startswith("#"))


def _images(value: Any) -> Iterator[str]:
    """Every image that a JSON value names, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in _IMAGE_KEYS and isinstance(inner, str):
                yield inner
            else:
                yield from _images(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _images(inner)


def _named_files(config: Path) -> tuple[list[tuple[str, Role]], list[Path]]:
    """The annotation files that a config names, each once, with their roles; and the folders that it names."""
    try:
        tree = ast.parse(config.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, SyntaxError, ValueError) as error:
        raise RefusedInput(f"{config}: expected a training config in Python ({error})") from error
    texts = list(_texts(tree, frozenset()))
    named = [text for text, _ in texts if "/" in text and not text.endswith(".json")]
    roots = [base / text for text in named for base in (config.parent, Path.cwd())]
    roles: dict[str, Role] = {}
    for text, words in texts:
        if text.endswith(".json"):
            words = words | _words(PurePosixPath(text).stem)
            role = Role.VALIDATION if words & _VALIDATION and not words & _TRAINING else Role.TRAINING
            # A file that is named twice counts as training data once it is used as such.
            roles[text] = Role.TRAINING if roles.get(text) is Role.TRAINING else role
    return list(roles.items()), roots


def _texts(node: ast.AST, words: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Every text of a config, with the words of the variables, arguments and keys that it stands under."""
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield node.value, words
        return
    if isinstance(node, ast.Assign):
        words = words.union(*(_words(target.id) for target in node.targets if isinstance(target, ast.Name)))
    elif isinstance(node, ast.keyword):
        words = words | _words(node.arg or "")
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            own = _words(key.value) if isinstance(key, ast.Constant) and isinstance(key.value, str) else frozenset()
            yield from _texts(value, words | own)
        return
    for child in ast.iter_child_nodes(node):
        yield from _texts(child, words)


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+", text.lower()))
