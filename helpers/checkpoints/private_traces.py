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
_PEEKED, _LONGEST_HEADER = 1 << 20, 100_000_000  # bytes; safetensors itself refuses a longer header
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
_HOME = r"(?<![\w.])(?:/(?:home|Users)/|(?<![A-Za-z])(?i:[a-z]:(?:/|\\{1,2})users(?:/|\\{1,2})))[\w.-]+"
_PART = r"[\w.+@-]+"
_SERVER, _SHARE = r"(?<![\\\w])\\{%d}(?!\\)[^\W_][\w.$-]+", r"\\{%d}(?!\\)[\w.$-]{2,}"
_PATH = (
    rf"(?<![\w./~*)\]}}\\-])/(?!/){_PART}/{_PART}"
    rf"|(?<=\*)/{_PART}(?:/{_PART})+\*"  # in Markdown's emphasis: `**/a/b` is a pattern of names
    r"|(?<=[\"'`])/\w[\w.+@ -]*[\w.]/\w"  # with blanks
    r"|(?<![\w./~])~(?:[^\W\d_][\w.-]*)?/[\w.+@-]*[^\W\d_]"
    r"|(?<![A-Za-z0-9])[A-Za-z]:(?:\\{1,2}|/(?!/))[\w.-]+"
    rf"|{_SERVER % 2}{_SHARE % 1}|{_SERVER % 4}{_SHARE % 2}"  # as it is, and in JSON
    r"|file:/{1,3}[\w.%-]|\b(?:s3|gs|smb|nfs|cifs|sftp|ssh|scp|rsync|hdfs)://\w"
)
_SAID = r"[\"'`*]*\s*[:=|：]\s*[\"'`]?\w"
_EVERYWHERE: Mapping[TraceKind, re.Pattern[str]] = {
    TraceKind.MAIL: re.compile(r"(?<![\w.+-])[\w.+-]+@(?:[\w-]+\.)+[^\W\d_]{2,}\b"),
    TraceKind.KEY: re.compile(
        r"(?<![A-Za-z0-9])(?:hf_[A-Za-z0-9]{20,}|gh[opsur]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
        r"|sk-[\w-]{20,}|A[KS]IA[0-9A-Z]{16}|AIza[\w-]{30,}|xox[abprs]-[\w-]{10,}|npm_[A-Za-z0-9]{30,}|pypi-[\w-]{30,}"
        r"|r8_[A-Za-z0-9]{30,}|nvapi-[\w-]{30,}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,})"
        r"|-----BEGIN [A-Z ]*PRIVATE KEY|hooks\.slack\.com/services/\w"
        r"|(?i:(?<![a-z])(?:(?:api|access|secret|auth|private|account|session|hf|hub|wandb|github)[_-]?(?:key|token)"
        r"|passw(?:or)?d|pwd|passphrase)[\"']?\s*[:=]\s*[\"']?[^\s\"'<>{}]{8,})"
        r"|(?i:(?<!\w)token[\"']?\s*[:=]\s*[\"'](?=[\w-]*\d)[\w-]{16,}|\bbearer\s(?=[\w.~+/-]*\d)[\w.~+/-]{16,})"
        r"|://[^\s/:@]+:[^\s/@]+@"
    ),
}
_IN_TEXT: Mapping[TraceKind, re.Pattern[str]] = {
    TraceKind.PATH: re.compile(rf"{_HOME}|{_PATH}"),
    TraceKind.PERSON: re.compile(
        r"(?<![^\W\d_])[^\W\d_]{2,}\^[^\W\d_]+|[\u3400-\u9fff\uac00-\ud7af]\^[^\W\d_]"  # as DICOM writes names
        r"|(?i:\b(?:patient[ _'-]?s?[ _-]?(?:name|id|no|nr|number|birth[ _-]?date)|pat[_-](?:id|name|no)|mrn|dob"
        rf"|date of birth|accession[ _-]?(?:number|no)){_SAID}|\bpatient (?:no|nr)\.? ?\d)"
        rf"|(?:姓名|住院号|病历号|门诊号|身份证号?|出生日期|(?:患者|病人|受检者)(?i: ?ID|编?号)){_SAID}"
        r"|(?<![\d.])[1-9]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?!\d)"  # of citizens
    ),
}
_ESCAPED = re.compile(r"(?<!\\)\\(?:/|u([0-9A-Fa-f]{4}))")
_HOME_ONLY = {TraceKind.PATH: re.compile(_HOME)}


def text_of(path: Path) -> str | None:
    """The text of a file, of a weight file its header's own remarks; None where it holds no text."""
    if path.suffix == _WEIGHTS:
        return _remarks(path)
    with path.open("rb") as file:
        if b"\0" in file.read(_PEEKED):  # weights of other formats may be larger than memory
            return None
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def files_of(folder: Path) -> list[Path]:
    """Every file that would be handed on, by its path in the folder; the hub's client leaves the same ones out."""
    return _handed_on(folder, Path.is_file)


def links_of(folder: Path) -> list[Path]:
    """Links to a folder, to nothing, or by an absolute path: they may tell of a machine, and lead past the search."""
    return _handed_on(folder, lambda one: one.is_symlink() and (one.readlink().is_absolute() or not one.is_file()))


def _handed_on(folder: Path, wanted: Callable[[Path], bool]) -> list[Path]:
    inside = sorted(path.relative_to(folder) for path in folder.rglob("*") if wanted(path))
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
    for number, written in enumerate(re.split(r"\r?\n|\r", text), 1):  # as editors count; vocabularies hold other ends
        line = _unescaped(written)
        found += [
            Trace(kind, file, number, _column(written, match.start()))
            for kind, pattern in patterns.items()
            if (match := pattern.search(line)) is not None
        ]
        if is_prose:
            places = [at for at, word in _words(line) if is_image(word)]
            found += [Trace(TraceKind.IMAGE, file, number, _column(written, at)) for at in places[:1]]
    return found


def _unescaped(line: str) -> str:
    """The line as JSON means it: strokes and letters that are not English may be written as escapes."""
    if "\\" not in line:
        return line
    return _ESCAPED.sub(lambda match: "/" if match[1] is None else chr(int(match[1], 16)), line)


def _column(written: str, at: int) -> int:
    """The column, from 1, in a line as it is written, of a place in the unescaped one."""
    for match in _ESCAPED.finditer(written):
        if match.start() >= at:
            break
        at += len(match.group()) - 1
    return at + 1


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
        if length > _LONGEST_HEADER:
            return None
        try:
            header = json.loads(file.read(length))
        except ValueError:
            return None
    return (
        json.dumps(header.get("__metadata__", {}), ensure_ascii=False, indent=1) if isinstance(header, dict) else None
    )
