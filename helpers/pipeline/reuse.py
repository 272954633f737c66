"""Whether a conversion from before is of the same sources and still whole, so that it need not be made again."""

import logging
from pathlib import Path

from helpers.conversion.record import RECORD_NAME
from helpers.conversion.verification import verify
from helpers.errors import VesselkitError
from helpers.paths import newest_first

_log = logging.getLogger(__name__)


def verified_conversion(
    folder: Path, checkpoint: Path, base: Path | None, sam2: Path | None, train_config: Path | None = None
) -> Path | None:
    """The newest conversion in a folder of conversions that verifies against these sources; None where there is none.

    Args:
        folder: holds one folder for each conversion; it may be absent.
        checkpoint, base, sam2, train_config: what it must come from.
    """
    for found in newest_first(folder, RECORD_NAME):
        try:
            report = verify(found, checkpoint, base, sam2, train_config)
        except VesselkitError as error:
            _log.info("conversion %s: not reused (%s)", found.name, type(error).__name__)
            continue
        if report.ok:
            return found
        _log.info("conversion %s: not reused, it is of other sources or damaged", found.name)
    return None
