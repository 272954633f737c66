"""What a weight file is, told from its first bytes, and why it is refused when it is none."""

import re
import zipfile
from enum import Enum
from pathlib import Path

from helpers.errors import RefusedInput

_HEAD_BYTES = 1024
_ZIP_START = b"PK\x03\x04"
_PICKLE_START = b"\x80"
_POINTER = re.compile(rb"\Aversion \S*git-lfs\S*\s")
_POINTER_SIZE = re.compile(rb"^size (\d+)\s*$", re.MULTILINE)
_PRINTABLE = frozenset(range(0x20, 0x7F)) | frozenset(b"\t\n\r\f") | frozenset(range(0x80, 0x100))


class FileType(Enum):
    """The weight file formats that are read."""

    TORCH_ZIP = "torch zip file"
    TORCH_LEGACY = "legacy torch file"
    SAFETENSORS = "safetensors file"


def detect_file_type(path: Path) -> FileType:
    """Tell the format of a weight file from its content; its suffix is not trusted.

    Raises RefusedInput, naming the file, for one that is missing, empty, truncated, a pointer
    left by a large-file store, a text file, or of no known format.
    """
    head, size = _read_head(path)
    if size == 0:
        raise RefusedInput(f"{path} is empty (0 bytes). Expected model weights: copy or download the file again.")
    if _POINTER.match(head):
        raise RefusedInput(_pointer_message(path, head, size))
    if head.startswith(_ZIP_START):
        _check_zip(path, size)
        return FileType.TORCH_ZIP
    if _looks_like_safetensors(head):
        return FileType.SAFETENSORS
    if head.startswith(_PICKLE_START):
        return FileType.TORCH_LEGACY
    raise RefusedInput(_unknown_message(path, head, size))


def _read_head(path: Path) -> tuple[bytes, int]:
    if not path.exists():
        raise RefusedInput(f"{path} does not exist. Give the path of a checkpoint file or folder.")
    if not path.is_file():
        raise RefusedInput(f"{path} is not a regular file. Give the path of a checkpoint file.")
    try:
        with path.open("rb") as stream:
            return stream.read(_HEAD_BYTES), path.stat().st_size
    except OSError as error:
        raise RefusedInput(f"{path} cannot be read: {error.strerror}. Check its permissions.") from error


def _looks_like_safetensors(head: bytes) -> bool:
    return len(head) > 8 and head[8:9] == b"{" and not all(byte in _PRINTABLE for byte in head[:8])


def _check_zip(path: Path, size: int) -> None:
    """Refuse a zip without its end (a cut copy), and one with compressed entries (it cannot be mapped)."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise RefusedInput(
            f"{path} is truncated or damaged: it starts as a torch checkpoint but its directory, at the end of the "
            f"file, cannot be read ({size:,} bytes; {error}). Copy or download it again and compare the size."
        ) from error
    if not any(entry.filename.endswith("/data.pkl") for entry in entries):
        raise RefusedInput(f"{path} is a zip archive but not one written by torch.save. Give the checkpoint itself.")
    packed = [entry.filename for entry in entries if entry.compress_type != zipfile.ZIP_STORED]
    if packed:
        raise RefusedInput(
            f"{path} holds compressed entries ({packed[0]}), which torch.save never writes. It was repacked or "
            "tampered with: use the original file."
        )


def _pointer_message(path: Path, head: bytes, size: int) -> str:
    found = _POINTER_SIZE.search(head)
    real = f"the real file has {int(found.group(1)):,} bytes" if found else "the real file is elsewhere"
    return (
        f"{path} is a git-lfs pointer of {size} bytes, not the weights ({real}). "
        "Run 'git lfs pull' in its repository, or download the file itself."
    )


def _unknown_message(path: Path, head: bytes, size: int) -> str:
    if all(byte in _PRINTABLE for byte in head):
        first = head.decode("utf-8", "replace").strip().splitlines()
        shown = first[0][:60] if first else ""
        page = " (a web page, perhaps an error page saved in its place)" if shown.startswith("<") else ""
        return (
            f"{path} is a text file of {size:,} bytes{page}, beginning {shown!r}. "
            "Expected weights written by torch.save or safetensors: download the checkpoint itself."
        )
    return (
        f"{path} ({size:,} bytes) is neither a torch file nor a safetensors file: it begins with "
        f"{head[:8].hex(' ')}. It may be truncated or of another kind. Give a checkpoint written by torch.save or "
        "safetensors."
    )
