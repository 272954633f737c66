"""The order of samples: every case once a pass, shared among processes, and continued where a run stopped."""

from itertools import islice

from helpers.train.fine_tuning import SeededOrder


def first(order, count):
    return list(islice(iter(order), count))


def test_each_pass_holds_every_case_once_in_its_own_order():
    found = first(SeededOrder(range(7), seed=3), 21)
    assert [position for position, _ in found] == list(range(21))
    passes = [[index for _, index in found[start : start + 7]] for start in (0, 7, 14)]
    assert all(sorted(one) == list(range(7)) for one in passes)
    assert len({tuple(one) for one in passes}) > 1


def test_the_same_seed_gives_the_same_order_and_another_one_does_not():
    assert first(SeededOrder(range(50), seed=1), 50) == first(SeededOrder(range(50), seed=1), 50)
    assert first(SeededOrder(range(50), seed=1), 50) != first(SeededOrder(range(50), seed=2), 50)


def test_a_resumed_run_goes_on_behind_what_was_seen():
    order = SeededOrder(range(5), seed=0)
    order.skipped = 8
    assert first(order, 4) == first(SeededOrder(range(5), seed=0), 12)[8:]


def test_processes_share_the_order(monkeypatch):
    whole = first(SeededOrder(range(6), seed=0), 12)
    parts = []
    for rank in range(2):
        monkeypatch.setattr("helpers.train.fine_tuning.sample_order.get_dist_info", lambda rank=rank: (rank, 2))
        parts.append(first(SeededOrder(range(6), seed=0), 6))
    assert [one for pair in zip(*parts, strict=True) for one in pair] == whole
