"""Parts of a card (`README.md` of a model or a data set) that the kit writes; people write around them.

Each part stands between two marks that Markdown does not show, so that it is written anew without touching the rest.
"""

from pathlib import Path

from helpers.core.atomic import write_bytes_atomic

_LOSSLESS = "surrogateescape"  # of bytes that are not UTF-8, which people's editors may leave


def rewrite_part(path: Path, part: str, text: str) -> None:
    """Write a part of a card anew; every other byte of the file stays. Raises OSError where it cannot be written."""
    card = path.read_bytes().decode("utf-8", _LOSSLESS)
    write_bytes_atomic(path, with_part(card, part, text).encode("utf-8", _LOSSLESS))


def marked(part: str, text: str) -> str:
    """A part between its marks."""
    begin, end = _marks(part)
    return f"{begin}\n{text}\n{end}"


def with_part(card: str, part: str, text: str) -> str:
    """A card whose part is written anew; where its marks are missing, the part stands at the end."""
    begin, end = _marks(part)
    before, found, rest = card.partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        return f"{card.rstrip()}\n\n## {part.capitalize()}\n\n{marked(part, text)}\n"
    return before + marked(part, text) + after


def one_line(text: str) -> str:
    """Text from files, on one line, in which Markdown shows no tag and ends no code."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace("`", "'")


def _marks(part: str) -> tuple[str, str]:
    return f"<!-- vesselkit {part}: begin -->", f"<!-- vesselkit {part}: end -->"
