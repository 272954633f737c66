"""One opened weight file: the tensors it lists, read one at a time from the mapped file."""

import ctypes
import errno
import json
import mmap
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, cast

import torch
from safetensors import SafetensorError, safe_open

from helpers.checkpoints.read.file_type import FileType, detect_file_type
from helpers.checkpoints.read.training_folder import CheckpointMeta, meta_from_entry
from helpers.checkpoints.read.unpickle import load_torch_file
from helpers.core.errors import RefusedInput

_POPULATE_READ = 22  # of madvise, since Linux 5.14
_UNREADABLE = frozenset({errno.EFAULT, errno.EIO, errno.ENOMEM})
# Pages of a mapped file count as resident once read. The mapping is made anew after this many bytes,
# so that reading a file of any size keeps about this much of it resident.
MAPPED_WINDOW_BYTES = 1 << 30

_SAFETENSORS_DTYPES: Mapping[str, torch.dtype] = MappingProxyType(
    {
        "BOOL": torch.bool,
        "U8": torch.uint8,
        "I8": torch.int8,
        "I16": torch.int16,
        "U16": torch.uint16,
        "I32": torch.int32,
        "U32": torch.uint32,
        "I64": torch.int64,
        "U64": torch.uint64,
        "F16": torch.float16,
        "BF16": torch.bfloat16,
        "F32": torch.float32,
        "F64": torch.float64,
        "F8_E4M3": torch.float8_e4m3fn,
        "F8_E5M2": torch.float8_e5m2,
    }
)


@dataclass(frozen=True)
class TensorInfo:
    """Name, shape and dtype of a stored tensor."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def parameters(self) -> int:
        """Number of values."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the tensor's values."""
        return self.parameters * self.dtype.itemsize


class WeightFile(Protocol):
    """A weight file of any format.

    `tensors` is ordered as stored. `ignored` gives the type of what is in the state dict and is no
    tensor; `other_entries` that of what lies beside the state dict.
    """

    path: Path
    meta: CheckpointMeta | None

    @property
    def tensors(self) -> Mapping[str, TensorInfo]: ...

    @property
    def ignored(self) -> Mapping[str, str]: ...

    @property
    def other_entries(self) -> Mapping[str, str]: ...

    def read(self, name: str) -> torch.Tensor: ...

    def close(self) -> None: ...


def open_weight_file(path: Path) -> WeightFile:
    """Open a weight file by its content. Raises RefusedInput, naming the file, when it cannot be read."""
    if detect_file_type(path) is FileType.SAFETENSORS:
        return SafetensorsFile(path)
    return TorchFile(path)


class _Window:
    """Watches how much was read through a mapping, and that the file is still the one first opened."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity = self._stat()
        self._read_bytes = 0

    @property
    def nbytes(self) -> int:
        """Size of the file when it was first opened."""
        return self._identity[0]

    def _stat(self) -> tuple[int, int]:
        found = self._path.stat()
        return found.st_size, found.st_mtime_ns

    def is_used_up(self, next_bytes: int) -> bool:
        """Count the next read; True when the mapping should be made anew before it."""
        used_up = self._read_bytes > 0 and self._read_bytes + next_bytes > MAPPED_WINDOW_BYTES
        self._read_bytes = next_bytes if used_up else self._read_bytes + next_bytes
        return used_up

    def check_unchanged(self) -> None:
        if not self._path.is_file() or self._stat() != self._identity:
            raise RefusedInput(f"{self._path} changed while it was being read. Run again when it is complete.")


class TorchFile:
    """A file written by torch.save.

    `location` names the entry that holds the state dict ('state_dict' or 'model'); None when the
    file's dict itself is the state dict. `other_entries` gives the types of the entries beside it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mapped = detect_file_type(path) is FileType.TORCH_ZIP
        self._window = _Window(path)
        content = load_torch_file(path)
        self.location, state = _state_dict(content)
        tensors = _plain_tensors(state)
        beside = {} if self.location is None else {key: content[key] for key in content if key != self.location}
        meta = beside.get("meta") if self.location == "state_dict" else None
        self.tensors = MappingProxyType({name: _info(name, tensor) for name, tensor in tensors.items()})
        self.ignored = MappingProxyType({str(key): _describe(state[key]) for key in state if key not in tensors})
        self.meta = meta_from_entry(meta) if isinstance(meta, dict) else None
        self.other_entries = MappingProxyType({str(key): _describe(value) for key, value in beside.items()})
        self._loaded: dict[str, torch.Tensor] | None = tensors

    def read(self, name: str) -> torch.Tensor:
        """The tensor as stored. Its values are pages of the file as long as nobody writes into them.

        Raises RefusedInput when the file has no such tensor, changed since it was opened, or went away.
        """
        info = _known(self.path, self.tensors, name)
        if self._mapped and self._window.is_used_up(info.nbytes):
            self._loaded = None
        if self._loaded is None:
            self._window.check_unchanged()
            self._loaded = _plain_tensors(_state_dict(load_torch_file(self.path))[1])
        if self._mapped:
            bring_in(self._loaded[name], self.path)
        return self._loaded[name]

    def close(self) -> None:
        """Let go of the mapping; a later read maps the file again."""
        self._loaded = None


