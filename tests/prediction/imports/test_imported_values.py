"""Values of every kind of file, and what they are taken for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.core.errors import RefusedInput
from helpers.core.vocabulary import Meaning
from helpers.data.truth.mask_values import look
from helpers.prediction.imports.imported_values import (
    ReadAs,
    holds_probabilities,
    meaning_of,
    read_values,
    stated,
    to_logits,
)
from tests.data.truth.test_mask_values import TABLE, TYPES, areas, holds, smoothed

GRID = np.array([[0, 1, 0], [1, 1, 0]])


def meaning(*arrays):
    return meaning_of(look(np.asarray(array)) for array in arrays)


def test_pngs(tmp_path):
    path = tmp_path / "a.png"
    for values in (GRID.astype(np.uint8) * 255, GRID.astype(np.uint8), GRID.astype(np.uint16) * 40000):
        Image.fromarray(values).save(path)
        assert (read_values(path) == values).all()
    Image.fromarray(GRID.astype(bool)).save(path)
    assert read_values(path).dtype == bool
    Image.fromarray(np.stack([GRID.astype(np.uint8)] * 3, axis=-1)).save(path)
    assert (read_values(path) == GRID).all()
    Image.fromarray(GRID.astype(np.uint8) * 255).save(path, transparency=255)
    with pytest.raises(RefusedInput, match="3 of 6 pixels are transparent"):
        read_values(path)


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


@pytest.mark.parametrize("dtype", TYPES)
def test_the_table_of_ground_truth_holds_for_imports_in_every_type(dtype):
    for values, kind, vessel in TABLE:
        if not holds(values, dtype):
            continue
        image = areas(values, dtype)
        if vessel is None:
            with pytest.raises(RefusedInput, match="--values mask, probability or logit"):
                meaning(image)
        else:
            taken = meaning(image)
            assert taken.meaning is Meaning.MASK, (values, kind)
            assert np.array_equal(to_logits(image, taken) > 0, np.isin(image, vessel)), values


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "i4", "i8", "f4", "f8"])
def test_smeared_masks_are_shares_of_white_in_every_type(dtype):
    image = smoothed().astype(dtype)
    taken = meaning(image, areas((0, 255), dtype), areas((0,), dtype))
    assert (taken.meaning, taken.full) == (Meaning.PROBABILITY, 255)
    assert np.array_equal(to_logits(image, taken) > 0, image >= 128)
    with pytest.raises(RefusedInput, match="expected files that go together"):
        meaning(image, areas((0, 1), dtype))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@given(low=st.floats(-0.001, 0), high=st.floats(1, 1.001), seed=st.integers(0, 99))
def test_floats_near_0_to_1_are_probabilities_and_clipped(dtype, low, high, seed):
    shares = np.random.default_rng(seed).random((5, 7)).astype(dtype)
    odd = shares.copy()
    odd[0, :2] = (
        np.nextafter(np.dtype(dtype).type(low), np.dtype(dtype).type(0)),
        min(np.dtype(dtype).type(high), 1.0009),
    )
    taken = meaning(shares, odd, areas((0, 1), "u1"))
    assert (taken.meaning, taken.full) == (Meaning.PROBABILITY, 1)
    assert bool(taken.notes) == bool((odd < 0).any() or (odd > 1).any())
    assert np.array_equal(to_logits(shares, taken) > 0, shares.astype(float) > 0.5)
    assert np.isfinite(to_logits(odd, taken)).all()


def test_one_pixel_just_below_0_changes_nothing():
    files = [np.random.default_rng(seed).random((8, 8)) for seed in range(6)]
    before = [to_logits(values, meaning(*files)) for values in files]
    files[3][0, 0] = -1e-7
    after = meaning(*files)
    assert after.meaning is Meaning.PROBABILITY and "1 file just outside 0 to 1" in after.notes[0]
    for place in range(6):
        assert np.array_equal(to_logits(files[place], after).ravel()[1:], before[place].ravel()[1:])


SPREAD = np.arange(256).reshape(16, 16)


@pytest.mark.parametrize(
    ("values", "dtypes"),
    [
        (SPREAD, ("u1", "u2", "i4", "i8", "u8", "f4", "f8")),
        (SPREAD * 257, ("u2", "i4", "f8")),
        (SPREAD / 25.5 - 5, ("f2", "f4", "f8")),
        (SPREAD / 100, ("f4",)),
        (SPREAD - 100, ("i2", "i8")),
        (np.array([[0.2, 0.9, 1.002]]), ("f4",)),
        (np.array([[-0.002, 0.9, 1]]), ("f4",)),
    ],
)
def test_what_else_there_is_must_be_stated(values, dtypes):
    for dtype in dtypes:
        with pytest.raises(RefusedInput, match="--values mask, probability or logit"):
            meaning(values.astype(dtype))
        assert stated([look(values.astype(dtype))], Meaning.LOGIT) == ReadAs(Meaning.LOGIT)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "i4", "i8", "u8", "f4", "f8"])
def test_stated_probabilities_are_shares_of_255_whatever_the_type(dtype):
    values = SPREAD.astype(dtype)
    taken = stated([look(values)], Meaning.PROBABILITY)
    assert taken.full == 255 and "shares of 255" in taken.notes[0]
    assert np.array_equal(to_logits(values, taken) > 0, SPREAD >= 128)


def test_stated_probabilities_of_one_type_have_one_scale_and_of_several_none_in_doubt():
    wide, dark = (SPREAD * 257).astype("u2"), SPREAD.astype("u2")
    both = stated([look(wide), look(dark)], Meaning.PROBABILITY)
    assert both.full == 65535 and np.array_equal(to_logits(wide, both) > 0, SPREAD >= 128)
    assert not (to_logits(dark, both) > 0).any()
    for other in (SPREAD.astype("u1"), SPREAD.astype("f4"), SPREAD / 255):
        with pytest.raises(RefusedInput, match="expected probabilities of one scale"):
            stated([look(wide), look(other)], Meaning.PROBABILITY)


@pytest.mark.parametrize(
    "values", [[[0.5, 1.5]], [[-1, 0]], [[0.0, 7.5]], [[0.0, 99.0]], [[0, 70000]], [[-0.1, 0.5]], [[0.5, 300.5]]]
)
def test_what_cannot_be_a_probability(values):
    with pytest.raises(RefusedInput, match="expected probabilities from 0 to 1"):
        stated([look(np.array(values))], Meaning.PROBABILITY)


def test_files_that_disagree_are_refused():
    for files in (
        [areas((0, 1), "u1"), areas((0, 1, 2), "u1")],
        [areas((0, 2), "u1"), areas((0, 1), "u1")],
        [areas((0, 255), "u1"), np.array([[0.2, 0.9]])],
        [np.array([[0.2, 0.9]]), np.array([[-3.0, 0.5]])],
    ):
        with pytest.raises(RefusedInput, match="--values"):
            meaning(*files)
    assert "0 and 1 and 0 and 255" in meaning(areas((0, 1), "u1"), areas((0, 255), "u1")).notes[0]


def test_logits_of_each_meaning():
    assert (to_logits(GRID * 255, ReadAs(Meaning.MASK)) > 0).tolist() == (GRID > 0).tolist()
    grey = np.array([[0, 127, 128, 255]], np.uint8)
    assert (to_logits(grey, ReadAs(Meaning.PROBABILITY, 255)) > 0).tolist() == [[False, False, True, True]]
    wide = np.array([[32767, 32768]], np.uint16)
    assert (to_logits(wide, ReadAs(Meaning.PROBABILITY, 65535)) > 0).tolist() == [[False, True]]
    assert to_logits(np.array([[0.0, 0.5, 1.0]]), ReadAs(Meaning.PROBABILITY))[0, 1] == 0
    assert np.isfinite(to_logits(np.array([[0.0, 1.0]]), ReadAs(Meaning.PROBABILITY))).all()
    assert to_logits(np.array([[-2.5]]), ReadAs(Meaning.LOGIT)) == -2.5


def test_nnu_nets_arrays_are_known_by_their_names(tmp_path):
    share = np.array([[0.1, 0.9], [0.8, 0.7]], np.float32)
    for name in ("probabilities", "softmax"):
        for stored in (np.stack([1 - share, share]), np.stack([1 - share, share])[:, None]):
            np.savez_compressed(tmp_path / "a.npz", **{name: stored, "other": share})
            assert np.array_equal(read_values(tmp_path / "a.npz"), share) and holds_probabilities(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", share)
    (tmp_path / "c.npz").write_bytes(b"PK")
    assert not holds_probabilities(tmp_path / "b.npz") and not holds_probabilities(tmp_path / "c.npz")
