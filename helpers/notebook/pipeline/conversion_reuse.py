"""Reuses an earlier conversion where it is of the same sources and still whole."""

import logging
from collections.abc import Mapping
from pathlib import Path

from helpers.checkpoints.convert.conversion_record import RECORD_NAME, ConversionRecord, read_record
from helpers.checkpoints.verify import verify
from helpers.core.errors import VesselkitError
from helpers.core.paths import newest_first

_log = logging.getLogger(__name__)


def verified_conversion(
    folder: Path,
    checkpoint: Path,
    base: Path | None,
    sam2: Path | None,
    train_config: Path | None = None,
    *,
    pretrained: Path | str | None = None,
    lora_alpha: float | None = None,
    template: str | None = None,
) -> Path | None:
    """The newest conversion in a folder of conversions that verifies against these sources; None where there is none.

    Args:
        folder: holds one folder for each conversion; it may be absent.
        checkpoint, base, sam2, train_config, pretrained: what it must come from.
        lora_alpha, template: what it must have been asked for; None for what the sources say.
    """
    for found in newest_first(folder, RECORD_NAME):
        try:
            if not _asked_for(read_record(found), {"lora_alpha": lora_alpha, "template": template}):
                _log.info("conversion %s: not reused, it was made with other options", found.name)
                continue
            report = verify(found, checkpoint, base, sam2, train_config, pretrained)
        except VesselkitError as error:
            _log.info("conversion %s: not reused (%s)", found.name, type(error).__name__)
            continue
        if report.ok:
            return found
        _log.info("conversion %s: not reused, it is of other sources or damaged", found.name)
    return None


def _asked_for(record: ConversionRecord, given: Mapping[str, object]) -> bool:
    """Whether options decided the same settings in the same way."""
    settings = record.values["settings"]
    for name, value in given.items():
        option = f"--{name.replace('_', '-')}"
        if value != (settings[name]["value"] if settings[name]["source"] == option else None):
            return False
    return True
