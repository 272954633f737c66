"""Take file names, paths and widgets out of an executed notebook, since they can carry patients' names and frames.

Parameters that are paths become `<name of the parameter>`. In what a failed notebook printed, and in its error, paths
and names of data files become `<path>` and `<file>`; the kit's words about an input are left out whole. What lies in
`outputs`, or belongs to the demo, was named by the kit and stays.

Widgets live in a running kernel. What a notebook stores of them is their state, which no reader sees whole: that of
closed and hidden ones is there too, with whatever pixels and texts it had. None of it is kept; what a notebook is to
show without a kernel, it shows as a picture, a table or text.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from papermill.translators import PythonTranslator

from helpers.core import paths
from helpers.notebook.demo_inputs import is_demo_input
from helpers.notebook.parameters import INJECTED_TAG, placeholder, texts_in

WITHHELD = "not kept here, since it may name a file; it was shown where this notebook was started"

_OF_WIDGETS = {"application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json"}
_OUR_OWN_NAMES = ("project", "name")  # parameters that name results, never files of the user
_ABOUT_FILES = re.compile(
    r"UsageProblem|RefusedInput|UnreadableImage|UnidentifiedImageError|OSError|IOError|\w*File\w*Error"
)
_STOPS = r"\n\r\"'`<>|:;=\x1b"
_PATH = re.compile(rf"(?:(?<=^)|(?<=[\s(\[{{,{_STOPS}]))(?:~?/|file:/+|[A-Za-z]:[\\/]|\.\./|\\\\)[^\s/][^{_STOPS}]*")
_QUOTED = re.compile(r"""(['"])(?!(?:helpers|notebooks|outputs|scripts|tests)/)[^'"\n]*/[^'"\n]*\1""")
_SUFFIXES = (
    "png jpe?g tiff? bmp gif p[bgnp]m ppm dcm dicom ima mp4 avi mov mkv webm mpe?g npy npz csv json jsonl ya?ml xml "
    "txt key pth pt safetensors nii gz zip"
)
_FILE = re.compile(rf"[^{_STOPS}]*\.(?:{'|'.join(_SUFFIXES.split())})\b", re.IGNORECASE)
_CODE = re.compile(r"lib/python[\d.]+/(.+)")
_LEAST_LETTERS = 4


@dataclass(frozen=True)
class _Known:
    """A path among the parameters: the texts by which it may be met, and what stands for them."""

    texts: tuple[str, ...]
    placeholder: str

    @property
    def whole(self) -> tuple[str, ...]:
        """Those of the texts that are more than a last name, which could be any word."""
        return tuple(text for text in self.texts if re.search(r"[/\\]", text))


def scrub(node: NotebookNode, *, failed: bool) -> None:
    """Scrub an executed notebook in place: papermill's record, the injected cell, what was printed, the error, widgets.

    Args:
        failed: take all paths and names of data files out of what was printed; a notebook that ended well printed
            results, of which only the paths among the parameters are taken out, as of what cells displayed.
    """
    record = node.metadata.get("papermill", {})
    known = [_known(name, text) for name, text in _path_texts(record.get("parameters", {}))]
    record["parameters"] = {name: _without(value, name, known) for name, value in record.get("parameters", {}).items()}
    in_html = [_Known(tuple(map(escape, one.texts)), escape(one.placeholder)) for one in known]
    node.metadata.pop("widgets", None)
    for cell in node.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if _outlives_kernel(output)]
        if INJECTED_TAG in cell.metadata.get("tags", []):
            for found in known:
                for text in found.texts[:1]:
                    literals = map(PythonTranslator.translate_str, (text, found.placeholder))
                    cell.source = cell.source.replace(*literals)
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                output.text = scrubbed(output.text, known) if failed else _without_whole(output.text, known)
            elif output.output_type == "error":
                _scrub_error(output, known)
            else:
                for kind, words in (("text/plain", known), ("text/markdown", known), ("text/html", in_html)):
                    if kind in output.data:
                        output.data[kind] = _without_whole(output.data[kind], words)
                for told in output.metadata.values():
                    if isinstance(told, dict) and "alt" in told:
                        told["alt"] = _without_whole(told["alt"], known)


def _outlives_kernel(output: NotebookNode) -> bool:
    """Whether an output shows something without a widget; what it has of one is taken out of it."""
    data = output.get("data", {})
    if not _OF_WIDGETS & data.keys():
        return True
    for kind in (*_OF_WIDGETS, "text/plain"):  # the latter stands in for it
        data.pop(kind, None)
    return bool(data)


def scrubbed(text: str, known: list[_Known]) -> str:
    """A printed text without the known paths, without other paths and without names of data files."""
    for found in known:
        text = _replaced(text, found, found.texts)
    text = _QUOTED.sub(r"\1<path>\1", _PATH.sub(_shown_path, text))
    return _FILE.sub(_shown_file, text)


def _without_whole(text: str, known: list[_Known]) -> str:
    for found in known:
        text = _replaced(text, found, found.whole)
    # Where the project lies is nobody's concern; a path in it is told from its root.
    return text.replace(f"{paths.project_root()}{os.sep}", "")


def _replaced(text: str, found: _Known, wanted: tuple[str, ...]) -> str:
    for one in wanted:
        text = re.sub(rf"(?<!\w){re.escape(one)}(?!\w)", found.placeholder, text)
    return text


def _scrub_error(output: NotebookNode, known: list[_Known]) -> None:
    told = "\n".join(output.traceback)
    if _ABOUT_FILES.search(f"{output.ename}\n{told}"):
        output.evalue = WITHHELD
        output.traceback = [f"{output.ename}: {WITHHELD}"]
        return
    output.evalue = scrubbed(output.evalue, known)
    output.traceback = [scrubbed(part, known) for part in output.traceback]


def _path_texts(parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(parameter, text) of every text among the values that is a path of the user, at any depth."""
    for name, value in parameters.items():
        if name not in _OUR_OWN_NAMES:
            yield from ((name, text) for text in texts_in(value) if is_users_path(text))


def is_users_path(text: str) -> bool:
    """Whether a text is taken for a path of the user: absolute, existing, or with a separator and no blanks.

    What lies in `outputs` is not one, nor are the demo's files.
    """
    if not text or _in_outputs(text) or is_demo_input(Path(text)):
        return False
    if os.path.isabs(text) or text.startswith("~"):
        return True
    separated = re.search(r"[/\\]", text) is not None
    if separated and not re.search(r"\s", text):
        return True
    try:
        return paths.resolve(text).exists()
    except (OSError, ValueError):  # a prompt that is too long for a name
        return False


def _in_outputs(text: str) -> bool:
    return Path(os.path.normpath(paths.resolve(text))).is_relative_to(paths.project_root() / "outputs")


def _known(name: str, text: str) -> _Known:
    """As given, absolute, and its last name, which notebooks show for paths outside the project."""
    resolved = paths.resolve(text)
    texts = [text, str(resolved)]
    if len(resolved.name) >= _LEAST_LETTERS:
        texts.append(resolved.name)
    return _Known(tuple(dict.fromkeys(texts)), placeholder(name))


def _without(value: Any, name: str, known: list[_Known]) -> Any:
    """The value of a parameter, or of an item of it, with a placeholder for a path."""
    if isinstance(value, list):
        return [_without(item, name, known) for item in value]
    if isinstance(value, dict):
        return {key: _without(item, name, known) for key, item in value.items()}
    found = placeholder(name)
    return found if any(one.placeholder == found and value == one.texts[0] for one in known) else value


def _shown_path(found: re.Match) -> str:
    """A path of the project or of installed code from there; `<path>` for any other."""
    path = found[0]
    code = _CODE.search(path)
    if code:
        return code[1]
    root = f"{paths.project_root()}/"
    inside = path.removeprefix(root)
    if inside != path and inside.startswith(("helpers/", "notebooks/", "outputs/", "scripts/", "tests/")):
        return inside
    return "<path>"


def _shown_file(found: re.Match) -> str:
    """`<file>`, unless the name is that of a result; blanks before it stay."""
    text = found[0]
    blanks = text[: len(text) - len(text.lstrip())]
    return text if text.lstrip().startswith("outputs/") else f"{blanks}<file>"
