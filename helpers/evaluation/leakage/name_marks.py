"""Parts of a file's name to compare with training data, plain or hashed under a key that stays on this machine."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from helpers.data.groups.name_parts import parts_of, words_of
from helpers.data.groups.name_rules import composed, path_ends

Mark = Callable[[str], str]
_DIGITS = 32  # of a hash, in hexadecimal


def plain(text: str) -> str:
    """The text itself, for names that are at hand."""
    return text


def hashed(key: bytes) -> Mark:
    """HMAC-SHA256 under a key of 32 bytes, 128 bits of it in hexadecimal digits; the same text gives the same."""

    def mark(text: str) -> str:
        return hmac.digest(key, text.encode("utf-8", "surrogateescape"), hashlib.sha256).hex()[:_DIGITS]

    return mark


@dataclass(frozen=True)
class NameMarks:
    """One name.

    Attributes:
        ends: ends of its path without the suffix, the file's stem first.
        file: that it means, where names are at hand and the file is here.
        size: two marks, of that file's suffix, and of its name and size; None where it was not here.
        words: beginnings of its parts that look like somebody's number.
        parts: runs of letters and numbers at their places.
        forms: forms of these, and shapes of the name.
    """

    ends: tuple[str, ...] = field(repr=False)
    file: Path | None = field(default=None, repr=False)
    size: tuple[str, str] | None = field(default=None, repr=False)
    words: frozenset[str] = field(default=frozenset(), repr=False)
    parts: frozenset[str] = field(default=frozenset(), repr=False)
    forms: frozenset[str] = field(default=frozenset(), repr=False)


def marks_of(name: str, mark: Mark, file: Path | None = None) -> NameMarks:
    """All marks of a name.

    Args:
        name: as a list or an annotation file has it.
        file: that it means; None where that is not here.
    """
    name = composed(name)
    parts, forms = set(), set()
    for part, form, shape in parts_of(name):
        parts.add(mark(part))
        forms |= {mark(form), mark(shape)}
    return NameMarks(
        ends_of(name, mark),
        file,
        None if file is None else size_of(file, mark),
        frozenset(map(mark, words_of(name))),
        frozenset(parts),
        frozenset(forms),
    )


def ends_of(name: str, mark: Mark) -> tuple[str, ...]:
    """The ends of a path, marked, the file's stem first."""
    return tuple(mark(f"end\0{end}") for end in path_ends(composed(name)))


def size_of(file: Path, mark: Mark) -> tuple[str, str] | None:
    """Marks of a file's suffix, and of its name and size; None where it cannot be looked at."""
    try:
        size = file.stat().st_size
    except OSError:
        return None
    return mark(f"suffix\0{file.suffix.lower()}"), mark(f"size\0{composed(file.name)}\0{size}")


def are_different(one: NameMarks, file: Path, mark: Mark) -> bool:
    """Whether the file of a name was here, has the suffix of another file, and is a different image.

    Where both are at hand their bytes decide, else their sizes.
    """
    if one.file is not None:
        if one.file.suffix != file.suffix or not file.is_file() or one.file.samefile(file):
            return False
        return one.file.read_bytes() != file.read_bytes()
    if one.size is None:
        return False
    own = size_of(file, mark)
    return own is not None and own[0] == one.size[0] and own[1] != one.size[1]
