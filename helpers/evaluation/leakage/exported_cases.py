"""Training images that the kit exported under case ids: whose they are is told by the id, where the key is the same."""

from dataclasses import dataclass, field
from pathlib import Path

from helpers.data.exported_masks import ExportedMasks, read_exported


@dataclass(frozen=True)
class ExportedCase:
    """A case whose frame was exported under its id.

    Attributes:
        key_fingerprint: of the key that ids were drawn under.
        patient: pseudonym; None where unknown.
    """

    key_fingerprint: str
    case_id: str = field(repr=False)
    patient: str | None = field(repr=False)


def exported_above(path: Path) -> ExportedMasks | None:
    """What the kit's record says of a data set in a folder, or of an annotation file in it; None without a record.

    Raises:
        RefusedInput: for a damaged record.
    """
    folders = (path, *path.parents[:2]) if path.is_dir() else path.parents[:2]
    return next((found for folder in folders if (found := read_exported(folder)) is not None), None)


def case_of(exported: ExportedMasks | None, name: str) -> ExportedCase | None:
    """The case that the name of an image stands for, whose id was drawn under a key; None for an original name."""
    if exported is None or exported.key_fingerprint is None:
        return None
    case_id = exported.of_file(Path(name))
    return None if case_id is None else ExportedCase(exported.key_fingerprint, case_id, exported.masks[case_id].patient)
