"""What the masks of an exported folder are: `exported.json`, beside them (docs/exchange.md).

It stays with the masks, so that predictions are never taken for ground truth, and corrections count as such.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from helpers.core.documents import read_document, refuse_damaged, write_document
from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import BeganFrom, Exported
from helpers.data.cases import Record
from helpers.data.layouts.file_walk import files_under
from helpers.data.truth.ground_truth import MaskFileTruth

SCHEMA, SCHEMA_VERSION = "vesselkit.exported-masks", 1
EXPORTED_NAME = "exported.json"
NNUNET_CHANNEL = "_0000"  # what nnU-Net puts behind the name of an image
_ADVICE = "Export it again"
BASE_LISTS = ("click_weights", "further_configs", "further_weights")  # written where there is something to say


class MaskOrigin(StrEnum):
    """Where a mask comes from."""

    PREDICTED = "predicted"
    CORRECTED = "corrected"
    ACCEPTED = "accepted"  # a prediction that reviewers accepted, which is ground truth since a user said so


@dataclass(frozen=True)
class MaskBase:
    """What one reader's mask began from.

    Attributes:
        reviewer: None for a prediction that nobody looked at.
        run, config, weights: fingerprints of a prediction's run; None for another beginning, or where unknown.
        truth_seen: whether the ground truth was on the screen; None where unknown.
        click_weights: fingerprints of the models that answered clicks.
        further_configs, further_weights: fingerprints of the runs that took part beside its beginning.
    """

    began_from: BeganFrom
    reviewer: str | None = None
    run: str | None = None
    config: str | None = None
    prompt: str | None = None
    weights: str | None = None
    mask_sha256: str | None = None
    seconds: float | None = None
    truth_seen: bool | None = None
    click_weights: tuple[str, ...] = ()
    further_configs: tuple[str, ...] = ()
    further_weights: tuple[str, ...] = ()

    @property
    def configs(self) -> tuple[str, ...]:
        """Fingerprints of all runs that took part, that of its beginning first."""
        return once((self.config, *self.further_configs))

    @property
    def all_weights(self) -> tuple[str, ...]:
        """Fingerprints of all models that took part: in its beginning, by clicks, or further."""
        return once((self.weights, *self.click_weights, *self.further_weights))


@dataclass(frozen=True)
class ExportedMask:
    """One mask.

    Attributes:
        patient: pseudonym; None where unknown.
        bases: of each reader whose mask it is.
    """

    origin: MaskOrigin
    mask_sha256: str
    bases: tuple[MaskBase, ...]
    patient: str | None = None

    @property
    def digests(self) -> tuple[str, ...]:
        """Of the mask, and of all that it began from."""
        return once((self.mask_sha256, *(base.mask_sha256 for base in self.bases)))

    def began_from(self, config: str | None, weights: str | None) -> bool:
        """Whether a run took part in it, or another one of the same weights: as its beginning, by clicks, or further.

        Args:
            config, weights: fingerprints of the run; None where it does not say.
        """
        return any(weights in base.all_weights or config in base.configs for base in self.bases)


@dataclass(frozen=True)
class ExportedMasks:
    """The masks of a folder.

    Attributes:
        key_fingerprint: of the key that the case ids were drawn under; None for kept ones.
        adjudicator: reader whose mask counts where readers differ; None for none.
        accepted_as_truth: whether predictions that were accepted are ground truth here.
        masks: by case id.
        left_out: ids of cases by the reason why they are not among them.
    """

    what: Exported
    key_fingerprint: str | None
    masks: Mapping[str, ExportedMask] = field(repr=False)
    adjudicator: str | None = None
    accepted_as_truth: bool = False
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)

    @property
    def are_truth(self) -> bool:
        """Whether they may be scored with and trained on."""
        return self.what is Exported.CORRECTIONS

    def of_file(self, path: Path) -> str | None:
        """The case id of an image file of the folder; None where it is none of its cases."""
        stem = path.name.partition(".")[0] if path.name.endswith(".gz") else path.stem
        return next((name for name in (stem, stem.removesuffix(NNUNET_CHANNEL)) if name in self.masks), None)


def once(names: Iterable[str | None], but: str | None = None) -> tuple[str, ...]:
    """The names that are known, each once, without `but`."""
    return tuple(dict.fromkeys(name for name in names if name is not None and name != but))


def write_exported(folder: Path, exported: ExportedMasks) -> None:
    """Write the record of a folder."""
    values = {
        "what": exported.what,
        "key_fingerprint": exported.key_fingerprint,
        "adjudicator": exported.adjudicator,
        "accepted_as_truth": exported.accepted_as_truth,
        "left_out": {reason: list(case_ids) for reason, case_ids in exported.left_out.items()},
        "masks": {
            case_id: {
                "origin": mask.origin,
                "mask_sha256": mask.mask_sha256,
                "patient": mask.patient,
                "bases": [_values(base) for base in mask.bases],
            }
            for case_id, mask in exported.masks.items()
        },
    }
    write_document(folder / EXPORTED_NAME, SCHEMA, SCHEMA_VERSION, values)


def read_exported(folder: Path) -> ExportedMasks | None:
    """The record of a folder; None where there is none.

    Raises:
        RefusedInput: for a damaged one, or one of another version.
    """
    path = folder / EXPORTED_NAME
    if not path.is_file():
        return None
    values = read_document(path, SCHEMA, SCHEMA_VERSION, ("what", "masks"), _ADVICE)
    with refuse_damaged(path, SCHEMA, SCHEMA_VERSION, _ADVICE):
        return ExportedMasks(
            Exported(values["what"]),
            values["key_fingerprint"],
            {case_id: _mask(one) for case_id, one in values["masks"].items()},
            values["adjudicator"],
            bool(values["accepted_as_truth"]),
            {reason: tuple(case_ids) for reason, case_ids in values["left_out"].items()},
        )


def exported_above(path: Path) -> ExportedMasks | None:
    """What the kit's record says of a data set in a folder, or of a file in it; None without a record.

    Raises:
        RefusedInput: for a damaged record.
    """
    path = path.resolve()  # of a relative path the folders above are not part
    folders = (path, *path.parents[:2]) if path.is_dir() else path.parents[:2]
    return next((found for folder in folders if (found := read_exported(folder)) is not None), None)


def require_true_masks(root: Path, exported: ExportedMasks | None) -> None:
    """Raise RefusedInput where the masks of a data set are none to score with or to train on.

    Args:
        root: folder of the data set.
        exported: its record; None where the kit did not export it.
    """
    if exported is not None and not exported.are_truth:
        what = "pairs to prefer between" if exported.what is Exported.PAIRS else "what a run predicted"
        raise RefusedInput(
            f"{root}: its masks are {what} ({EXPORTED_NAME} says so), not ground truth. Once corrected, take them over "
            "with `vesselkit import` and export the corrections"
        )


def require_one_export(path: Path) -> None:
    """Raise RefusedInput where the record of masks to import lies in a folder below the one that is imported."""
    below = files_under(path)[0] if path.is_dir() else ()
    records = [name for name in below if Path(name).name == EXPORTED_NAME and "/" in name]
    if records:
        raise RefusedInput(
            f"{path}: expected one folder of masks, found {records[0]}, "
            f"which records what the masks in its own folder began from. "
            f"Import {path / Path(records[0]).parent} by itself"
        )


def refuse_exports_below(root: Path, records: Iterable[Record]) -> None:
    """Refuse a data set with a folder that the kit exported, whose record of what the masks are would play no part.

    Args:
        root: of the data set, which the records' names start from. A record beside it is its own.
        records: as its reader found them; folders that hold none of their files are not looked at.
    Raises:
        RefusedInput: naming the first such folder.
    """
    used: set[Path] = set()
    for record in records:
        used.add(record.path.parent)
        annotation = record.provenance.get("annotation")
        if isinstance(annotation, str):
            used.add((root / annotation).parent)
        if isinstance(record.truth, MaskFileTruth):
            used.add(record.truth.path.parent)
    looked_at = {above for folder in used for above in (folder, *folder.parents) if root in above.parents}
    found = sorted(folder for folder in looked_at if (folder / EXPORTED_NAME).is_file())
    if found:
        others = f", and {len(found) - 1} more" if len(found) > 1 else ""
        raise RefusedInput(
            f"{root}: expected a data set without an export of masks within it, found {found[0] / EXPORTED_NAME}"
            f"{others}. It says what the masks there are, and only where that folder is opened by itself: name "
            f"{found[0]} as the data set, or move it to another place"
        )


def _values(base: MaskBase) -> dict[str, Any]:
    """A base as a JSON object; its lists stand where there is something to say."""
    return {name: value for name, value in vars(base).items() if name not in BASE_LISTS or value}


def _base(values: Mapping[str, Any]) -> MaskBase:
    lists = {name: tuple(values.get(name, ())) for name in BASE_LISTS}
    return MaskBase(**{**values, **lists, "began_from": BeganFrom(values["began_from"])})


def _mask(values: Mapping[str, Any]) -> ExportedMask:
    bases = tuple(_base(base) for base in values["bases"])
    return ExportedMask(MaskOrigin(values["origin"]), values["mask_sha256"], bases, values["patient"])
