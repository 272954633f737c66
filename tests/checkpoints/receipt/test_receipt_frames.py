"""What a receipt says of a frame: every array has its dimensions, and masks are unpacked to the frame's size."""

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.checkpoints.receipt import receipt_file
from helpers.checkpoints.receipt.receipt_file import Fingerprint, read_receipt, read_script
from helpers.checkpoints.receipt.receipt_script import fingerprint, write_receipt
from helpers.core.errors import RefusedInput
from tests.support.tiny_official import TinyModules

DIMENSIONS = {"best": 1, "ious": 2, "logits": 3, "masks": 2, "prompt_ids": 1, "answer_ids": 1, "states": 2,
              "projected": 2}  # fmt: skip
# Two masks of a frame of 3 x 2 pixels, whose first row is whole in one and whose last pixel is set in the other.
FIRST, SECOND = [[1, 1, 1], [0, 0, 0]], [[0, 0, 0], [0, 0, 1]]


@pytest.fixture
def written(tmp_path):
    """A receipt of one call with two masks, and its arrays."""
    path, model = tmp_path / "receipt.npz", TinyModules()
    write_receipt(model, path, frames=[Image.new("L", (3, 2), 9)], call=model.call)
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays |= {
        "0.best": np.array([0, 2]),
        "0.ious": np.array([[0.5, 0.25, 0.125], [0.0, 0.25, 1.0]], np.float32),
        "0.logits": np.arange(8, dtype=np.float32).reshape(2, 2, 2),
        "0.states": np.ones((2, 8), np.float32),
        "0.projected": np.full((2, 4), 2, np.float32),
        "0.masks": np.packbits(np.array([FIRST, SECOND], bool).reshape(2, 6), axis=1),
        "0.prompt_ids": np.array([1, 2, 3]),
        "0.answer_ids": np.array([5, 6]),
    }
    np.savez(path, **arrays)
    return path, arrays


def test_a_frame_with_two_masks(written):
    path, arrays = written
    (frame,) = read_receipt(path).frames
    assert frame.masks.dtype == bool and frame.masks.astype(int).tolist() == [FIRST, SECOND]
    assert (frame.prompt_ids, frame.answer_ids, frame.best.tolist()) == ([1, 2, 3], [5, 6], [0, 2])
    for name in ("ious", "logits", "states", "projected"):
        assert np.array_equal(getattr(frame, name), arrays[f"0.{name}"]), name
    for name in ("pixels", "square", "tower"):
        print_of = getattr(frame, name)
        assert print_of is None or np.array_equal(print_of.sketch, arrays[f"0.{name}.sketch"])


@pytest.mark.parametrize("name", DIMENSIONS)
def test_an_array_of_other_dimensions_is_refused(written, name):
    path, arrays = written
    assert arrays[f"0.{name}"].ndim == DIMENSIONS[name]
    np.savez(path, **arrays | {f"0.{name}": arrays[f"0.{name}"][None]})
    with pytest.raises(RefusedInput, match="the file is damaged"):
        read_receipt(path)


@pytest.mark.parametrize(
    "change",
    [
        {"0.best": np.array([0, 3])},
        {"0.best": np.array([-1, 2])},
        {"0.best": np.array([0])},
        {"0.ious": np.zeros((3, 3), np.float32)},
        {"0.logits": np.zeros((1, 2, 2), np.float32)},
    ],
)
def test_candidates_that_are_not_there_are_refused(written, change):
    path, arrays = written
    np.savez(path, **arrays | change)
    with pytest.raises(RefusedInput, match="the file is damaged"):
        read_receipt(path)


def print_of(*values, dtype=torch.float32):
    return Fingerprint.of(*fingerprint(torch.tensor(values, dtype=dtype)))


def test_how_two_tensors_stand_to_each_other():
    one, other = print_of(3.0, 4.0), print_of(3.0, 5.0)
    assert (one.distance(other), one.relative(other)) == (1.0, 0.2)
    assert (one.distance(print_of(3.0, 4.0)), one.relative(print_of(3.0, 4.0))) == (0.0, 0.0)
    assert print_of(0.0, 0.0).relative(one) == np.inf or print_of(0.0, 0.0).relative(one) > 1e300
    assert one.equals(print_of(3.0, 4.0, dtype=torch.bfloat16)) and not one.equals(other)
    assert one.equals(print_of(3.0, 4.0)) is True and one.equals(print_of([3.0, 4.0])) is False
    assert not print_of(1.001, dtype=torch.float16).equals(print_of(1.25, dtype=torch.float16))


def test_a_sketch_has_32_sums():
    facts, sketch = fingerprint(torch.ones(2))
    for wrong in (sketch[:31], np.append(sketch, 0.0), sketch[None]):
        with pytest.raises(ValueError, match="a sketch has shape"):
            Fingerprint.of(facts, wrong)


def test_a_receipt_may_have_as_many_bytes_as_the_limit(written, monkeypatch):
    path, arrays = written
    size = sum(array.nbytes for array in arrays.values())
    with np.load(path) as stored:
        total = sum(stored.zip.getinfo(entry).file_size for entry in stored.zip.namelist())
    assert total > size
    monkeypatch.setattr(receipt_file, "_MOST_BYTES", total)
    assert len(read_receipt(path).frames) == 1
    monkeypatch.setattr(receipt_file, "_MOST_BYTES", total - 1)
    with pytest.raises(RefusedInput, match=f"it holds {total} bytes, more than any receipt"):
        read_receipt(path)


def test_the_script_is_the_module_that_writes_receipts():
    assert read_script().startswith(b'"""Record what official Sa2VA code computes')
