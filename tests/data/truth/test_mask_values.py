"""What values mean, from one table, for ground truth and for imported files alike, in every type of number."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from helpers.data.truth.mask_file import Plane, Undecided, draw
from helpers.data.truth.mask_values import ValueChoice, ValueKind, judge, look, shares

# Each as its values, the kind, and where that is sure, which of the values are vessel.
TABLE = (
    ((0,), ValueKind.EMPTY, ()),
    ((0, 1), ValueKind.MASK, (1,)),
    ((1,), ValueKind.MASK, (1,)),
    ((0, 255), ValueKind.MASK, (255,)),
    ((255,), ValueKind.MASK, (255,)),
    ((0, 65535), ValueKind.MASK, (65535,)),
    ((0, 2), ValueKind.MASK, (2,)),
    ((0, 100), ValueKind.MASK, (100,)),
    ((0, 128), ValueKind.MASK, (128,)),
    ((0, 1, 255), ValueKind.OTHER, None),
    ((0, 1, 2), ValueKind.OTHER, None),
    ((0, 128, 255), ValueKind.OTHER, None),
    ((0, 100, 255), ValueKind.OTHER, None),
    ((0, 254, 255), ValueKind.OTHER, None),
    ((0, 85, 170, 255), ValueKind.OTHER, None),
    ((0, 40000, 65535), ValueKind.OTHER, None),
    ((1, 2), ValueKind.OTHER, None),
    ((128, 255), ValueKind.OTHER, None),
    ((7,), ValueKind.OTHER, None),
    (tuple(range(27)), ValueKind.OTHER, None),
    ((*range(27), 255), ValueKind.OTHER, None),
    (tuple(range(0, 251, 10)), ValueKind.OTHER, None),
    ((-1, 0, 1), ValueKind.OTHER, None),
    ((-1, 0), ValueKind.OTHER, None),
    ((0, 70000), ValueKind.MASK, (70000,)),
    ((0, 1, 70000), ValueKind.OTHER, None),
)
TYPES = ("?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8")


def areas(values, dtype):
    """An image of each value as an area of 4 by 4 pixels."""
    return np.repeat(np.repeat(np.array([values], dtype), 4, axis=0), 4, axis=1)


def holds(values, dtype):
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return max(values) <= float(np.finfo(kind).max) and all(float(kind.type(value)) == value for value in values)
    low, high = (0, 1) if kind.kind == "b" else (np.iinfo(kind).min, np.iinfo(kind).max)
    return low <= min(values) and max(values) <= high


@pytest.mark.parametrize("dtype", TYPES)
def test_the_table_holds_in_every_type(dtype):
    seen = 0
    for values, kind, vessel in TABLE:
        if not holds(values, dtype):
            continue
        seen += 1
        image = areas(values, dtype)
        assert look(image).kind is kind, values
        if vessel is None:
            with pytest.raises(Undecided):
                draw(Plane(image), ValueChoice())
        else:
            assert np.array_equal(draw(Plane(image), ValueChoice()).mask, np.isin(image, vessel)), values
    assert seen >= (2 if dtype == "?" else 9)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize(
    "values", [(0, 0.5), (0.2, 0.9), (0, 1.5), (0, 0.5, 255), (0, np.nan), (0, np.inf), (-np.inf, 1), (0.5,)]
)
def test_fractions_and_what_is_not_finite_are_no_truth(dtype, values):
    with pytest.raises(Undecided):
        draw(Plane(areas(values, dtype)), ValueChoice())


def disk(size=64):
    y, x = np.mgrid[:size, :size]
    return (x - size / 2) ** 2 + (y - size / 3) ** 2 < (size / 4) ** 2


def smoothed():
    """A disk drawn with smooth edges, 0 .. 255."""
    large = Image.fromarray(disk(512).astype(np.uint8) * 255)
    return np.asarray(large.resize((64, 64), Image.Resampling.BOX))


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "i8", "f4", "f8"])
def test_smoothed_masks_are_cut_at_half(dtype):
    for values in (smoothed(), *([smoothed().astype(np.uint32) * 257] if dtype in ("u2", "i4", "i8", "f8") else [])):
        image = values.astype(dtype)
        found = draw(Plane(image), ValueChoice())
        assert found.found.kind is ValueKind.GREY and found.remarks[0].startswith("mask not binary: values 0, ")
        assert np.array_equal(found.mask, values >= (128 if values.max() == 255 else 32768))


def test_a_jpeg_is_cut_at_half(tmp_path):
    for quality in (30, 75, 95):
        Image.fromarray(disk().astype(np.uint8) * 255).save(tmp_path / "m.jpg", quality=quality)
        values = np.asarray(Image.open(tmp_path / "m.jpg"))
        found = draw(Plane(values), ValueChoice())
        assert found.found.kind is ValueKind.GREY and np.array_equal(found.mask, values >= 128)


@settings(max_examples=60)
@given(st.integers(3, 30), st.sampled_from([1, 2, 7, 9, 10]), st.booleans(), st.integers(0, 2**32 - 1))
def test_labels_in_areas_are_never_a_mask(count, gap, with_border, seed):
    """However many labels there are, and however rare: areas of three values and more are asked about."""
    rng = np.random.default_rng(seed)
    image = np.zeros((64, 64), np.uint8)
    for label in range(1, count):
        y, x = rng.integers(0, 60, 2)
        image[y : y + rng.integers(3, 9), x : x + rng.integers(3, 30)] = min(label * gap, 250)
    if with_border:
        image[:3] = 255
    found = look(image)
    if found.distinct > 2:
        assert found.kind is ValueKind.OTHER


SETS = (
    ([(0, 1), (0, 1), (0,)], True, ()),
    ([(0, 255), (255,), (0,)], True, ()),
    ([(0, 1), (0, 255)], True, ("0 and 1 and 0 and 255",)),
    ([(0, 2), (0, 2)], True, ("2 was taken as vessel",)),
    ([(0, 2), (0, 1)], False, ()),
    ([(0, 128), (0, 255)], False, ()),
    ([(0, 1), (0, 1, 2)], False, ()),
    ([(0, 255), (0, 1, 255)], False, ()),
    ([(0, 1), (0, 1), (7,)], False, ()),
)


@pytest.mark.parametrize(("files", "sure", "said"), SETS)
def test_files_are_judged_together(files, sure, said):
    found = judge([look(areas(values, np.uint8)) for values in files], "ADVICE")
    assert (found.reason is None) == sure
    if sure:
        assert len(found.notes) == len(said) and all(text in note for text, note in zip(said, found.notes, strict=True))
    else:
        assert found.reason.endswith("ADVICE") and "%" in found.reason


def decided(values, choice, dtype=np.uint8):
    return draw(Plane(areas(values, dtype)), choice)


@pytest.mark.parametrize("dtype", TYPES[1:])
def test_what_was_decided_is_taken(dtype):
    def taken(numbers, **choice):
        found = decided(numbers, ValueChoice(**choice), dtype)
        return found.mask[0, ::4].tolist(), None if found.ignored is None else found.ignored[0, ::4].tolist()

    assert taken((0, 1, 2), vessel=("1",)) == ([False, True, False], None)
    assert taken((0, 1, 2), vessel=("1", "2")) == ([False, True, True], None)
    assert taken((0, 1, 100), ignore=("100",)) == ([False, True, False], [False, False, True])
    assert taken((0, 1, 2, 100), vessel=("2",), ignore=("100",))[0] == [False, False, True, False]
    assert taken((0, 1, 2), values="mask") == ([False, True, True], None)
    assert taken((0, 1), ignore=("2",)) == ([False, True], None)
    with pytest.raises(Undecided):
        taken((0, 1, 2, 100), ignore=("100",))


def test_probabilities_are_cut_at_half_of_what_is_full():
    assert decided((0, 127, 128, 255), ValueChoice("probability")).mask[0, ::4].tolist() == [False, False, True, True]
    wide = decided((0, 200, 40000), ValueChoice("probability"), np.uint16)
    assert wide.mask[0, ::4].tolist() == [False, False, True]
    assert decided((0, 0.4, 0.5, 0.9), ValueChoice("probability"), float).mask[0, ::4].tolist() == [
        False,
        False,
        True,
        True,
    ]
    near = decided((-1e-7, 0.4, 0.5, 1.0005), ValueChoice("probability"), float)
    assert near.mask[0, ::4].tolist() == [False, False, True, True]
    dark = draw(Plane(areas((0, 200), np.uint16)), ValueChoice("probability"), highest=65000.0)
    assert not dark.mask.any()
    for values in ((-1, 0, 5), (0.5, 300.5), (0, np.nan)):
        with pytest.raises(Undecided):
            decided(values, ValueChoice("probability"), float)


def test_smeared_masks_hold_no_values_to_name():
    with pytest.raises(Undecided, match="smeared"):
        draw(Plane(smoothed()), ValueChoice(ignore=("255",)))
    with pytest.raises(Undecided, match="smeared"):
        draw(Plane(areas((0, 1, 255), np.uint8), lossy=True), ValueChoice(vessel=("255",)))


def test_shares_are_those_of_all_pixels_however_many_values_there_are():
    values = np.zeros((40, 100), np.uint8)
    values[:20], values[20] = 255, np.arange(100)
    assert shares([look(values)]).split(", ")[0] == "0: 47.52%"
    assert "255: 50.00%" in shares([look(values)]) and shares([look(values)]).endswith(" and more")
