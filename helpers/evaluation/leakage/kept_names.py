"""Names of a model's training images as hashes, kept on the machine that converted it (docs/training-names.md).

The file lies in the user's configuration folder, under the fingerprint of the model's tensors that its runs record. It
holds no name, and without the key nothing of it can be tried out.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from helpers.core.documents import document, read_document, refuse_damaged
from helpers.data.ids.id_key import fingerprint, machine_folder, read_key, write_private
from helpers.evaluation.leakage.exported_cases import ExportedCase
from helpers.evaluation.leakage.name_marks import Mark, NameMarks, hashed, marks_of
from helpers.evaluation.leakage.training_files import ListRole, NamedImages, TrainingFiles

_SCHEMA, _VERSION = "vesselkit.training-names", 1
_CONVERT = "Convert the model again"


@dataclass(frozen=True)
class KeptCases:
    """Hashes of training images that were exported under case ids of one key.

    Attributes:
        cases, patients: hashes of their ids.
        count, told: number of them, and of those whose patient is known.
    """

    cases: frozenset[str] = field(default=frozenset(), repr=False)
    patients: frozenset[str] = field(default=frozenset(), repr=False)
    count: int = 0
    told: int = 0


@dataclass(frozen=True)
class KeptNames:
    """The hashed names of one model's training images.

    Attributes:
        key_fingerprint: of the key that they were hashed under.
        files: a JSON object for each annotation file: role, sha256, entries.
        absent, unread, keyless: as in `TrainingFiles`.
        names: of training images, without their parts.
        validation: of validation images.
        parts: of all training images.
        exported: of training images under case ids, by the fingerprint of the key that these were drawn under.
    """

    key_fingerprint: str
    files: tuple[dict[str, Any], ...]
    absent: int
    unread: int
    names: tuple[NameMarks, ...] = field(repr=False)
    validation: tuple[NameMarks, ...] = field(repr=False)
    parts: frozenset[str] = field(repr=False)
    exported: Mapping[str, KeptCases] = field(default_factory=dict, repr=False)
    keyless: int = 0

    @property
    def exported_count(self) -> int:
        """Number of training images under case ids, of any key."""
        return sum(one.count for one in self.exported.values())

    def exported_under(self, key_fingerprint: str | None) -> KeptCases:
        """Those under case ids of a key; None for kept ids, which say nothing of other data sets."""
        return self.exported.get(key_fingerprint or "", KeptCases())


def case_mark(case_id: str) -> str:
    """What is hashed of a case id."""
    return f"case\0{case_id}"


def patient_mark(patient: str) -> str:
    """What is hashed of a patient's pseudonym."""
    return f"patient\0{patient}"


def kept_path(tensors_sha256: str) -> Path:
    """Where the names of a model's training images lie, by the fingerprint of its tensors."""
    return machine_folder() / "training-names" / f"{tensors_sha256}.json"


def keep_names(read: TrainingFiles, tensors_sha256: str, key: bytes) -> Path:
    """Hash the names of training images and write them; an earlier file of that model is replaced.

    Raises:
        UsageProblem: where the folder cannot be written.
    """
    mark, forms, parts = hashed(key), dict[Any, int](), set[str]()
    exported = dict[str, list[ExportedCase]]()
    names = []
    for source in read.sources:
        for name in source.names:
            one = marks_of(name, mark, source.file(name))
            training = source.role is ListRole.TRAINING
            case = source.case(name)
            if case is not None and training:
                exported.setdefault(case.key_fingerprint, []).append(case)
            parts |= one.parts if training and case is None else set()
            names.append(
                {
                    "role": str(source.role),
                    "ends": one.ends,
                    "size": one.size,
                    "words": sorted(one.words),
                    "forms": forms.setdefault(one.forms, len(forms)),
                    **({} if case is None else {"exported": True}),
                }
            )
    path = kept_path(tensors_sha256)
    values = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "key_fingerprint": fingerprint(key),
        "tensors_sha256": tensors_sha256,
        "files": [_described(source) for source in read.sources],
        "absent": read.absent,
        "unread": read.unread,
        **({"keyless": read.keyless} if read.keyless else {}),
        "names": names,
        "forms": [sorted(one) for one in forms],
        "parts": sorted(parts),
        **({"exported": {key: _cases(cases, mark) for key, cases in exported.items()}} if exported else {}),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, json.dumps(document(_SCHEMA, _VERSION, values), separators=(",", ":")) + "\n")
    return path


def read_kept(tensors_sha256: str) -> KeptNames | None:
    """The names that were kept of a model; None where none were.

    Raises:
        RefusedInput: for a damaged file, or one of another version.
    """
    path = kept_path(tensors_sha256)
    if not path.is_file():
        return None
    values = read_document(path, _SCHEMA, _VERSION, advice=_CONVERT)
    with refuse_damaged(path, _SCHEMA, _VERSION, _CONVERT):
        forms = [frozenset(one) for one in values["forms"]]
        names = [(one["role"], _marks(one, forms)) for one in values["names"] if not one.get("exported")]
        return KeptNames(
            str(values["key_fingerprint"]),
            tuple(values["files"]),
            int(values["absent"]),
            int(values["unread"]),
            tuple(marks for role, marks in names if role == ListRole.TRAINING),
            tuple(marks for role, marks in names if role == ListRole.VALIDATION),
            frozenset(values["parts"]),
            {key: _kept_cases(one) for key, one in values.get("exported", {}).items()},
            int(values.get("keyless", 0)),
        )


def key_of(kept: KeptNames, paths: Iterable[Path | None]) -> bytes | None:
    """The key that names were hashed under, out of some key files; None where none of them is it."""
    for path in paths:
        if path is None or not path.is_file():
            continue
        key = read_key(path)
        if fingerprint(key) == kept.key_fingerprint:
            return key
    return None


def _cases(cases: Sequence[ExportedCase], mark: Mark) -> dict[str, Any]:
    """A JSON object of `KeptCases`."""
    patients = [one.patient for one in cases if one.patient is not None]
    return {
        "cases": sorted(mark(case_mark(one.case_id)) for one in cases),
        "patients": sorted({mark(patient_mark(patient)) for patient in patients}),
        "told": len(patients),
    }


def _kept_cases(values: Mapping[str, Any]) -> KeptCases:
    cases = values["cases"]
    return KeptCases(frozenset(cases), frozenset(values["patients"]), len(cases), int(values["told"]))


def _described(source: NamedImages) -> dict[str, Any]:
    return {"role": str(source.role), "sha256": source.sha256, "entries": len(source.names)}


def _marks(values: dict[str, Any], forms: list[frozenset[str]]) -> NameMarks:
    size = values["size"]
    return NameMarks(
        tuple(values["ends"]),
        size=None if size is None else (size[0], size[1]),
        words=frozenset(values["words"]),
        forms=forms[values["forms"]],
    )
