"""Cases of a data set that a model was trained on: compares its training list with the data set's files.

Images are matched by name; see `_matched` for what tells equal names apart. Other frames of the same patients are found
by `training_match`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from helpers.core.errors import RefusedInput
from helpers.core.shown_text import agreeing, counted
from helpers.data.cases import Case
from helpers.data.dataset import Dataset
from helpers.data.groups.name_rules import composed
from helpers.evaluation.leakage.standing import case_warnings
from helpers.evaluation.leakage.training_files import (
    ListRole,
    NamedImages,
    TrainingFiles,
    place_of,
    read_training_files,
)


@dataclass(frozen=True)
class ListedFile:
    """One file of names.

    Attributes:
        sha256: of the file; its name may carry a patient's.
        entries: number of different images or case ids that it names.
        matched: ids of the cases of the data set that are among them.
        doubtful: ids of cases whose file is named like an entry, among several of that name that no folder tells apart.
    """

    role: ListRole
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
        read: the names behind it; they stay on this machine.
    """

    files: tuple[ListedFile, ...]
    absent: int = 0
    read: TrainingFiles = field(default_factory=lambda: TrainingFiles(()), repr=False)

    def facts(self, scored: Sequence[str], understood: bool = False) -> dict[str, Any]:
        """A JSON object for the summary of an evaluation: no names but case ids.

        Args:
            understood: whether all its names are understood, or other frames of scored patients are among them.
        """
        return {
            "leaked": sorted(self._cases(ListRole.TRAINING) & set(scored)),
            "validated": sorted((self._cases(ListRole.VALIDATION) - self._cases(ListRole.TRAINING)) & set(scored)),
            "doubtful": sorted(self._doubtful & set(scored)),
            "files": [
                {"role": str(file.role), "sha256": file.sha256, "entries": file.entries, "matched": len(file.matched)}
                for file in self.files
            ],
            "files_absent": self.absent,
            "warnings": self.warnings(scored, understood),
        }

    def warnings(self, scored: Sequence[str], understood: bool = False) -> list[str]:
        """What must be known of the scored cases before their scores are believed."""
        chosen, trained = set(scored), self._cases(ListRole.TRAINING)
        validated, doubtful = self._cases(ListRole.VALIDATION) - trained, self._doubtful - trained
        warnings = case_warnings(len(trained & chosen), len(validated & chosen), len(chosen))
        if self.absent:
            warnings.append(
                f"{self.absent} of {counted(self.absent + len(self.files), 'annotation file')} of the training config "
                "not here: what the model was trained on is known in part only"
            )
        if doubtful & chosen:
            warnings.append(
                f"{len(doubtful & chosen)} of {counted(len(chosen), 'scored case')} "
                f"{agreeing(len(doubtful & chosen), 'is', 'are')} named like training images whose folders do not tell "
                "them apart; they are not counted as training data"
            )
        if not trained and not understood:
            entries = sum(file.entries for file in self.files if file.role is ListRole.TRAINING)
            warnings.append(
                f"no entry of the training list, of {entries}, is named like a case of this data set: "
                "leakage is not seen where images were renamed"
            )
        return warnings

    def _cases(self, role: ListRole) -> frozenset[str]:
        return frozenset().union(*(file.matched for file in self.files if file.role is role))

    @property
    def _doubtful(self) -> frozenset[str]:
        return frozenset().union(*(file.doubtful for file in self.files if file.role is ListRole.TRAINING))


def read_training_list(path: Path, dataset: Dataset) -> TrainingList:
    """Find the cases of `dataset` that a training list names.

    Args:
        path: as for `training_files.read_training_files`.
    Raises:
        RefusedInput: where a file cannot be read or names nothing, or a config names no annotation file that is here.
    """
    path = Path(path)
    read = read_training_files(path)
    if not read.sources and path.suffix == ".py":
        texts = ", ".join(f'"{name}"' for name in read.named) or "none at all"
        raise RefusedInput(
            f"{path}: expected annotation files (.json) of its training data here, found {texts}. Give the "
            "annotation file itself, or a text file of the training images' names"
        )
    if not any(source.names for source in read.sources):
        raise RefusedInput(f"{path}: expected names of training images or case ids, found none. Give another file")
    return TrainingList(tuple(_listed(source, dataset) for source in read.sources), read.absent, read)


def _listed(source: NamedImages, dataset: Dataset) -> ListedFile:
    matched, doubtful = _matched(source.names, dataset.cases, source.folders)
    return ListedFile(source.role, source.sha256, len(source.names), matched, doubtful)


def _matched(
    entries: Sequence[str], cases: Sequence[Case], folders: Sequence[Path]
) -> tuple[frozenset[str], frozenset[str]]:
    """Ids of the cases that are among the entries, and of those of which that cannot be told.

    A case is one that an entry names by its id, or by its file's name without suffix. Where several entries or several
    files of the data set bear that name, the folder above must be the same. An entry whose image is here, under the
    suffix of the case's file, must have its bytes.
    """
    given = set(entries)
    by_stem: dict[str, list[PurePosixPath]] = {}
    for entry in map(PurePosixPath, entries):
        by_stem.setdefault(composed(entry.stem), []).append(entry)
    files = Counter(composed(path.stem) for path in {case.frame.path for case in cases})
    matched, doubtful = set(), set()
    for case in cases:
        path = case.frame.path
        named = by_stem.get(composed(path.stem), [])
        if case.case_id in given:
            matched.add(case.case_id)
        elif len(named) > 1 or (named and files[composed(path.stem)] > 1):
            told = [entry for entry in named if entry.parent.name]
            if any(
                composed(entry.parent.name) == composed(path.parent.name) and not _is_other(entry, path, folders)
                for entry in told
            ):
                matched.add(case.case_id)
            elif len(told) < len(named):
                doubtful.add(case.case_id)
        elif named and not _is_other(named[0], path, folders):
            matched.add(case.case_id)
    return frozenset(matched), frozenset(doubtful)


def _is_other(entry: PurePosixPath, path: Path, folders: Sequence[Path]) -> bool:
    """Whether an entry's image is here and is another one than that in `path`."""
    place = place_of(str(entry), folders)
    if place is None or place.suffix != path.suffix or not path.is_file() or place.samefile(path):
        return False
    return place.read_bytes() != path.read_bytes()
