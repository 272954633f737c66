"""What a weight file or a model folder is, told from its first bytes and names, and why it is refused if it is none."""

import re
import zipfile
from enum import Enum
from pathlib import Path

from helpers.core.errors import RefusedInput
from helpers.core.shown_text import counted

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
_CACHED = "models--"
_UNIVERSAL = "latest_universal"
_SHOWN = 5
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


def is_adapter_folder(folder: Path) -> bool:
    """Whether a folder holds an adapter as peft saves it, and no whole model beside."""
    wholes = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
    return (folder / ADAPTER_CONFIG).is_file() and not any((folder / name).exists() for name in wholes)


def adapter_weights(folder: Path) -> Path:
    """The weight file of an adapter folder.

    Raises:
        RefusedInput: where there is none, or more than one.
    """
    found = [folder / name for name in ADAPTER_WEIGHTS if (folder / name).exists()]
    if len(found) != 1:
        got = " and ".join(path.name for path in found) or "none of them"
        raise RefusedInput(
            f"{folder} is the folder of a peft adapter ({ADAPTER_CONFIG}); expected one of "
            f"{' or '.join(ADAPTER_WEIGHTS)} in it, found {got}. Copy the folder as peft saved it."
        )
    return found[0]


def refuse_cache_folder(path: Path) -> None:
    """Raise RefusedInput for a folder of HuggingFace's download cache, with the folder in it that holds the model."""
    for folder in (path, path.parent):
        snapshots = folder / "snapshots"
        if snapshots.is_dir() and (folder.name.startswith(_CACHED) or (folder / "blobs").is_dir()):
            if path in (folder, snapshots, folder / "blobs", folder / "refs"):
                raise RefusedInput(
                    f"{path} belongs to HuggingFace's download cache, which keeps each version of a model in a folder "
                    f"of its own. {_which(folder)}"
                )
            return
    models = sorted(one.name for one in path.glob(f"{_CACHED}*") if (one / "snapshots").is_dir())
    if models:
        shown = ", ".join(models[:_SHOWN]) + (", ..." if len(models) > _SHOWN else "")
        raise RefusedInput(
            f"{path} is HuggingFace's download cache, with {counted(len(models), 'model')} ({shown}). Give the "
            f"snapshot of one, such as {path / models[0] / 'snapshots'}/..."
        )


def refuse_universal(path: Path) -> None:
    """Raise RefusedInput for a DeepSpeed universal checkpoint: its folder, the one around it, or a file in it."""
    folders = (path, *path.parents[:3]) if path.is_file() else (path,)
    for folder in folders:
        if any((folder / "zero").glob("*/fp32.pt")) or ((folder / _UNIVERSAL).is_file() and path.is_dir()):
            raise RefusedInput(
                f"{path} belongs to a DeepSpeed universal checkpoint, which keeps each parameter in a file of its own "
                "(zero/NAME/fp32.pt) and is not read. Give the checkpoint that it was made from: consolidate that one "
                "in the training environment with zero_to_fp32.py, and give the resulting pytorch_model.bin."
            )


def refuse_adapters_within(path: Path) -> None:
    """Raise RefusedInput for a folder without a model that holds adapters, or one without its settings."""
    if any((path / name).exists() for name in ADAPTER_WEIGHTS):
        raise RefusedInput(
            f"{path} holds the LoRA of a peft adapter, but {ADAPTER_CONFIG} is missing, which names its alpha. Copy it "
            "too."
        )
    found = sorted(one.parent for one in path.glob(f"*/{ADAPTER_CONFIG}"))
    if found:
        raise RefusedInput(
            f"{path} holds no model but {len(found)} adapters ({', '.join(one.name for one in found[:_SHOWN])}). An "
            f"adapter is read as the LoRA of one checkpoint: give the iter_N.pth that it was made from, or {found[0]}."
        )


def _which(cached: Path) -> str:
    """What to give of a cached model: the version that `main` names, else any."""
    snapshots = sorted(one for one in (cached / "snapshots").iterdir() if one.is_dir())
    if not snapshots:
        return "It holds no version: the download did not finish. Download the model again."
    main = cached / "refs" / "main"
    named = cached / "snapshots" / main.read_text("utf-8").strip() if main.is_file() else None
    others = [one for one in snapshots if one != named]
    if named in snapshots:
        rest = f" (others: {', '.join(one.name for one in others[:_SHOWN])})" if others else ""
        return f"Give {named}, the one named main{rest}."
    if len(others) == 1:
        return f"Give {others[0]}."
    return f"Give one of {', '.join(str(one) for one in others[:_SHOWN])}."
