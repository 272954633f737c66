"""Files of JSON lines that only grow: a line is on the disk when the call returns, and a cut one spoils no other."""

import os
from pathlib import Path

from helpers.core.atomic import flush

MAX_BYTES = 256_000_000  # of a file that is read whole


def append_line(path: Path, text: str, cut: str = "") -> None:
    """Add one line or several to a file, which is made where it is not there.

    Whoever may write at the same time must be kept away by a lock.

    Args:
        path: in a folder that exists.
        text: each line with its line feed.
        cut: written behind a last line that lacks its end, as a killed process leaves it, before that end is mended.
            Text that is no JSON keeps such a line unreadable for those who passed it over already.
    Raises:
        OSError: where it cannot be written.
    """
    new = not path.exists()
    with path.open("ab+") as file:
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(end - 1)
            text = text if file.read(1) == b"\n" else f"{cut}\n{text}"
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    if new:
        flush(path.parent)
