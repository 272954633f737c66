"""Pages of a mapped file: brought into memory while an error can still be told.

Where a page cannot be read at the moment it is touched, as on a network drive that went away or in a file that was cut
meanwhile, the system ends the process with a signal, and nobody learns why. Linux can be asked to read pages before.
"""

import ctypes
import errno
import mmap
import sys
from pathlib import Path

import torch

from helpers.errors import RefusedInput

_POPULATE_READ = 22  # of madvise, since Linux 5.14
_UNREADABLE = frozenset({errno.EFAULT, errno.EIO, errno.ENOMEM})


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
    storage = torch.UntypedStorage.from_file(str(path), False, nbytes)
    return torch.empty(0, dtype=torch.uint8).set_(storage)
