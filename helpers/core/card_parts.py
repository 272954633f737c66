"""Parts of a card (`README.md` of a model or a data set) that the kit writes; people write around them.

Each part stands between two marks that Markdown does not show, so that it is written anew without touching the rest.
"""

import re
from collections.abc import Callable
from pathlib import Path

from helpers.core.atomic import write_bytes_atomic

CARD_NAME = "README.md"
NOT_TOLD = "not told"
_LOSSLESS = "surrogateescape"  # of bytes that are not UTF-8, which people's editors may leave


def rewrite_part(path: Path, part: str, text: str) -> None:
    """Write a part of a card anew; every other byte of the file stays. Raises OSError where it cannot be written."""
    rewrite(path, lambda card: with_part(card, part, text))


def rewrite(path: Path, change: Callable[[str], str]) -> None:
    """Change a card; every byte that `change` leaves as it is stays. Raises OSError where it cannot be written."""
    card = path.read_bytes().decode("utf-8", _LOSSLESS)
    write_bytes_atomic(path, change(card).encode("utf-8", _LOSSLESS))


def marked(part: str, text: str) -> str:
    """A part between its marks."""
    begin, end = _marks(part)
    return f"{begin}\n{text}\n{end}"


def with_part(card: str, part: str, text: str) -> str:
    """A card whose part is written anew, as often as it stands there; where a mark is missing, it stands at the end."""
    begin, end = map(re.escape, _marks(part))
    text = marked(part, text)
    # From the last mark that begins it: an editor may have lost an end, and what follows there is people's.
    written, found = re.subn(f"{begin}(?:(?!{begin}).)*?{end}", lambda match: text, card, flags=re.DOTALL)
    return written if found else f"{card.rstrip()}\n\n## {part.capitalize()}\n\n{text}\n"


def one_line(text: str) -> str:
    """Text from files, on one line, in which Markdown shows no tag and ends no code."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace("`", "'")


def _marks(part: str) -> tuple[str, str]:
    return f"<!-- vesselkit {part}: begin -->", f"<!-- vesselkit {part}: end -->"
