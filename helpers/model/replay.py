"""Functions of tensors replayed as CUDA graphs: at batch 1 their launches take longer than the computing.

Weights and kernels are those of the functions themselves; last bits may differ from those of single launches.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Generic, TypeVar

import torch
from transformers.utils import logging

logger = logging.get_logger(__name__)

Tensors = tuple[torch.Tensor, ...]
Function = Callable[..., Tensors]
Wrap = Callable[[Function], Function]  # makes a function a replayed one
Found = TypeVar("Found")

# Shapes of one function that get a graph; more would hold much memory, and capturing costs more than launching. What
# is remembered of a sequence has some 16 shapes, as it grows.
MOST_SHAPES = 24
_WARM_UP = 2
_MOST_COUNTED = 1024


@lru_cache
def _stream(device: torch.device, role: str, priority: int = 0) -> torch.cuda.Stream:
    """One stream for each role on a device: PyTorch hands out few, and then the same again."""
    return torch.cuda.Stream(device, priority=priority)


def copying_stream(device: torch.device) -> torch.cuda.Stream:
    """The stream on which results are brought to the processor."""
    return _stream(device, "copies")


class SideStream:
    """A second stream of a GPU, for what does not depend on what the first one computes meanwhile."""

    def __init__(self, device: torch.device):
        """Open the stream."""
        self._stream = _stream(device, "aside")

    @contextmanager
    def launching(self, *inputs: torch.Tensor, waits: bool = True) -> Iterator[None]:
        """Launch on the second stream within the block.

        Args:
            inputs: what the block reads of the first stream.
            waits: for the first stream, as far as it was launched: for inputs, and for weights that were just changed.
        """
        if waits:
            self._stream.wait_stream(torch.cuda.current_stream(self._stream.device))
        for tensor in inputs:
            tensor.record_stream(self._stream)
        with torch.cuda.stream(self._stream):
            yield

    def end(self) -> torch.cuda.Event:
        """The end of what was launched on the second stream so far."""
        return self._stream.record_event()

    def join(self, end: torch.cuda.Event, found: Iterable[torch.Tensor]) -> None:
        """Let the first stream wait for an end, and use what was found by then."""
        current = torch.cuda.current_stream(self._stream.device)
        current.wait_event(end)
        for tensor in found:
            tensor.record_stream(current)


class Ahead(Generic[Found]):
    """Something that is computed before it is asked for, beside all else where there is a second stream."""

    def __init__(
        self,
        aside: SideStream | None,
        work: Callable[[], Found],
        tensors_of: Callable[[Found], Iterable[torch.Tensor]],
        *inputs: torch.Tensor,
        waits: bool = True,
    ):
        """Begin.

        Args:
            aside: None computes it at once.
            work: computes it.
            tensors_of: all tensors of what it gives.
            inputs, waits: as of `SideStream.launching`; inputs on the processor count for nothing.
        """
        self._aside, self._tensors_of = aside, tensors_of
        if aside is None:
            self._found = work()
            return
        with aside.launching(*(tensor for tensor in inputs if tensor.is_cuda), waits=waits):
            self._found = work()
        self._end = aside.end()

    def found(self) -> Found:
        """What was computed, for what is launched from now on."""
        if self._aside is not None:
            self._aside.join(self._end, self._tensors_of(self._found))
        return self._found


class GraphPool:
    """What graphs of one device share: their memory, and that none runs beside another."""

    def __init__(self, device: torch.device, *, patience: int = 0, is_lenient: bool = False, is_urgent: bool = False):
        """Reserve a pool.

        Args:
            patience: calls of a shape that are launched one by one before it gets a graph.
            is_lenient: whether functions that cannot be captured, for want of memory or since they read values back,
                are launched one by one from then on, which is said once; else they raise.
            is_urgent: whether its kernels go before those of another pool, which runs beside it and would else keep
                all of the device to itself.
        """
        with torch.cuda.device(device):
            self.handle = torch.cuda.graph_pool_handle()
        # Captured kernels use the work space of the stream that they are captured on: pools that run side by side must
        # not share one.
        self.stream = _stream(device, "urgent graphs", -1) if is_urgent else _stream(device, "graphs")
        self.patience = patience
        self.is_lenient = is_lenient
        self.is_closed = False
        self.lock = threading.RLock()
        self.together: tuple[GraphPool, ...] = (self,)  # pools that are closed where one of them cannot be filled
        self._last: Any = None
        self._graphs: list[dict] = []

    def replayed(self, function: Function) -> "Replayed":
        """A function that neither reads values back nor keeps tensors, replayed."""
        made = Replayed(function, self)
        self._graphs.append(made.held)
        return made

    def wait(self) -> None:
        """Let what is launched next wait for the last replay, which may run on another stream."""
        if self._last is not None:
            torch.cuda.current_stream().wait_event(self._last)

    def mark(self) -> None:
        """Note that a replay and the copies of what it gave were launched."""
        if self._last is None:
            self._last = torch.cuda.Event()
        self._last.record()

    def close(self) -> None:
        """Drop all graphs and make no more: functions are launched from now on."""
        with self.lock:
            self.is_closed = True
            for held in self._graphs:
                held.clear()


class Replayed:
    """A function of tensors on a GPU, replayed as one CUDA graph for each set of shapes."""

    def __init__(self, function: Function, pool: GraphPool):
        """See `GraphPool.replayed`."""
        self._function = function
        self._pool = pool
        self._calls: Counter[tuple] = Counter()
        self.held: dict[tuple, tuple[torch.cuda.CUDAGraph, Tensors, Tensors]] = {}

    def __call__(self, *tensors: torch.Tensor) -> Tensors:
        """What the function gives for tensors of any shapes, in tensors of its own."""
        shapes = tuple((tensor.shape, tensor.dtype) for tensor in tensors)
        pool = self._pool
        if shapes not in self.held and not self._is_due(shapes):
            return self._function(*tensors)
        with pool.lock, torch.cuda.device(tensors[0].device):
            pool.wait()
            if pool.is_closed:
                return self._function(*tensors)
            if shapes not in self.held:
                try:
                    self.held[shapes] = self._capture(tensors)
                except RuntimeError as error:
                    if not pool.is_lenient:
                        raise
                    for one in pool.together:
                        one.close()
                    logger.warning(
                        "CUDA graphs: this model cannot be captured and runs without them "
                        f"({str(error).splitlines()[0]})"
                    )
                    return self._function(*tensors)
            graph, inputs, outputs = self.held[shapes]
            for own, given in zip(inputs, tensors, strict=True):
                own.copy_(given)
            graph.replay()
            # The next replay writes to the same places.
            found = tuple(output.clone() for output in outputs)
            pool.mark()
            return found

    def _is_due(self, shapes: tuple) -> bool:
        """Count a call of shapes without a graph; whether they get one now."""
        if self._pool.is_closed or len(self.held) >= MOST_SHAPES:
            return False
        if len(self._calls) >= _MOST_COUNTED:
            self._calls.clear()
        self._calls[shapes] += 1
        return self._calls[shapes] > self._pool.patience

    def _capture(self, tensors: Tensors) -> tuple[torch.cuda.CUDAGraph, Tensors, Tensors]:
        inputs = tuple(tensor.clone() for tensor in tensors)
        stream = self._pool.stream
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # libraries choose their kernels and work space in the first calls
            for _ in range(_WARM_UP):
                self._function(*inputs)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # The thread that gathers the next batch uses the device meanwhile.
        with torch.cuda.graph(graph, self._pool.handle, stream, capture_error_mode="thread_local"):
            outputs = self._function(*inputs)
        return graph, inputs, outputs
