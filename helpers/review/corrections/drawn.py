"""A correction with its mask on one line, as the viewer sends it and the page without a server gives it as a file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from helpers.core.errors import RefusedInput
from helpers.metrics.case_scores import mask_digest
from helpers.review.corrections.record import SCHEMA as RECORD_SCHEMA
from helpers.review.corrections.record import SCHEMA_VERSION as RECORD_VERSION
from helpers.review.corrections.record import CorrectionRecord
from helpers.review.packed_masks import unpacked

SCHEMA, SCHEMA_VERSION = "vesselkit.drawn-correction", 1


@dataclass(frozen=True)
class DrawnCorrection:
    """A record and the mask that it speaks of.

    Attributes:
        mask: bool (H, W) of the record's size; None where it takes the correction back.
        continues: ids of the reader's records of the case that the page knew, so that it replaces none unseen; None
            where unknown, as of pages of earlier versions.
    """

    record: CorrectionRecord
    mask: np.ndarray | None = field(repr=False)
    continues: tuple[str, ...] | None = None

    def knows(self, earlier: CorrectionRecord | None) -> bool | None:
        """Whether the page knew a record that this one would replace; None where unknown."""
        if earlier is None:
            return True
        return None if self.continues is None else earlier.id in self.continues

    @classmethod
    def from_json(cls, values: Any) -> "DrawnCorrection":
        """The correction of a parsed line. Raises ValueError for anything else."""
        if not isinstance(values, Mapping) or values.get("schema") != SCHEMA:
            raise ValueError(f"expected an object of schema {SCHEMA}")
        if values.get("schema_version") != SCHEMA_VERSION:
            raise ValueError(f"expected version {SCHEMA_VERSION}, got {values.get('schema_version')!r}")
        told = {**values, "schema": RECORD_SCHEMA, "schema_version": RECORD_VERSION, "mask_sha256": None}
        sized = CorrectionRecord.from_json(told)
        continues = values.get("continues")
        if continues is not None:
            if not isinstance(continues, list) or not all(isinstance(one, str) for one in continues):
                raise ValueError("expected a list of ids as continues")
            continues = tuple(continues)
        if values.get("mask") is None:
            return cls(sized, None, continues)
        mask = unpacked(values["mask"], sized.height, sized.width)
        return cls(CorrectionRecord.from_json({**told, "mask_sha256": mask_digest(mask)}), mask, continues)


def read_drawn(path: Path) -> tuple[DrawnCorrection, ...]:
    """The corrections of a file that the page gave. Its other lines are not looked at.

    Raises:
        RefusedInput: for a correction that is damaged or of another version, and for a record without its mask.
    """
    found = list[DrawnCorrection]()
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            continue
        schema = values.get("schema") if isinstance(values, dict) else None
        if schema == RECORD_SCHEMA:
            raise RefusedInput(
                f"{path}: line {number}: expected a file that was downloaded from the page, found a reader's record, "
                "whose masks lie beside it. Copy the reader's whole folder into the folder of corrections; nothing was "
                "imported"
            )
        if schema != SCHEMA:
            continue
        try:
            found.append(DrawnCorrection.from_json(values))
        except ValueError as error:
            raise RefusedInput(
                f"{path}: line {number}: {error}. Download the file from the page again; nothing was imported"
            ) from error
    return tuple(found)