class SafetensorsFile:
    """A safetensors file, mapped on the first read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._window = _Window(path)
        self._mapped: torch.Tensor | None = None
        self.ignored: Mapping[str, str] = MappingProxyType({})
        self.other_entries: Mapping[str, str] = MappingProxyType({})
        self.meta: CheckpointMeta | None = None
        infos, self._places = _safetensors_header(path)
        self.tensors = MappingProxyType(infos)

    def read(self, name: str) -> torch.Tensor:
        """The tensor as stored, mapped. Raises RefusedInput when it is missing, or the file changed or went away."""
        info = _known(self.path, self.tensors, name)
        if self._window.is_used_up(info.nbytes):
            self._mapped = None
        if self._mapped is None:
            self._window.check_unchanged()
            self._mapped = map_bytes(self.path, self._window.nbytes)
        start, stop = self._places[name]
        data = self._mapped[start:stop]
        bring_in(data, self.path)
        if start % info.dtype.itemsize:
            data = data.clone()  # a view needs whole steps from the file's beginning
        return data.view(info.dtype).reshape(info.shape)

    def close(self) -> None:
        """Let go of the mapping; a later read maps the file again."""
        self._mapped = None


def _known(path: Path, tensors: Mapping[str, TensorInfo], name: str) -> TensorInfo:
    if name not in tensors:
        raise RefusedInput(f"{path} has no tensor {name!r} among its {len(tensors)}. Check that it is the right file.")
    return tensors[name]


def _state_dict(content: dict[object, object]) -> tuple[str | None, dict[object, object]]:
    """The name of the entry that holds the state dict, None where the content is it, and the state dict."""
    for entry in ("state_dict", "model"):
        state = content.get(entry)
        if isinstance(state, dict):
            return entry, state
    return None, content


def _plain_tensors(state: dict[object, object]) -> dict[str, torch.Tensor]:
    return {
        name: value.detach()
        for name, value in state.items()
        if isinstance(name, str) and isinstance(value, torch.Tensor) and value.layout is torch.strided
    }


def _info(name: str, tensor: torch.Tensor) -> TensorInfo:
    return TensorInfo(name, tuple(tensor.shape), tensor.dtype)


def _describe(value: object) -> str:
    if isinstance(value, torch.Tensor):
        return f"Tensor ({value.layout})"
    return type(value).__name__


def _safetensors_header(path: Path) -> tuple[dict[str, TensorInfo], dict[str, tuple[int, int]]]:
    """The tensors in the order of their data, and where in the file each begins and ends; no data is read."""
    infos: dict[str, TensorInfo] = {}
    places: dict[str, tuple[int, int]] = {}
    try:
        with safe_open(str(path), framework="pt", device="cpu") as handle, path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length))  # was checked when the file was opened
            header.pop("__metadata__", None)
            for name in sorted(header, key=lambda one: header[one]["data_offsets"]):
                part = handle.get_slice(name)
                dtype = _SAFETENSORS_DTYPES.get(part.get_dtype())
                if dtype is None:
                    raise RefusedInput(f"{path}: tensor {name!r} has dtype {part.get_dtype()}, which is not read.")
                infos[name] = TensorInfo(name, tuple(part.get_shape()), dtype)
                start, stop = header[name]["data_offsets"]
                places[name] = (8 + length + start, 8 + length + stop)
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise RefusedInput(
            f"{path} is a truncated or damaged safetensors file ({error}). "
            "Copy or download it again and compare the size."
        ) from error
    return infos, places


def bring_in(tensor: torch.Tensor, path: Path) -> None:
    """Read the pages behind a tensor that is mapped from a file. Does nothing where the system cannot be asked.

    Raises:
        RefusedInput: naming the file, where they cannot be read.
    """
    if sys.platform != "linux" or not tensor.numel():
        return
    start = tensor.data_ptr() // mmap.PAGESIZE * mmap.PAGESIZE
    length = tensor.data_ptr() + tensor.numel() * tensor.itemsize - start
    libc = ctypes.CDLL(None, use_errno=True)
    while libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), _POPULATE_READ):
        number = ctypes.get_errno()
        if number in _UNREADABLE:
            raise RefusedInput(
                f"{path} cannot be read any more: its disk or network drive failed, or the file was cut. Check that it "
                "is there and whole, then run again."
            )
        if number not in (errno.EINTR, errno.EAGAIN):
            return  # an older kernel


def map_bytes(path: Path, nbytes: int) -> torch.Tensor:
    """The first bytes of a file, uint8 (nbytes,), mapped: no page is read before it is used."""
    storage = cast(torch.UntypedStorage, torch.UntypedStorage.from_file(str(path), False, nbytes))
    return torch.empty(0, dtype=torch.uint8).set_(storage)
