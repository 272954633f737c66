"""Times and memory on a device."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import psutil
import torch


@dataclass(frozen=True)
class Latency:
    """Seconds of one call.

    Attributes:
        p50, p95, least: of all calls that were counted.
        calls: how many.
    """

    p50: float
    p95: float
    least: float
    calls: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Latency":
        """Of the seconds of at least one call."""
        p50, p95 = np.percentile(seconds, [50, 95])
        return cls(float(p50), float(p95), min(seconds), len(seconds))

    def to_dict(self) -> dict[str, Any]:
        """A JSON object."""
        return asdict(self)


def synchronize(device: torch.device) -> None:
    """Wait for what was launched."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(call: Callable[[], Any], device: torch.device) -> float:
    """How long a call takes until the device is done."""
    synchronize(device)
    start = time.perf_counter()
    call()
    synchronize(device)
    return time.perf_counter() - start


def interleaved(calls: dict[str, Callable[[], Any]], device: torch.device, times: int) -> dict[str, Latency]:
    """Latencies of several ways of the same, which take turns, so that what disturbs one disturbs all.

    Each is called twice before, which is not counted.
    """
    for call in calls.values():
        for _ in range(2):
            call()
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(times):
        for name, call in calls.items():
            found[name].append(seconds_of(call, device))
    return {name: Latency.of(seconds) for name, seconds in found.items()}


@contextmanager
def timed_methods(owner: Any, names: Sequence[str], device: torch.device | None = None) -> Iterator[dict[str, float]]:
    """Add up the seconds that an object's methods take within the block.

    Args:
        device: waited for before and after each, which slows the whole a little; None for the thread's own time.
    """
    spent = dict.fromkeys(names, 0.0)

    def wait() -> None:
        if device is not None:
            synchronize(device)

    def timed(name: str, method: Callable) -> Callable:
        def call(*arguments: Any, **options: Any) -> Any:
            wait()
            start = time.perf_counter()
            result = method(*arguments, **options)
            wait()
            spent[name] += time.perf_counter() - start
            return result

        return call

    with ExitStack() as stack:
        for name in names:
            setattr(owner, name, timed(name, getattr(owner, name)))
            stack.callback(delattr, owner, name)
        yield spent


def matmul_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of a large matrix product, the best of several: the most that is reached in practice."""
    side = 8192 if device.type == "cuda" else 1024
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    product = torch.empty_like(left)
    seconds = [seconds_of(lambda: torch.mm(left, right, out=product), device) for _ in range(12)]
    return 2 * side**3 / min(seconds[2:])


def reset_peak(device: torch.device) -> None:
    """Begin to watch the memory anew; on a processor nothing can be reset."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak_bytes(device: torch.device) -> int:
    """Most bytes of tensors since `reset_peak`; on a processor, the resident size of this process now."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return psutil.Process().memory_info().rss
