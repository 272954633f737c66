"""Masks of a sequence brought from a GPU to the processor piece by piece, while the next ones are computed."""

from collections import deque
from dataclasses import dataclass

import torch

from .replay import copying_stream

_WAITING = 2  # pieces that may be on their way


@dataclass(frozen=True)
class _Piece:
    """Pinned copies of some frames' logits and masks, which are there at an event."""

    frames: slice
    logits: torch.Tensor
    masks: torch.Tensor
    there: torch.cuda.Event


class Readback:
    """Logits and masks of all frames of a sequence, on the processor.

    Attributes:
        logits: (S, n, H, W) float32; complete after `finish`.
        masks: bool of the same shape, sigmoid > 0.5 of the logits.
    """

    def __init__(self, shape: tuple[int, int, int, int], device: torch.device):
        """Make room for S objects on n frames of H x W."""
        self.logits = torch.empty(shape)
        self.masks = torch.empty(shape, dtype=torch.bool)
        self._is_finite = torch.ones((), dtype=torch.bool, device=device)
        self._stream = copying_stream(device) if device.type == "cuda" else None
        self._waiting: deque[_Piece] = deque()

    def put(self, first: int, logits: torch.Tensor) -> None:
        """Bring the logits (S, k, H, W) of k frames, from the one with this number on."""
        frames = slice(first, first + logits.shape[1])
        masks = logits.sigmoid() > 0.5
        self._is_finite &= logits.isfinite().all()
        if self._stream is None:
            self.logits[:, frames], self.masks[:, frames] = logits, masks
            return
        self._stream.wait_stream(torch.cuda.current_stream(logits.device))
        copies = [torch.empty(one.shape, dtype=one.dtype, pin_memory=True) for one in (logits, masks)]
        with torch.cuda.stream(self._stream):
            for copy, one in zip(copies, (logits, masks), strict=True):
                copy.copy_(one, non_blocking=True)
                one.record_stream(self._stream)
        self._waiting.append(_Piece(frames, copies[0], copies[1], self._stream.record_event()))
        while len(self._waiting) > _WAITING:
            self._land()

    def finish(self) -> bool:
        """Wait for what is on its way. Returns whether all logits are finite."""
        while self._waiting:
            self._land()
        return bool(self._is_finite)

    def _land(self) -> None:
        piece = self._waiting.popleft()
        piece.there.synchronize()
        self.logits[:, piece.frames], self.masks[:, piece.frames] = piece.logits, piece.masks
