"""When a function gets a graph, for which shapes, and what happens where it cannot have one."""

import pytest
import torch

from helpers.model import replay
from helpers.model.replay import MOST_SHAPES, GraphPool
from tests.support.fake_cuda import FakeCuda

CPU = torch.device("cpu")


@pytest.fixture
def cuda(monkeypatch):
    return FakeCuda(monkeypatch)


class Doubled:
    """A function that knows how often it was called with each length."""

    def __init__(self):
        self.lengths = []

    def __call__(self, values):
        self.lengths.append(len(values))
        return (2 * values,)


def test_a_graph_for_each_shape(cuda):
    double = Doubled()
    replayed = GraphPool(CPU).replayed(double)
    for length in (*range(1, MOST_SHAPES + 1), 1, 2, MOST_SHAPES + 1, MOST_SHAPES + 1):
        (found,) = replayed(torch.ones(length))
        assert found.shape == (length,)
    assert cuda.captured == MOST_SHAPES and cuda.replays == MOST_SHAPES + 2
    assert double.lengths[-2:] == [MOST_SHAPES + 1] * 2  # beyond, the function itself
    assert double.lengths.count(1) == double.lengths.count(2) == 3  # warmed up twice, and captured


def test_the_third_call_of_a_shape_is_captured_where_two_are_waited_for(cuda):
    replayed = GraphPool(CPU, patience=2).replayed(Doubled())
    captured = []
    for length in (3, 4, 3, 4, 3, 3, 4):
        replayed(torch.ones(length))
        captured.append(cuda.captured)
    assert captured == [0, 0, 0, 0, 1, 1, 2] and cuda.replays == 3


def test_shapes_that_are_counted_do_not_pile_up(cuda, monkeypatch):
    monkeypatch.setattr(replay, "_MOST_COUNTED", 5)
    replayed = GraphPool(CPU, patience=2).replayed(Doubled())
    for length in range(1, 40):
        replayed(torch.ones(length))
    assert len(replayed._calls) <= 5 and cuda.captured == 0


def test_a_lenient_pool_goes_without_graphs_where_one_cannot_be(cuda, caplog, monkeypatch):
    monkeypatch.setattr(replay.logger, "propagate", True)
    pool, other, double = GraphPool(CPU, is_lenient=True), GraphPool(CPU), Doubled()
    pool.together = (pool, other)
    first, second = pool.replayed(lambda values: (values + 1,)), pool.replayed(double)
    first(torch.ones(2))
    assert len(first.held) == 1
    cuda.refuses = RuntimeError("operation not permitted when stream is capturing\nmore lines")
    assert second(torch.ones(3))[0].tolist() == [2, 2, 2]
    assert len(first.held) == 0 and other.is_closed  # their memory is given back
    cuda.refuses = None
    assert second(torch.ones(3))[0].tolist() == first(torch.ones(3))[0].tolist() == [2, 2, 2]
    assert cuda.captured == 1 and cuda.replays == 1
    told = [record.message for record in caplog.records]
    assert len(told) == 1 and "runs without them (operation not permitted" in told[0] and "more lines" not in told[0]


def test_else_the_error_is_the_callers(cuda):
    cuda.refuses = torch.OutOfMemoryError("no room")
    with pytest.raises(torch.OutOfMemoryError, match="no room"):
        GraphPool(CPU).replayed(Doubled())(torch.ones(1))
