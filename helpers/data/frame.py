"""One frame to look at: all that inference may know of a case. There is no ground truth in this type."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Frame:
    """One angiogram frame under its case id.

    Attributes:
        case_id: a plain name, unique in its data set, such as `P007-S02-F034`; it says nothing of the patient.
        path: the file that holds the frame. It may carry a name: never to be logged or written to a result.
        index: position in a file of several frames, from 0; None for a file of one.
        patient, sequence: stable pseudonyms, such as `P007` and `P007-S02`; None where unknown.
        number: of the frame in its sequence, as the source counts; None where unknown.
        split: such as `train` or `test`; None where the data set has none.
        nbytes: size of the file in bytes; None where it cannot be told.
    """

    case_id: str
    path: Path = field(repr=False)
    index: int | None = None
    patient: str | None = None
    sequence: str | None = None
    number: int | None = None
    split: str | None = None
    nbytes: int | None = None
