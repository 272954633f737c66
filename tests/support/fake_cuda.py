"""Stands for CUDA graphs and streams where there is no GPU: functions run at once, and captures are counted."""

from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch


class FakeCuda:
    """Counts what was captured and replayed.

    Attributes:
        captured, replays: how many.
        refuses: the error of every capture; None where they work.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.captured = self.replays = 0
        self.refuses: Exception | None = None
        counting = self

        class Graph:
            def replay(self) -> None:
                counting.replays += 1

        class Stream:
            def __init__(self, *given: Any, **options: Any):
                pass

            def wait_stream(self, other: Any) -> None:
                pass

            def wait_event(self, event: Any) -> None:
                pass

            def record_event(self) -> None:
                pass

        class Event:
            def record(self) -> None:
                pass

        @contextmanager
        def capturing(graph, pool, stream, capture_error_mode):
            if counting.refuses is not None:
                raise counting.refuses
            counting.captured += 1
            yield

        for name, value in {
            "CUDAGraph": Graph,
            "Event": Event,
            "Stream": Stream,
            "current_stream": Stream,
            "device": lambda device: nullcontext(),
            "graph": capturing,
            "graph_pool_handle": lambda: None,
            "stream": lambda stream: nullcontext(),
        }.items():
            monkeypatch.setattr(torch.cuda, name, value)
