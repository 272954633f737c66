"""The prose of notebooks in English and Chinese: a section is read in one, and has the other in a fold at its end.

## Headline

Text.

<details><summary>中文：主要结果</summary>

文字。

</details>
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from helpers.core.vocabulary import Language

_NAMES = {Language.ENGLISH: ("English", ": "), Language.CHINESE: ("中文", "：")}
_LANGUAGES = {name: language for language, (name, _) in _NAMES.items()}
_FOLD = re.compile(
    r"<details><summary>(English|中文)(?:(?:: |：)(.*?))?</summary>(?:\n\n(.*?)\n\n)?</details>", re.DOTALL
)
_HEADING = re.compile(r"(#+) (.*)\n*")


@dataclass(frozen=True)
class Passage:
    """A section in one language; `heading` is None where it has none, and `text` may be empty."""

    heading: str | None
    text: str


@dataclass(frozen=True)
class Section:
    """A section of prose.

    Attributes:
        marks: of its heading, such as `##`; empty where it has none.
        passages: in the languages that it has, the one that is read first.
    """

    marks: str
    passages: dict[Language, Passage]

    def to_text(self) -> str:
        """The section in Markdown."""
        (_, first), *others = self.passages.items()
        heading = "" if first.heading is None else f"{self.marks} {first.heading}"
        folds = [_fold(language, passage) for language, passage in others]
        return "\n\n".join(filter(None, [heading, first.text, *folds]))


def sections(source: str) -> list[Section]:
    """The sections of a cell; each that has another language ends with its fold, and one without comes last."""
    found, at = [], 0
    for fold in _FOLD.finditer(source):
        found.append(_section(source[at : fold.start()], fold))
        at = fold.end()
    rest = source[at:].strip()
    return [*found, _section(rest, None)] if rest else found


def in_language(source: str, language: Language) -> str:
    """A cell's prose with a language first and the other in folds; a section that lacks it stays as it is."""
    return "\n\n".join(_first(section, language).to_text() for section in sections(source))


def tell_in(cells: Iterable[dict[str, Any]], language: Language) -> None:
    """Put a language first in all prose of a notebook's cells that has it."""
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and _FOLD.search(source):
            cell["source"] = in_language(source, language)


def _section(front: str, fold: re.Match[str] | None) -> Section:
    front = front.strip()
    heading = _HEADING.match(front)
    text = front if heading is None else front[heading.end() :]
    shown = Passage(None if heading is None else heading[2], text)
    marks = "" if heading is None else heading[1]
    if fold is None:
        return Section(marks, {Language.ENGLISH: shown})
    folded = _LANGUAGES[fold[1]]
    (other,) = (language for language in Language if language is not folded)
    return Section(marks, {other: shown, folded: Passage(fold[2], fold[3] or "")})


def _first(section: Section, language: Language) -> Section:
    if language not in section.passages:
        return section
    passages = {language: section.passages[language]} | section.passages
    return Section(section.marks, passages)


def _fold(language: Language, passage: Passage) -> str:
    name, colon = _NAMES[language]
    title = name if passage.heading is None else f"{name}{colon}{passage.heading}"
    text = f"\n\n{passage.text}\n\n" if passage.text else ""
    return f"<details><summary>{title}</summary>{text}</details>"
