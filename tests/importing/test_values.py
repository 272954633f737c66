"""Values of every kind of file, and what they are taken for."""

import numpy as np
import pytest
from PIL import Image

from helpers.errors import RefusedInput
from helpers.importing.values import Meaning, fits, meaning_of, range_of, read_values, to_logits

GRID = np.array([[0, 1, 0], [1, 1, 0]])


def meaning(*arrays):
    return meaning_of(range_of(np.asarray(array)) for array in arrays)


def test_pngs(tmp_path):
    path = tmp_path / "a.png"
    for values in (GRID.astype(np.uint8) * 255, GRID.astype(np.uint8), GRID.astype(np.uint16) * 40000):
        Image.fromarray(values).save(path)
        assert (read_values(path) == values).all()
    Image.fromarray(GRID.astype(bool)).save(path)
    assert read_values(path).dtype == bool
    Image.fromarray(np.stack([GRID.astype(np.uint8)] * 3, axis=-1)).save(path)
    assert (read_values(path) == GRID).all()


def test_arrays(tmp_path):
    path = tmp_path / "a.npz"
    share = np.array([[0.1, 0.9, 0.2], [0.8, 0.7, 0.3]], np.float32)
    for stored in (
        {"x": share},
        {"x": share[None]},
        {"probabilities": np.stack([1 - share, share])[:, None], "b": GRID},
    ):
        np.savez(path, **stored)
        assert (read_values(path) == share).all()
    np.save(tmp_path / "a.npy", share)
    assert (read_values(tmp_path / "a.npy") == share).all()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04cut", b"no image", "objects", "colour", "nan", "several", "cube"])
@pytest.mark.parametrize("suffix", [".png", ".npz", ".npy"])
def test_anything_else_is_refused(tmp_path, content, suffix):
    path = tmp_path / f"a{suffix}"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif suffix == ".png":
        Image.fromarray(np.arange(12, dtype=np.uint8).reshape(2, 2, 3)).save(path)
    else:
        array = {
            "objects": np.array([[{}]], object),
            "colour": np.zeros((2, 2), complex),
            "nan": np.array([[np.nan]]),
            "several": np.zeros(3),
            "cube": np.zeros((3, 2, 2)),
        }[content]
        np.save(path, array) if suffix == ".npy" else np.savez(path, x=array)
    with pytest.raises(RefusedInput, match="Export it again"):
        read_values(path)


def test_what_values_are_taken_for():
    assert meaning(GRID, GRID * 255) is Meaning.MASK and meaning(np.zeros((2, 2))) is Meaning.MASK
    assert meaning(GRID, GRID * 0.4) is Meaning.PROBABILITY
    assert meaning(GRID * 255, np.array([[0, 17, 255]])) is Meaning.PROBABILITY
    assert meaning(np.array([[0.2, 0.9]]), np.array([[-3.0, 0.5]])) is Meaning.LOGIT
    for labels in ([[0, 1, 2]], [[-1, 1]]):
        with pytest.raises(RefusedInput, match="labels of classes"):
            meaning(np.array(labels))


def test_logits_of_each_meaning():
    assert (to_logits(GRID * 255, Meaning.MASK) > 0).tolist() == (GRID > 0).tolist()
    grey = np.array([[0, 127, 128, 255]], np.uint8)
    assert (to_logits(grey, Meaning.PROBABILITY) > 0).tolist() == [[False, False, True, True]]
    wide = np.array([[32767, 32768]], np.uint16)
    assert (to_logits(wide, Meaning.PROBABILITY) > 0).tolist() == [[False, True]]
    assert to_logits(np.array([[0.0, 0.5, 1.0]]), Meaning.PROBABILITY)[0, 1] == 0
    assert np.isfinite(to_logits(np.array([[0.0, 1.0]]), Meaning.PROBABILITY)).all()
    assert to_logits(np.array([[-2.5]]), Meaning.LOGIT) == -2.5


def test_what_cannot_be_a_probability():
    assert not fits(range_of(np.array([[0.5, 1.5]])), Meaning.PROBABILITY)
    assert not fits(range_of(np.array([[-1, 0]])), Meaning.PROBABILITY)
    assert fits(range_of(np.array([[0, 200]])), Meaning.PROBABILITY)
