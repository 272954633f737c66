"""The folder of corrections, whatever happens while it is written."""

import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.core.errors import RefusedInput, UsageProblem
from helpers.metrics.case_scores import mask_digest
from helpers.review.corrections import store as module
from helpers.review.corrections.store import CorrectionStore
from helpers.runs.stored_maps import read_png
from tests.review.corrections.test_record import correction


class Killed(BaseException):
    """As the process ends: nothing catches it."""


def mask(seed):
    return np.random.default_rng(seed).random((3, 4)) > 0.5


def of(number, seed, case_id="P1-F1", reviewer="ann"):
    """A record and its mask."""
    drawn = mask(seed)
    return correction(number, case_id, reviewer, mask_sha256=mask_digest(drawn)), drawn


def test_what_was_saved_is_there(tmp_path):
    store = CorrectionStore(tmp_path / "corrections")
    assert store.records() == () and store.standing() == {}
    record, drawn = of(1, 1)
    store.save(record, drawn)
    assert store.standing() == {"ann": {"P1-F1": record}} and np.array_equal(store.mask(record), drawn)
    names = {path.relative_to(store.folder).as_posix() for path in store.folder.rglob("*") if path.is_file()}
    assert names - {"ann/record.jsonl.lock"} == {"ann/record.jsonl", "ann/masks/P1-F1.png"}
    assert np.array_equal(read_png(store.folder / "ann/masks/P1-F1.png"), drawn)


def test_a_correction_is_taken_back(tmp_path):
    store = CorrectionStore(tmp_path)
    store.save(*of(1, 1))
    store.save(correction(2, mask_sha256=None), None)
    assert store.standing() == {} and len(store.records()) == 2 and not (tmp_path / "ann/masks/P1-F1.png").exists()


@given(steps=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["ann", "bob"])), max_size=8))
@settings(max_examples=25, deadline=None)
def test_two_readers_never_write_over_each_other(tmp_path_factory, steps):
    store = CorrectionStore(tmp_path_factory.mktemp("two"))
    expected = {}
    for number, (case_id, reviewer) in enumerate(steps):
        record, drawn = of(number, number, case_id, reviewer)
        store.save(record, drawn)
        expected.setdefault(reviewer, {})[case_id] = (record, drawn)
    assert store.standing() == {
        reviewer: {case_id: record for case_id, (record, _) in cases.items()} for reviewer, cases in expected.items()
    }
    for cases in expected.values():
        assert all(np.array_equal(store.mask(record), drawn) for record, drawn in cases.values())


# Every call that leaves something on the disk, in the order in which a correction makes them.
STEPS = ("write_bytes_atomic", "append_line", "_settle")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("after", [False, True])
def test_a_killed_process_leaves_the_mask_of_the_last_whole_record(tmp_path, monkeypatch, step, after):
    store = CorrectionStore(tmp_path)
    (first, before), (second, drawn) = of(1, 1), of(2, 2)
    store.save(first, before)
    real = getattr(module, step)

    def killed(*values):
        if after:
            real(*values)
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(module, step, killed)
        store.save(second, drawn)
    written = step == "_settle" or (step == "append_line" and after)
    (stands,) = store.standing()["ann"].values()
    assert stands == (second if written else first)
    assert np.array_equal(store.mask(stands), drawn if written else before)
    third, last = of(3, 3, "P2-F1")
    store.save(third, last)  # what was left is finished or cleared away
    assert np.array_equal(store.mask(stands), drawn if written else before)
    assert not list(tmp_path.rglob(".pending-*")) and np.array_equal(store.mask(third), last)


@given(cut=st.integers(0, 700))
@settings(max_examples=40, deadline=None)
def test_a_torn_last_line_is_never_guessed(tmp_path_factory, cut):
    store = CorrectionStore(tmp_path_factory.mktemp("torn"))
    (first, before), (second, _) = of(1, 1), of(2, 2)
    store.save(first, before)
    path = store.folder / "ann/record.jsonl"
    whole = path.read_bytes()
    line = second.to_line().encode()
    path.write_bytes(whole + line[: min(cut, len(line) - 1)])  # a line without its end, even a whole one, is torn
    assert store.records() == (first,) and np.array_equal(store.mask(first), before)
    store.save(*of(3, 3))
    assert [record.id for record in store.records()] == [first.id, f"{3:032x}"]
    assert path.read_bytes().startswith(whole)


def test_torn_lines_are_told(tmp_path, caplog):
    store = CorrectionStore(tmp_path)
    store.save(*of(1, 1))
    with (tmp_path / "ann/record.jsonl").open("ab") as file:
        file.write(b'{"schema": ')
    assert len(store.records()) == 1 and "1 line torn" in caplog.text


def test_another_version_and_another_readers_record_are_refused(tmp_path):
    store = CorrectionStore(tmp_path)
    store.save(*of(1, 1))
    path = tmp_path / "ann/record.jsonl"
    value = json.loads(path.read_text())
    path.write_text(json.dumps(value | {"schema_version": 2}) + "\n")
    with pytest.raises(RefusedInput, match=r"record.jsonl: line 1: expected version 1, got 2"):
        store.records()
    os.rename(tmp_path / "ann", tmp_path / "bob")
    path = tmp_path / "bob/record.jsonl"
    path.write_text(json.dumps(value) + "\n")
    with pytest.raises(RefusedInput, match="line 1: expected records of bob, found one of ann"):
        store.records()


def test_a_lost_or_changed_mask_is_refused_by_name(tmp_path):
    store = CorrectionStore(tmp_path)
    record, drawn = of(1, 1)
    store.save(record, drawn)
    path = tmp_path / "ann/masks/P1-F1.png"
    other = CorrectionStore(tmp_path / "other")
    other.save(*of(1, 2))
    path.write_bytes((tmp_path / "other/ann/masks/P1-F1.png").read_bytes())
    for spoilt in ("another", "damaged", "lost"):
        if spoilt == "damaged":
            path.write_bytes(b"no image")
        elif spoilt == "lost":
            path.unlink()
        with pytest.raises(RefusedInput, match=r"P1-F1.png: expected the mask that its record speaks of"):
            store.mask(record)


@pytest.mark.parametrize(
    ("record", "drawn", "error"),
    [
        (correction(reviewer="../ann"), mask(1), UsageProblem),
        (correction(case_id="a/b"), mask(1), UsageProblem),
        (correction(case_id=".pending-x"), mask(1), UsageProblem),
        (correction(), mask(1), ValueError),
        (correction(), None, ValueError),
        (correction(mask_sha256=mask_digest(np.ones((2, 2), bool))), np.ones((2, 2), bool), ValueError),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path, record, drawn, error):
    with pytest.raises(error):
        CorrectionStore(tmp_path / "c").save(record, drawn)
    assert not (tmp_path / "c").exists()


def test_an_earlier_correction_never_takes_the_mask_of_a_later_one_away(tmp_path):
    store = CorrectionStore(tmp_path)
    later, drawn = of(2, 2)
    store.save(later, drawn)
    with pytest.raises(UsageProblem, match="a later one of ann is kept"):
        store.save(*of(1, 1))
    assert store.records() == (later,) and np.array_equal(store.mask(later), drawn)
