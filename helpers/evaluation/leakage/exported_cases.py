"""Training images that the kit exported under case ids: whose they are is told by the id, where the key is the same."""

from dataclasses import dataclass, field
from pathlib import Path

from helpers.data.exported_masks import ExportedMasks


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


def case_of(exported: ExportedMasks | None, name: str) -> ExportedCase | None:
    """The case that the name of an image stands for, whose id was drawn under a key; None for an original name."""
    if exported is None or exported.key_fingerprint is None:
        return None
    case_id = exported.of_file(Path(name))
    return None if case_id is None else ExportedCase(exported.key_fingerprint, case_id, exported.masks[case_id].patient)
