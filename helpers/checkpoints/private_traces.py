"""Traces of people and machines in the text files of a folder that is to be handed on: paths, mail, keys, names.

What is found is told by its kind and place, and never repeated: the telling may be handed on too.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

VOCABULARIES = ("vocab.json", "merges.txt", "tokenizer.json")
_WEIGHTS = ".safetensors"
_SHORTEST, _LONG_NUMBER = 4, 7  # letters of a word, digits of a number


class TraceKind(StrEnum):
    """What was found, in words."""

    PATH = "an absolute path"
    MAIL = "an e-mail address"
    KEY = "an access key or password"
    PERSON = "a patient's name or number"
    USER = "the name of this machine or of its user"
    IMAGE = "the name of a training image or of its patient"

    @property
    def advice(self) -> str:
        """What to do about it."""
        if self is TraceKind.KEY:
            return "Revoke it where it was made, then take it out"
        return "Write the last name of it alone" if self is TraceKind.PATH else "Take it out"


@dataclass(frozen=True)
class Trace:
    """A finding.

    Attributes:
        file: its path in the folder.
        line, column: from 1.
    """

    kind: TraceKind
    file: str
    line: int
    column: int


# A path needs two parts: `/think` is a word of chat templates.
_HOME = r"(?<![\w.])(?:/(?:home|Users)/|(?<![A-Za-z])[A-Za-z]:\\{1,2}Users\\{1,2})[\w.-]+"
_PATH = (
    r"(?<![\w.:/<~*)\]}\\-])/(?!/)[\w.+@-]+/[\w.+@-]+"
    r"|(?<![A-Za-z0-9])[A-Za-z]:(?:\\{1,2}|/(?!/))[\w.-]+"
    r"|file:///?[\w.-]+"
)
_EVERYWHERE: Mapping[TraceKind, re.Pattern[str]] = {
    TraceKind.MAIL: re.compile(r"(?<![\w.+-])[\w.+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}\b"),
    TraceKind.KEY: re.compile(
        r"\b(?:hf_[A-Za-z0-9]{20,}|gh[opsur]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|sk-[\w-]{20,}"
        r"|AKIA[0-9A-Z]{16}|AIza[\w-]{30,}|xox[abprs]-[\w-]{10,}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,})"
        r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
        r"|(?i:(?<![a-z])(?:api|access|secret|auth|private)[_-]?(?:key|token)|passw(?:or)?d)[\"']?\s*[:=]\s*[\"']?[^\s\"'<>{}]{8,}"
        r"|://[^\s/:@]+:[^\s/@]+@"
    ),
}
_IN_TEXT: Mapping[TraceKind, re.Pattern[str]] = {
    TraceKind.PATH: re.compile(rf"{_HOME}|{_PATH}"),
    TraceKind.PERSON: re.compile(
        r"(?<![^\W\d_])[^\W\d_]{2,}\^[^\W\d_]+"  # as DICOM writes names
        r"|(?i:\bpatient[ _']?s?[ _]?(?:name|id|number|birth[ _]?date)\b[\"'`*]*\s*[:=|]\s*[\"'`]?\w)"
    ),
}
_HOME_ONLY = {TraceKind.PATH: re.compile(_HOME)}


def text_of(path: Path) -> str | None:
    """The text of a file, of a weight file its header's own remarks; None where it holds no text."""
    if path.suffix == _WEIGHTS:
        return _remarks(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def files_of(folder: Path) -> list[Path]:
    """Every file that would be handed on, by its path in the folder; the hub's client leaves the same ones out."""
    inside = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return [path for path in inside if ".git" not in path.parts and path.parts[:2] != (".cache", "huggingface")]


def in_name(path: Path, own_names: re.Pattern[str] | None, is_image: Callable[[str], bool]) -> list[TraceKind]:
    """What the path of a file in the folder tells of people and machines by itself."""
    lines = path.as_posix().replace("/", "\n")
    return list(dict.fromkeys(one.kind for one in traces_in("", lines, own_names, is_image)))


def traces_in(file: str, text: str, own_names: re.Pattern[str] | None, is_image: Callable[[str], bool]) -> list[Trace]:
    """What a text tells of people and machines, each kind once a line.

    Args:
        file: path in the folder. Vocabularies hold pieces of any word: there, only mail, keys and homes of users count.
        text: of the file.
        own_names: of this machine and its user; None where they are plain words.
        is_image: whether a word is the name of a training image or of its patient.
    """
    patterns = {**_EVERYWHERE, **(_HOME_ONLY if Path(file).name in VOCABULARIES else _IN_TEXT)}
    is_prose = Path(file).name not in VOCABULARIES and Path(file).suffix != ".py"
    if is_prose and own_names is not None:
        patterns[TraceKind.USER] = own_names
    found = []
    for number, line in enumerate(re.split(r"\r?\n|\r", text), 1):  # as editors count; vocabularies hold other ends
        found += [
            Trace(kind, file, number, match.start() + 1)
            for kind, pattern in patterns.items()
            if (match := pattern.search(line)) is not None
        ]
        if is_prose:
            found += [Trace(TraceKind.IMAGE, file, number, at + 1) for at, word in _words(line) if is_image(word)][:1]
    return found


def _words(line: str) -> Iterator[tuple[int, str]]:
    """Words that could be a file's name or a patient's number, each with its place. Short numbers could be anything."""
    for match in re.finditer(r"[\w.-]+", line):
        word = match.group().strip(".-")
        if any(map(str.isdigit, word)) and len(word) >= (_LONG_NUMBER if word.isdigit() else _SHORTEST):
            yield match.start(), word


def _remarks(path: Path) -> str | None:
    """The free text in the header of a weight file."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(min(length, path.stat().st_size)))
        except ValueError:
            return None
    return (
        json.dumps(header.get("__metadata__", {}), ensure_ascii=False, indent=1) if isinstance(header, dict) else None
    )
