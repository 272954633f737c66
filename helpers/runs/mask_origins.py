"""What the masks of an imported run began from, as `exported.json` beside them said: kept in the run's configuration.

A run whose masks are those of another one, a little edited, is not scored as a new one where that other would not be.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helpers.core.errors import RefusedInput
from helpers.data.exported_masks import ExportedMask, once

KEY = "mask_origins"  # of a run's configuration


@dataclass(frozen=True)
class MaskOrigins:
    """What took part in the masks of a run before they were imported; nothing where no record said so.

    Attributes:
        configs, weights: fingerprints of runs and models.
        masks: case id -> digests of the exported mask and of what that began from, empty masks left out.
    """

    configs: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    masks: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    def __bool__(self) -> bool:
        return bool(self.configs or self.weights or self.masks)

    @classmethod
    def of(cls, sent: Mapping[str, ExportedMask], empty: Mapping[str, str]) -> "MaskOrigins":
        """What records say of masks that were imported.

        Args:
            sent: case id -> the record of its mask.
            empty: case id -> digest of an empty mask of its frame's size, which is of no one run.
        """
        bases = [base for mask in sent.values() for base in mask.bases]
        digests = {case_id: tuple(sorted(once(mask.digests, empty[case_id]))) for case_id, mask in sent.items()}
        return cls(
            tuple(sorted({name for base in bases for name in base.configs})),
            tuple(sorted({name for base in bases for name in base.all_weights})),
            {case_id: found for case_id, found in digests.items() if found},
        )

    @classmethod
    def of_config(cls, values: Mapping[str, Any], path: Path) -> "MaskOrigins":
        """What a run's configuration says. Raises RefusedInput where it says it otherwise than the kit writes it.

        Args:
            path: of the configuration, for messages.
        """
        given = values.get(KEY) or {}
        try:
            masks = {str(case_id): tuple(map(str, found)) for case_id, found in given.get("masks", {}).items()}
            return cls(tuple(given.get("configs", ())), tuple(given.get("weights", ())), masks)
        except (AttributeError, TypeError) as error:
            raise RefusedInput(
                f"{path}: expected {KEY} with configs, weights and masks, found another thing. Import the masks again"
            ) from error

    def to_config(self) -> dict[str, Any]:
        """The fields of a configuration: none where nothing is known."""
        if not self:
            return {}
        masks = {case_id: list(found) for case_id, found in self.masks.items()}
        return {KEY: {"configs": list(self.configs), "weights": list(self.weights), "masks": masks}}

    def share(self, case_id: str, record: ExportedMask) -> bool:
        """Whether ground truth began from what the masks began from, or from the very mask.

        Args:
            record: of the ground truth of the case.
        """
        return (
            any(record.began_from(config, None) for config in self.configs)
            or any(record.began_from(None, weights) for weights in self.weights)
            or not set(record.digests).isdisjoint(self.masks.get(case_id, ()))
        )
